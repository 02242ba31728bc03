package deflate

import (
	"errors"
	"fmt"
	"io"
)

// A Part says where in a joined stream a member is, and holds what joining
// took away from it, so that Cut can take it out again. Bit offsets count from
// the lowest bit of the part's first byte.
type Part struct {
	Offset  int64  // of the part in the stream, in bytes
	Size    int64  // of the part, in bytes
	Last    int64  // offset of the bit that Joiner cleared; -1 for none
	Bits    int64  // length of the member's own data, in bits
	Padding byte   // what stood above the last bit, in the last byte of the data
	CRC     uint32 // CRC-32 of the text
	Length  int64  // of the text, in bytes
}

// A Joiner writes one raw deflate stream (what a zip member of method 8 holds)
// out of text, which it compresses in pieces as Writer does, and of data that
// is compressed already. Text and data go into the stream in the order of the
// calls.
//
// After an error of the file, or of a file that is joined, every method
// returns that error: there is no whole stream any more. A Joiner may not be
// used from several goroutines at once.
type Joiner struct {
	pack   packer
	closed bool
	buf    []byte
}

var (
	_ io.WriteCloser = (*Joiner)(nil)
	_ io.ReaderFrom  = (*Joiner)(nil)
)

// minBlock is the length of the shortest block in bits: an empty one with fixed
// codes. So the first bit of a block and its last are never in one byte.
const minBlock = 10

var errNotLast = errors.New("the last block is not where it was: the file has changed")

// NewJoiner returns a Joiner that writes to w. The caller closes w after Close.
func NewJoiner(w io.Writer, opts Options) (*Joiner, error) {
	opts, err := opts.filled()
	if err != nil {
		return nil, err
	}
	return &Joiner{pack: packer{dst: w, opts: opts}}, nil
}

// Write adds text.
func (j *Joiner) Write(text []byte) (int, error) {
	if err := j.usable(); err != nil {
		return 0, err
	}
	return j.pack.Write(text)
}

// ReadFrom adds the text of src up to its end.
func (j *Joiner) ReadFrom(src io.Reader) (int64, error) {
	if err := j.usable(); err != nil {
		return 0, err
	}
	return j.pack.ReadFrom(src)
}

// Flush compresses and writes all text so far, so that what follows starts a
// new piece, at the offset that Size returns.
func (j *Joiner) Flush() error {
	if err := j.usable(); err != nil {
		return err
	}
	return j.pack.flush()
}

// JoinPieces adds the text of a file written by Writer by copying its body. If
// src is an *os.File, its own read offset is moved.
func (j *Joiner) JoinPieces(src io.ReaderAt, l Layout) (Part, error) {
	part := Part{Size: l.BodyLen, Last: -1, Bits: 8 * l.BodyLen, CRC: l.CRC, Length: l.Length}
	err := j.join(&part, func() error {
		return j.copy(src, l.HeaderLen, l.BodyLen)
	})
	return part, err
}

// JoinPiece adds text that Encoder made a piece of. The data are the caller's
// after it.
func (j *Joiner) JoinPiece(data []byte, crc uint32, length int64) (Part, error) {
	part := Part{Last: -1, Bits: 8 * int64(len(data)), CRC: crc, Length: length}
	err := j.join(&part, func() error { return j.pack.raw(data) })
	return part, err
}

// JoinMember adds the text of a gzip member, as Walker found it in src, by
// copying its data. If src is an *os.File, its own read offset is moved.
func (j *Joiner) JoinMember(src io.ReaderAt, m Member) (Part, error) {
	part := Part{Last: m.Last, Bits: m.Bits, CRC: m.CRC, Length: m.Length}
	err := j.join(&part, func() error {
		return j.copyMember(src, m, &part)
	})
	return part, err
}

// join adds data between the pieces. data writes it.
func (j *Joiner) join(part *Part, data func() error) error {
	if err := j.Flush(); err != nil {
		return err
	}
	part.Offset = j.pack.size
	if err := data(); err != nil {
		return j.pack.fail(err)
	}
	part.Size = j.pack.size - part.Offset
	j.pack.crc = CombineCRC32(j.pack.crc, part.CRC, part.Length)
	j.pack.length += part.Length
	return nil
}

// copyMember copies the data of a member, its last block no longer marked as
// that, up to the next byte boundary.
func (j *Joiner) copyMember(src io.ReaderAt, m Member, part *Part) error {
	start, flag, end := m.Data(), m.Last/8, m.DataLen()-1
	if m.Last < 0 || m.Last > m.Bits-minBlock {
		return errNotLast
	}
	var marked, last [1]byte
	if err := readFull(src, marked[:], start+flag); err != nil {
		return err
	}
	if err := readFull(src, last[:], start+end); err != nil {
		return err
	}
	bit := byte(1) << (m.Last % 8)
	if marked[0]&bit == 0 {
		return errNotLast
	}
	if err := j.copy(src, start, flag); err != nil {
		return err
	}
	if err := j.pack.raw([]byte{marked[0] &^ bit}); err != nil {
		return err
	}
	if err := j.copy(src, start+flag+1, end-flag-1); err != nil {
		return err
	}
	var rest []byte
	rest, part.Padding = boundary(last[0], uint(m.Bits%8))
	return j.pack.raw(rest)
}

// boundary leads from a stream's last byte, used bits of which belong to it (0
// for all), to a byte boundary. It returns the bytes from there on, the last
// byte included, and what stood in it above the used bits.
func boundary(last byte, used uint) (rest []byte, padding byte) {
	if used == 0 {
		return []byte{last}, 0
	}
	low := byte(1)<<used - 1
	rest = []byte{last & low}
	if used > 5 { // no room for the three bits that begin a block
		rest = append(rest, 0)
	}
	return append(rest, syncEnd...), last &^ low
}

// copy copies n bytes at an offset of src into the stream.
func (j *Joiner) copy(src io.ReaderAt, offset, n int64) error {
	if j.buf == nil {
		j.buf = make([]byte, copyBuffer)
	}
	done, err := copyRange(j.pack.dst, src, offset, n, j.buf)
	j.pack.size += done
	if err != nil {
		return fmt.Errorf("copy compressed data: %w", err)
	}
	return nil
}

// Close writes all text so far and the empty block that ends the stream. It
// does not close the file. Closing again returns the same error.
func (j *Joiner) Close() error {
	if j.closed {
		return j.pack.failed()
	}
	err := j.pack.flush()
	j.pack.stop()
	j.closed = true
	if err != nil {
		return err
	}
	return j.pack.raw([]byte(finalBlock))
}

// Abort gives up the stream: it waits for the goroutines, and with them for a
// write that is under way, and writes nothing more. It does nothing after
// Close, so it can be deferred.
func (j *Joiner) Abort() {
	if j.closed {
		return
	}
	_ = j.pack.fail(ErrClosed) // stays whatever failed before
	j.pack.stop()
	j.closed = true
}

// usable returns why the Joiner cannot be used any more.
func (j *Joiner) usable() error {
	if err := j.pack.failed(); err != nil {
		return err
	}
	if j.closed {
		return ErrClosed
	}
	return nil
}

// Size returns the bytes written so far, after Flush or Close.
func (j *Joiner) Size() int64 { return j.pack.size }

// CRC returns the CRC-32 of the text written so far, after Flush or Close.
func (j *Joiner) CRC() uint32 { return j.pack.crc }

// Length returns the length of the text written so far in bytes, after Flush
// or Close.
func (j *Joiner) Length() int64 { return j.pack.length }
