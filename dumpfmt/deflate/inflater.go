package deflate

import (
	"encoding/binary"
	"io"
)

// A Block is a block of a deflate stream.
type Block struct {
	Start, End int64 // offset of its first bit and that after its last, in bits of the stream
	Text       int64 // offset of its text, in bytes
	Length     int64 // of its text, in bytes
	Final      bool  // it is marked as the last
	Stored     bool  // its text is not compressed
}

const (
	// inflateText is how much text is made at a time, in bytes. With the window
	// before it, it stays in the second-level cache.
	inflateText = 192 << 10
	// maxMatch is the length of the longest match.
	maxMatch = 258
	// inflateSlack is what may be written behind the text before one looks
	// whether there is room: a match, in words of eight bytes.
	inflateSlack = maxMatch + 16
)

// An Inflater reads the text of one raw deflate stream. It accepts what Walker
// accepts. It holds about 550 KiB of memory whatever the stream, and reads
// ahead. It may not be used from several goroutines at once.
type Inflater struct {
	s      stream
	table  inflateTable
	report func(Block)

	buf   []byte // text: what matches refer to, and what was not read yet
	given int    // bytes of buf that Read gave, or that were given before
	have  int    // bytes of buf that are text
	base  int64  // offset in the text of buf[0]

	block  Block // that is being read
	within bool  // the text of block is not complete
	stored int   // bytes of a stored block that are left
	err    error // why there is no more text than what is in buf
}

var _ io.Reader = (*Inflater)(nil)

// NewInflater returns an Inflater of the stream that r begins with. Blocks, if
// it is not nil, is called for each block when its end is reached, by the Read
// that gives the last byte of its text or by the next one.
func NewInflater(r io.Reader, blocks func(Block)) *Inflater {
	z := &Inflater{s: stream{bitReader: newBitReader(nil)}, buf: make([]byte, windowSize+inflateText+inflateSlack)}
	z.Reset(r, blocks)
	return z
}

// Reset makes the Inflater start again with another stream, reusing its memory.
func (z *Inflater) Reset(r io.Reader, blocks func(Block)) {
	*z.s.bitReader = bitReader{src: r, buf: z.s.buf}
	z.report = blocks
	z.given, z.have, z.base = 0, 0, 0
	z.block, z.within, z.stored, z.err = Block{}, false, 0, nil
}

// InputOffset is how many bytes of the stream the text so far took. After
// io.EOF it is the stream's length.
func (z *Inflater) InputOffset() int64 { return (z.s.bitOffset() + 7) / 8 }

// Read implements io.Reader. The end of the stream is io.EOF, whatever follows
// it, and an end of the data before that io.ErrUnexpectedEOF. Errors of the
// reader are returned as they are, any other is damage.
func (z *Inflater) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for z.given == z.have {
		if z.err != nil {
			return 0, z.err
		}
		z.slide()
		z.err = z.inflate()
		if source, ok := z.err.(sourceError); ok {
			z.err = source.error
		}
	}
	n := copy(p, z.buf[z.given:z.have])
	z.given += n
	return n, nil
}

// slide makes room for more text, when all of it was read.
func (z *Inflater) slide() {
	if z.have <= windowSize {
		return
	}
	drop := z.have - windowSize
	copy(z.buf, z.buf[drop:z.have])
	z.base += int64(drop)
	z.given, z.have = windowSize, windowSize
}

// hasRoom tells whether the longest match still fits into the buffer.
func (z *Inflater) hasRoom() bool { return z.have <= len(z.buf)-inflateSlack }

// inflate makes text until the buffer is full or the stream ends.
func (z *Inflater) inflate() (err error) {
	for z.hasRoom() {
		switch {
		case !z.within && z.block.Final:
			return io.EOF
		case !z.within:
			err = z.begin()
		case z.block.Stored:
			err = z.copyStored()
		default:
			err = z.codes()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin reads what a block begins with.
func (z *Inflater) begin() (err error) {
	z.block = Block{Start: z.s.bitOffset(), Text: z.base + int64(z.have)}
	if z.block.Final, z.block.Stored, err = z.s.readHeader(); err != nil {
		return err
	}
	z.within = true
	if z.block.Stored {
		z.stored, err = z.s.readStored()
	}
	return err
}

// end reports a block whose last bit was read.
func (z *Inflater) end() {
	z.within = false
	z.block.End = z.s.bitOffset()
	z.block.Length = z.base + int64(z.have) - z.block.Text
	if z.report != nil {
		z.report(z.block)
	}
}

// copyStored copies bytes of a stored block.
func (z *Inflater) copyStored() error {
	s := &z.s
	if z.stored == 0 {
		z.end()
		return nil
	}
	if s.pos == s.end && !s.fill() {
		return s.short()
	}
	room := z.buf[z.have : len(z.buf)-inflateSlack+1]
	n := copy(room[:min(len(room), z.stored)], s.buf[s.pos:s.end])
	s.pos += n
	z.have += n
	z.stored -= n
	return nil
}

// codes makes the text of a block up to its end, or as much as there is room
// for.
func (z *Inflater) codes() error {
	s := &z.s
	for z.hasRoom() {
		if s.end-s.pos >= fastMargin {
			if !s.ready {
				z.table.build(&s.lit, &s.dist)
				s.ready = true
			}
			if z.fast(); !z.hasRoom() {
				return nil
			}
		}
		sym, length, err := s.readSymbol()
		switch {
		case err != nil:
			return err
		case sym == endOfBlock:
			z.end()
			return nil
		case sym < endOfBlock:
			z.buf[z.have] = byte(sym)
			z.have++
			continue
		}
		dist, err := s.readDistance(int64(z.have)) // the buffer has the window, or all text so far
		if err != nil {
			return err
		}
		z.have = copyMatch(z.buf, z.have, dist, int(length))
	}
	return nil
}

// copyMatch copies a match to an offset of buf and returns that of its end. It
// may write some bytes more.
func copyMatch(buf []byte, at, dist, length int) int {
	end := at + length
	if dist < 8 {
		for ; at < end; at++ {
			buf[at] = buf[at-dist]
		}
		return end
	}
	for ; at < end; at += 8 {
		binary.LittleEndian.PutUint64(buf[at:], binary.LittleEndian.Uint64(buf[at-dist:]))
	}
	return end
}

// fast makes text with the table until something comes that is not in it, the
// input is near its end or the buffer is full. What stopped it is left in the
// stream.
//
// After the refill there are at least 56 bits: two entries of literals or a
// match, or literals and a match, take 50 at most.
func (z *Inflater) fast() {
	s := &z.s
	lit, dist := &z.table.lit, &z.table.dist
	in, pos, b, n := s.buf[:s.end], s.pos, s.bits, s.n
	out, at := z.buf, z.have
	for last := len(out) - inflateSlack; pos <= len(in)-fastMargin && at <= last; {
		b |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56
		e := lit[b&(1<<litBits-1)]
		if e&entryLiterals != 0 {
			binary.LittleEndian.PutUint16(out[at:], uint16(e>>entryTextShift))
			at += int(e >> entryCountShift & 3)
			b >>= e & entryTotal
			n -= uint(e & entryTotal)
			e = lit[b&(1<<litBits-1)]
			if e&entryLiterals != 0 {
				binary.LittleEndian.PutUint16(out[at:], uint16(e>>entryTextShift))
				at += int(e >> entryCountShift & 3)
				b >>= e & entryTotal
				n -= uint(e & entryTotal)
				continue
			}
		}
		after := b >> (e & entryTotal)
		far := dist[after&(1<<farBits-1)]
		d := value(far, after)
		if e == 0 || far == 0 || d > at {
			break
		}
		length := value(e, b)
		b = after >> (far & entryTotal)
		n -= uint(e&entryTotal + far&entryTotal)
		if d < 8 {
			at = copyMatch(out, at, d, length)
			continue
		}
		end := at + length
		for ; at < end; at += 8 {
			binary.LittleEndian.PutUint64(out[at:], binary.LittleEndian.Uint64(out[at-d:]))
		}
		at = end
	}
	s.pos, s.bits, s.n = pos, b, n
	z.have = at
}
