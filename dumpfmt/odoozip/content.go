package odoozip

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"odx/dumpfmt/deflate"
)

var (
	errOtherHeader = errors.New("local header and directory do not agree")
	errCRC         = errors.New("CRC-32 does not match")
	errOverlap     = errors.New("overlaps what follows it")
	errLong        = errors.New("more text than the directory says")
	errClosed      = errors.New("member is closed")
)

// Raw gives the data of a member as it lies in the file, compressed or stored,
// after looking at the local header. Its Outer has the offset in the file.
func (r *Reader) Raw(m *Member) (*io.SectionReader, error) {
	offset, err := r.dataOffset(m)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(r.src, offset, m.Size), nil
}

// dataOffset reads a member's local header, holds it against the directory and
// gives the offset of what follows it.
func (r *Reader) dataOffset(m *Member) (int64, error) {
	name, limit := m.Name(), r.limit(m)
	// Enough for the names and extra fields that there are in practice.
	b := make([]byte, min(localLen+int64(len(name))+64, limit-m.Offset))
	if err := r.src.read(b, m.Offset, memberField(name)); err != nil {
		return 0, err
	}
	h := parseLocal(b)
	if h.sig != localSig {
		return 0, r.src.damaged(m.Offset, memberField(name), errSignature)
	}
	if h.nameLen != len(name) || string(b[localLen:localLen+h.nameLen]) != name {
		return 0, r.src.damaged(m.Offset, memberField(name), fmt.Errorf("%w: another name", errOtherHeader))
	}
	offset := m.Offset + localLen + int64(h.nameLen+h.extraLen)
	if offset > limit-m.Size {
		return 0, r.src.damaged(m.Offset, memberField(name), errOverlap)
	}
	extra := b[localLen+h.nameLen:]
	if len(extra) < h.extraLen {
		extra = make([]byte, h.extraLen)
		if err := r.src.read(extra, offset-int64(h.extraLen), memberField(name)); err != nil {
			return 0, err
		}
	}
	if what := h.differs(m, extra[:h.extraLen]); what != "" {
		return 0, r.src.damaged(m.Offset, memberField(name), fmt.Errorf("%w: another %s", errOtherHeader, what))
	}
	return offset, nil
}

// differs names a field of a local header that is not as the directory has it.
// Where a data descriptor follows, CRC-32 and sizes are not known there.
func (h *header) differs(m *Member, extra []byte) string {
	const mustAgree = flagEncrypted | flagDescriptor | flagPatch | flagStrong | flagHiddenDirectory
	switch {
	case h.method != uint16(m.Method):
		return "method"
	case (h.flags^m.Flags)&mustAgree != 0:
		return "set of flags"
	case m.Flags&flagDescriptor != 0:
		return ""
	case !h.widen(extra) || int64(h.size) != m.Size || int64(h.length) != m.Length:
		return "size"
	case h.crc != m.CRC:
		return "CRC-32"
	}
	return ""
}

// Open gives the text of a member. The end of it is io.EOF only if length and
// CRC-32 are those of the directory and all of the data was needed; anything
// else is a *dumpfmt.FormatError. The caller closes it; it holds some 550 KB of
// memory until then.
func (r *Reader) Open(m *Member) (io.ReadCloser, error) { return r.OpenBlocks(m, nil) }

// OpenBlocks is Open that tells of the blocks of deflated data as they are read,
// as deflate.NewInflater does; of a stored member there are none.
func (r *Reader) OpenBlocks(m *Member, blocks func(deflate.Block)) (io.ReadCloser, error) {
	raw, err := r.Raw(m)
	if err != nil {
		return nil, err
	}
	_, offset, _ := raw.Outer()
	c := &content{m: m, src: &r.src, offset: offset, raw: &rawReader{r: raw}}
	c.text = c.raw
	if m.Method == Deflate {
		c.inflater = inflaters.Get().(*deflate.Inflater)
		c.inflater.Reset(c.raw, blocks)
		c.text = c.inflater
	}
	return c, nil
}

// inflaters are kept for the next member.
var inflaters = sync.Pool{New: func() any { return deflate.NewInflater(nil, nil) }}

// A rawReader reads the data of a member and remembers what went wrong with
// the file, to tell it from what is wrong with the data.
type rawReader struct {
	r   *io.SectionReader
	at  int64
	err error
}

// Read implements io.Reader.
func (r *rawReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.at += int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// A content is the text of a member being read.
type content struct {
	m        *Member
	src      *source
	offset   int64 // of the data in the file
	raw      *rawReader
	inflater *deflate.Inflater // nil if stored
	text     io.Reader
	crc      uint32
	done     int64 // bytes of text
	err      error
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.text.Read(p)
	if left := c.m.Length - c.done; int64(n) > left {
		n, err = int(left), errLong
	}
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	c.done += int64(n)
	if err != nil {
		c.err = c.finish(err)
	}
	return n, c.err
}

// finish gives the error that reading ends with, for an error of the text.
func (c *content) finish(err error) error {
	if c.raw.err != nil {
		return c.src.failed(c.raw.err)
	}
	if err == io.EOF {
		switch left := c.unread(); {
		case c.inflater != nil && left > 0:
			err = fmt.Errorf("%d bytes of data are left over", left)
		case c.done != c.m.Length:
			err = io.ErrUnexpectedEOF
		case c.crc != c.m.CRC:
			err = errCRC
		default:
			return io.EOF
		}
	}
	return c.src.damaged(c.offset+c.m.Size-c.unread(), memberField(c.m.Name()), err)
}

// unread is how much of the data has not been used.
func (c *content) unread() int64 {
	if c.inflater != nil {
		return c.m.Size - c.inflater.InputOffset()
	}
	return c.m.Size - c.raw.at
}

// Close gives back the memory. It does not look at what was not read.
func (c *content) Close() error {
	if c.inflater != nil {
		c.inflater.Reset(nil, nil)
		inflaters.Put(c.inflater)
		c.inflater, c.text = nil, nil
	}
	if c.err == nil || c.err == io.EOF {
		c.err = errClosed
	}
	return nil
}
