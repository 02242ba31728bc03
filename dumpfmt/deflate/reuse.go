package deflate

import (
	"hash/crc32"
	"io"
)

// A blockRun is a number of blocks of another stream, one after the other, that a
// packer copies.
type blockRun struct {
	open bool
	src  *io.SectionReader // the stream
	at   int64             // first byte of src that is not copied
	end  int64             // of the last block, in bits of src
	buf  []byte
}

// runBuffer is how much of a run is copied at a time, in bytes.
const runBuffer = 64 << 10

// Reuse says that the text written last is that of a block of the stream in
// src, which may stand for it as it is, so that it need not be compressed. It
// may be called for each block that lies within the text, after the last byte
// of the block's text was written and before any more. The text in the file is
// the same either way.
//
// A block is taken if it is Reusable, if nothing that it may refer to is before
// the file's text, and if it is not longer than a piece.
func (w *Writer) Reuse(src *io.SectionReader, b Block) error {
	if err := w.begin(); err != nil {
		return err
	}
	return w.pack.reuse(src, b)
}

func (p *packer) reuse(src *io.SectionReader, b Block) error {
	if err := p.failed(); err != nil || !p.takes(b) {
		return err
	}
	before := len(p.cur.text) - int(b.Length)
	crc := crc32.ChecksumIEEE(p.cur.text[before:])
	p.cur.text = p.cur.text[:before]
	if !p.continues(src, b) {
		if err := p.startRun(src, b); err != nil {
			return err
		}
	}
	p.run.end = b.End
	if err := p.copyRun(b.End / 8); err != nil {
		return err
	}
	p.crc = CombineCRC32(p.crc, crc, b.Length)
	p.length += b.Length
	return nil
}

// minReused is the shortest text of a block that is worth taking, in bytes: a
// piece of shorter blocks is smaller and faster to read.
const minReused = 1 << 10

// Reusable tells whether the block is one that Reuse may take. Those that are
// not need not be offered.
func (b Block) Reusable() bool {
	return !b.Final && !b.Stored && b.Length >= minReused && b.Start >= 0 && b.End-b.Start >= minBlock
}

// takes tells whether a block can stand for the text written last.
func (p *packer) takes(b Block) bool {
	return b.Reusable() && p.cur != nil && b.Length <= int64(len(p.cur.text)) && p.added-b.Length >= windowSize
}

// continues tells whether a block follows the last one of the run, with no text
// in between.
func (p *packer) continues(src *io.SectionReader, b Block) bool {
	return p.run.open && p.run.src == src && p.run.end == b.Start && len(p.cur.text) == 0
}

// startRun writes all text so far, and then leads from the byte boundary that
// it ends on to the place in a byte at which the block starts in src: its
// bytes can be copied as they are then.
func (p *packer) startRun(src *io.SectionReader, b Block) error {
	if err := p.flush(); err != nil {
		return err
	}
	p.run = blockRun{open: true, src: src, at: b.Start / 8, buf: p.run.buf}
	used := b.Start % 8
	if used == 0 {
		return nil
	}
	var first [1]byte
	if err := readFull(src, first[:], p.run.at); err != nil {
		return p.fail(err)
	}
	p.run.at++
	lead := fillers[used]
	n := len(lead) - 1
	if err := p.raw(lead[:n]); err != nil {
		return err
	}
	return p.raw([]byte{lead[n] | first[0]>>used<<used})
}

// copyRun copies up to a byte of the run's source.
func (p *packer) copyRun(to int64) error {
	if p.run.buf == nil {
		p.run.buf = make([]byte, runBuffer)
	}
	n, err := copyRange(p.dst, p.run.src, p.run.at, to-p.run.at, p.run.buf)
	p.size += n
	p.run.at = to
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// endRun leads from the end of a run, if there is one, to a byte boundary.
func (p *packer) endRun() error {
	if !p.run.open {
		return nil
	}
	p.run.open = false
	used := uint(p.run.end % 8)
	if used == 0 {
		return p.raw([]byte("\x00" + syncEnd))
	}
	var last [1]byte
	if err := readFull(p.run.src, last[:], p.run.at); err != nil {
		return p.fail(err)
	}
	rest, _ := boundary(last[0], used)
	return p.raw(rest)
}

// fillers are blocks without text that lead from a byte boundary to each place
// in a byte. The last byte is that in which they end.
var fillers = makeFillers()

func makeFillers() (f [8][]byte) {
	for used := range f {
		var a bitAppender
		if used%2 == 1 {
			a.emptyDynamic()
		}
		for int(a.n%8) != used {
			a.append(2, minBlock) // an empty block with fixed codes
		}
		f[used] = a.data
	}
	return f
}

// A bitAppender puts together some bits.
type bitAppender struct {
	data []byte
	n    uint
}

// append adds the low bits of v, the lowest first.
func (a *bitAppender) append(v uint64, bits uint) {
	for i := range bits {
		if a.n%8 == 0 {
			a.data = append(a.data, 0)
		}
		a.data[a.n/8] |= byte(v>>i&1) << (a.n % 8)
		a.n++
	}
}

// emptyDynamic adds a block of an odd number of bits without text. All its codes
// are complete, because some decoders take no others: two of one bit each for
// the code lengths 1 and 18, for the literals 255 and 256 and for distances.
func (a *bitAppender) emptyDynamic() {
	for _, field := range [...]struct {
		value uint64
		bits  uint
	}{
		{4, 3},         // not the last block, dynamic codes
		{0, 5}, {1, 5}, // 257 literals, 2 distances
		{15, 4},            // 19 lengths of code length codes
		{0, 2 * 3}, {1, 3}, // 16, 17; 18
		{0, 14 * 3}, {1, 3}, // 0 and 2 to 14; 1
		{0, 3},          // 15
		{1 | 127<<1, 8}, // 138 times 0
		{1 | 106<<1, 8}, // 117 times 0
		{0, 2}, {0, 2},  // 1 twice each: the last two literals, the distances
		{1, 1}, // 256: the end
	} {
		a.append(field.value, field.bits)
	}
}
