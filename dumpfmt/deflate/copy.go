package deflate

import (
	"errors"
	"fmt"
	"io"
	"os"

	"odx/dumpfmt"
)

const (
	// copyBuffer is how much is copied at a time where memory is involved.
	copyBuffer = 1 << 20
	// copyInKernel is from how many bytes on it pays to try without.
	copyInKernel = 64 << 10
)

// copyRange copies n bytes at an offset of src to dst and returns how many it
// wrote. If src is a file and dst can read from one, as another file can, the
// system may copy without the bytes passing through memory; the read offset of
// src is moved then. It is an error if src has less than n bytes.
func copyRange(dst io.Writer, src io.ReaderAt, offset, n int64, buf []byte) (int64, error) {
	file, isFile := src.(*os.File)
	to, canRead := dst.(io.ReaderFrom)
	if isFile && canRead && n >= copyInKernel {
		return copyFile(to, file, offset, n)
	}
	var done int64
	for done < n {
		b := buf[:min(int64(len(buf)), n-done)]
		if err := readFull(src, b, offset+done); err != nil {
			return done, err
		}
		m, err := dst.Write(b)
		done += int64(m)
		if err == nil && m < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func copyFile(dst io.ReaderFrom, src *os.File, offset, n int64) (int64, error) {
	if _, err := src.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	done, err := dst.ReadFrom(&io.LimitedReader{R: src, N: n})
	if err == nil && done < n {
		err = io.ErrUnexpectedEOF
	}
	return done, err
}

var errPart error = &dumpfmt.FormatError{Offset: -1, Err: errors.New("not a part of a joined stream")}

// Cut takes a part out of a joined stream again and writes the data that was
// joined, bit for bit: the body of a Layout (its Header and Tail make a file of
// it), or the deflate data of a Member. base is the offset of the stream in
// src. If src is an *os.File, its own read offset is moved. A part that cannot
// be is an error, data that is not the part's is not noticed.
func Cut(dst io.Writer, src io.ReaderAt, base int64, part Part) error {
	start, n := base+part.Offset, (part.Bits+7)/8
	if part.Offset < 0 || part.Bits < 0 || n > part.Size || part.Last >= 0 && part.Last > part.Bits-minBlock ||
		part.Padding&(1<<((part.Bits+7)%8+1)-1) != 0 {
		return errPart
	}
	c := cutter{dst: dst, src: src, start: start, buf: make([]byte, min(copyBuffer, n))}
	if part.Last >= 0 {
		c.copy(part.Last / 8)
		c.patch(1 << (part.Last % 8))
	}
	if part.Padding != 0 {
		c.copy(n - 1)
		c.patch(part.Padding)
	}
	c.copy(n)
	if c.err != nil {
		return fmt.Errorf("copy compressed data: %w", c.err)
	}
	return nil
}

// A cutter copies a range of src and changes some bytes on the way.
type cutter struct {
	dst   io.Writer
	src   io.ReaderAt
	start int64 // of the range in src
	done  int64 // bytes of it written
	buf   []byte
	err   error
}

// copy copies up to an offset of the range.
func (c *cutter) copy(end int64) {
	if c.err == nil {
		_, c.err = copyRange(c.dst, c.src, c.start+c.done, end-c.done, c.buf)
		c.done = end
	}
}

// patch copies one byte and sets bits in it.
func (c *cutter) patch(set byte) {
	var b [1]byte
	if c.err == nil {
		c.err = readFull(c.src, b[:], c.start+c.done)
	}
	if c.err == nil {
		b[0] |= set
		_, c.err = c.dst.Write(b[:])
		c.done++
	}
}
