package deflate

import (
	"encoding/binary"
	"errors"
	"io"
)

// walkBuffer is how much of the input is held in memory at a time, in bytes.
const walkBuffer = 256 << 10

// maxEmptyReads is how many times in a row a reader may give nothing.
const maxEmptyReads = 100

// A bitReader reads a file by bits and by bytes, the lowest bit of a byte
// first. Its methods return errors of the file as a sourceError and
// io.ErrUnexpectedEOF where it ends too early.
type bitReader struct {
	src  io.Reader
	buf  []byte
	pos  int   // next byte of buf to take into bits
	end  int   // end of what has been read into buf
	base int64 // offset of buf[0] in the file
	err  error // why nothing more can be read into buf

	// The low n bits are the next of the stream. Above them bits may hold
	// bits of buf[pos:] already, but nothing else.
	bits uint64
	n    uint
}

func newBitReader(src io.Reader) *bitReader {
	return &bitReader{src: src, buf: make([]byte, walkBuffer)}
}

// bitOffset is the number of bits of the file before the next one.
func (r *bitReader) bitOffset() int64 {
	return (r.base+int64(r.pos))*8 - int64(r.n)
}

// fill reads more of the file behind what is left in the buffer. It returns
// whether there is now anything at pos.
func (r *bitReader) fill() bool {
	if r.err != nil {
		return r.pos < r.end
	}
	// align may want back the bytes that are in bits.
	kept := min(r.pos, 8)
	r.base += int64(r.pos - kept)
	r.end = copy(r.buf, r.buf[r.pos-kept:r.end])
	r.pos = kept
	for range maxEmptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		if n < 0 || n > len(r.buf)-r.end {
			err, n = errors.New("reader returned an impossible count"), 0
		}
		r.end += n
		r.err = err
		if n > 0 || err != nil {
			return r.pos < r.end
		}
	}
	r.err = io.ErrNoProgress
	return r.pos < r.end
}

// more makes n at least want, at most 56, if the file has that many bits. At
// its end there are fewer, with zeros above them.
func (r *bitReader) more(want uint) {
	for r.n < want {
		if r.pos == r.end && !r.fill() {
			r.bits &= 1<<r.n - 1
			return
		}
		r.bits |= uint64(r.buf[r.pos]) << r.n
		r.pos++
		r.n += 8
	}
}

// skip drops n bits. It fails if there are fewer.
func (r *bitReader) skip(n uint) error {
	if n > r.n {
		return r.short()
	}
	r.bits >>= n
	r.n -= n
	return nil
}

// take returns the next n bits, at most 32.
func (r *bitReader) take(n uint) (uint, error) {
	r.more(n)
	v := uint(r.bits & (1<<n - 1))
	return v, r.skip(n)
}

// short is the error of a file that ended where more was needed.
func (r *bitReader) short() error {
	if r.err == nil || r.err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return sourceError{r.err}
}

// align drops the bits up to the next byte and gives whole bytes back to the
// buffer, so that pos is the next byte of the file.
func (r *bitReader) align() {
	r.pos -= int(r.n / 8)
	r.bits, r.n = 0, 0
}

// readByte returns the next byte of an aligned reader.
func (r *bitReader) readByte() (byte, error) {
	if r.pos == r.end && !r.fill() {
		return 0, r.short()
	}
	c := r.buf[r.pos]
	r.pos++
	return c, nil
}

// readUint32 returns the next four bytes of an aligned reader.
func (r *bitReader) readUint32() (uint32, error) {
	var b [4]byte
	for i := range b {
		c, err := r.readByte()
		if err != nil {
			return 0, err
		}
		b[i] = c
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// discard drops n bytes of an aligned reader.
func (r *bitReader) discard(n int) error {
	for n > r.end-r.pos {
		n -= r.end - r.pos
		r.pos = r.end
		if !r.fill() {
			return r.short()
		}
	}
	r.pos += n
	return nil
}
