package deflate

import (
	"errors"
	"fmt"
	"io"
)

// A Member says where the parts of a gzip member are. Offsets and lengths are
// in bytes unless said otherwise.
type Member struct {
	Offset int64 // of the member's header in the file
	Header Header
	Last   int64  // offset of the last block's first bit, in bits of the deflate data
	Bits   int64  // length of the deflate data, in bits
	CRC    uint32 // of the text, as the trailer has it
	Length int64  // of the text, counted; the trailer's is this modulo 2^32
}

// Data is the offset of the member's deflate data in the file.
func (m Member) Data() int64 { return m.Offset + m.Header.Len }

// DataLen is the length of the member's deflate data, its last byte included
// even if it is used in part.
func (m Member) DataLen() int64 { return (m.Bits + 7) / 8 }

// End is the offset of the first byte after the member.
func (m Member) End() int64 { return m.Data() + m.DataLen() + trailerLen }

// trailerLen is the length of a gzip member's CRC-32 and ISIZE.
const trailerLen = 8

var (
	errPadding = errors.New("bytes that are not zero")
	errNoFile  = errors.New("empty file")
)

// A Walker finds the members of a gzip file and the ends of their data. It
// decodes the Huffman codes but makes no text: it is several times as fast as
// decompressing. It holds about 300 KiB of memory whatever the file.
//
// A Walker checks all that can be checked without the text: headers, codes,
// distances and the length in the trailer, but not the CRC-32. It may not be
// used from several goroutines at once.
type Walker struct {
	s    stream
	some bool  // a member has been read
	err  error // of the Next before
}

// NewWalker returns a Walker of the gzip file r. It reads ahead.
func NewWalker(r io.Reader) *Walker {
	return &Walker{s: stream{bitReader: newBitReader(r)}}
}

// Reset makes the Walker start again with another file, reusing its memory.
func (w *Walker) Reset(r io.Reader) {
	buf := w.s.buf
	*w.s.bitReader = bitReader{src: r, buf: buf}
	w.some, w.err = false, nil
}

// Next goes past the next member. After the last one, and the zeros that may
// pad it, the error is io.EOF. A file without any member is damaged, as is one
// with other bytes at its end. Damage is a *dumpfmt.FormatError with the offset
// in the file, errors of the reader are returned as they are; either is final.
func (w *Walker) Next() (Member, error) {
	if w.err != nil {
		return Member{}, w.err
	}
	var m Member
	field, err := w.next(&m)
	if err == nil {
		w.some = true
		return m, nil
	}
	if err != io.EOF {
		err = located(err, w.s.bitOffset()/8, field)
	}
	w.err = err
	return Member{}, err
}

// next reads one member and returns what it was reading.
func (w *Walker) next(m *Member) (field string, err error) {
	s := &w.s
	if field, err = w.start(); err != nil {
		return field, err
	}
	m.Offset = s.bitOffset() / 8
	p := headerReader{next: s.readByte}
	if m.Header, err = p.read(); err != nil {
		return headerField, err
	}
	data := s.bitOffset()
	last, end, err := s.walk()
	if err != nil {
		return dataField, err
	}
	s.align()
	m.Last, m.Bits, m.Length = last-data, end-data, s.out
	if m.CRC, err = s.readUint32(); err != nil {
		return trailerField, err
	}
	size, err := s.readUint32()
	if err != nil {
		return trailerField, err
	}
	if size != uint32(s.out) {
		return trailerField, fmt.Errorf("length %d, but the data is %d bytes long", size, uint32(s.out))
	}
	return "", nil
}

// start goes to the header of the next member. It returns io.EOF if there is
// none and nothing else either.
func (w *Walker) start() (field string, err error) {
	s := w.s.bitReader
	if s.pos == s.end && !s.fill() {
		if err := s.short(); err != io.ErrUnexpectedEOF {
			return headerField, err
		}
		if !w.some {
			return headerField, errNoFile
		}
		return "", io.EOF
	}
	if !w.some || s.buf[s.pos] != 0 {
		return headerField, nil
	}
	// Tapes and block devices leave zeros behind the last member.
	for s.pos < s.end || s.fill() {
		if s.buf[s.pos] != 0 {
			return paddingField, errPadding
		}
		s.pos++
	}
	if err := s.short(); err != io.ErrUnexpectedEOF {
		return paddingField, err
	}
	return "", io.EOF
}
