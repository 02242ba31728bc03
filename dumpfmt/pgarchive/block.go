package pgarchive

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"odx/dumpfmt"
)

// The types of blocks in a custom-format file.
const (
	blockData         = 1
	blockLargeObjects = 3
)

// blockReader reads the blocks of a custom-format file from some offset on.
// Its errors about the content are a *dumpfmt.FormatError.
type blockReader struct {
	name    string // of the file, for errors
	field   string // what is being read, for errors
	file    io.ReaderAt
	size    int64 // of the file
	end     int64 // where the next block starts, or the file ends
	pos     int64 // of the next byte
	br      *bufio.Reader
	intSize int
	number  [1 + 8]byte
}

func newBlockReader(c *customFile, file io.ReaderAt, pos int64) *blockReader {
	b := &blockReader{name: c.name, file: file, size: c.size, end: c.size, intSize: c.intSize}
	b.br = bufferPool.Get().(*bufio.Reader)
	b.seek(pos)
	return b
}

func (b *blockReader) seek(pos int64) {
	b.pos = pos
	b.br.Reset(io.NewSectionReader(b.file, pos, max(b.size-pos, 0)))
}

// release gives the buffer back. The reader must not be used after it.
func (b *blockReader) release() {
	b.br.Reset(nil)
	bufferPool.Put(b.br)
	b.br = nil
}

func (b *blockReader) failf(offset int64, format string, args ...any) error {
	return &dumpfmt.FormatError{Path: b.name, Offset: offset, Field: b.field, Err: fmt.Errorf(format, args...)}
}

// tooShort says that the file ends within what starts at offset, unless err is
// another error.
func (b *blockReader) tooShort(offset int64, err error) error {
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	return b.failf(offset, "file ends after %d bytes: %w", b.size, io.ErrUnexpectedEOF)
}

// int reads an integer as wireReader.rawInt does.
func (b *blockReader) int(what string) (int64, error) {
	start := b.pos
	p := b.number[:1+b.intSize]
	n, err := io.ReadFull(b.br, p)
	b.pos += int64(n)
	if err != nil {
		return 0, b.tooShort(start, err)
	}
	var v uint64
	for i := b.intSize; i > 0; i-- {
		v = v<<8 | uint64(p[i])
	}
	switch {
	case p[0] > 1, v > math.MaxInt32 && (p[0] == 0 || v > -math.MinInt32):
		return 0, b.failf(start, "%s is not a number", what)
	case p[0] == 1:
		return -int64(v), nil
	}
	return int64(v), nil
}

// header reads what starts a block: its type and the ID of its entry. At the
// end of the file it gives io.EOF.
func (b *blockReader) header() (kind byte, id DumpID, err error) {
	start := b.pos
	if kind, err = b.br.ReadByte(); err != nil {
		return 0, 0, err
	}
	b.pos++
	if kind != blockData && kind != blockLargeObjects {
		return 0, 0, b.failf(start, "block of type %d", kind)
	}
	v, err := b.int("dump ID")
	return kind, DumpID(v), err
}

// oid reads the OID of the next large object, 0 after the last one. OIDs above
// 2^31 are written as negative numbers.
func (b *blockReader) oid() (uint32, error) {
	v, err := b.int("OID of a large object")
	return uint32(int32(v)), err
}

// chunk reads the length of the next piece of a stream, 0 after the last one.
func (b *blockReader) chunk() (int64, error) {
	start := b.pos
	n, err := b.int("length of a chunk")
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, b.failf(start, "chunk of %d bytes", n)
	case n > b.size-b.pos:
		return 0, b.failf(start, "chunk of %d bytes, but only %d left: %w", n, b.size-b.pos, io.ErrUnexpectedEOF)
	case n > b.end-b.pos:
		return 0, b.failf(start, "chunk of %d bytes, but the next block starts at %d", n, b.end)
	}
	return n, nil
}

// skipStream passes over the rest of a stream.
func (b *blockReader) skipStream() error {
	for {
		n, err := b.chunk()
		if err != nil || n == 0 {
			return err
		}
		if n > int64(b.br.Buffered()) {
			b.seek(b.pos + n)
			continue
		}
		if _, err := b.br.Discard(int(n)); err != nil {
			return err
		}
		b.pos += n
	}
}

// skipBlock passes over the rest of a block of which the header was read.
func (b *blockReader) skipBlock(kind byte) error {
	if kind == blockData {
		return b.skipStream()
	}
	for {
		oid, err := b.oid()
		if err != nil || oid == 0 {
			return err
		}
		if err := b.skipStream(); err != nil {
			return err
		}
	}
}

// chunkReader joins the chunks of one stream. Read gives io.EOF after the
// chunk of length 0 that ends it.
type chunkReader struct {
	b    *blockReader
	left int64
	done bool
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if c.left == 0 {
		n, err := c.b.chunk()
		if err != nil {
			return 0, err
		}
		if n == 0 {
			c.done = true
			return 0, io.EOF
		}
		c.left = n
	}
	n, err := c.b.br.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.b.pos += int64(n)
	if err != nil {
		return n, c.b.tooShort(c.b.pos, err)
	}
	return n, nil
}
