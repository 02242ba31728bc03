package deflate

import (
	"bufio"
	"errors"
	"hash/crc32"
	"io"

	"odx/dumpfmt"
)

// Flags of a gzip header, RFC 1952 section 2.3.1.
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
	flagReserved  = 0xe0
)

// piecesHeader begins every file that Writer writes.
const piecesHeader = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff" + "\x05\x00" + piecesMark

// piecesMark is the subfield of the header that says that a member is made of
// pieces: ID, length of the data, version.
const piecesMark = "OX\x01\x00\x01"

var (
	errMagic     = errors.New("not gzip")
	errMethod    = errors.New("compression method other than deflate")
	errFlags     = errors.New("reserved flags are set")
	errHeaderCRC = errors.New("CRC-16 of the header does not match")
)

// What is being read, for errors.
const (
	headerField  = "gzip header"
	dataField    = "deflate data"
	trailerField = "gzip trailer"
	paddingField = "padding after the last gzip member"
)

// A Header is what matters here of the header of a gzip member.
type Header struct {
	Len    int64 // its length in bytes
	Pieces bool  // the mark of Writer is in it; ReadLayout says more
}

// ReadHeader reads the header of a gzip member. It takes no more than that from
// r if r is an io.ByteReader. Damage is a *dumpfmt.FormatError with the offset
// from the header's start; errors of r are returned as they are.
func ReadHeader(r io.Reader) (Header, error) {
	br, ok := r.(io.ByteReader)
	if !ok {
		br = bufio.NewReaderSize(r, 512)
	}
	p := headerReader{next: func() (byte, error) {
		c, err := br.ReadByte()
		if err == io.EOF {
			return 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, sourceError{err}
		}
		return c, nil
	}}
	h, err := p.read()
	return h, located(err, h.Len, headerField)
}

// A sourceError is what the reader of a file said, on its way to the caller.
type sourceError struct{ error }

// located returns err as the caller is to see it: errors of the file's reader
// as they are, any other as damage at an offset.
func located(err error, offset int64, field string) error {
	if err == nil {
		return nil
	}
	if source, ok := err.(sourceError); ok {
		return source.error
	}
	return &dumpfmt.FormatError{Offset: offset, Field: field, Err: err}
}

// A headerReader reads a gzip header byte by byte.
type headerReader struct {
	next func() (byte, error)
	len  int64
	crc  uint32
}

func (p *headerReader) byte() (byte, error) {
	c, err := p.next()
	if err != nil {
		return 0, err
	}
	p.len++
	p.crc = crc32.Update(p.crc, crc32.IEEETable, []byte{c})
	return c, nil
}

func (p *headerReader) bytes(b []byte) error {
	for i := range b {
		c, err := p.byte()
		if err != nil {
			return err
		}
		b[i] = c
	}
	return nil
}

// read reads the whole header. With an error, Len is what was read of it.
func (p *headerReader) read() (h Header, err error) {
	defer func() { h.Len = p.len }()
	var b [10]byte
	// Piece by piece, so that the error for another kind of file is that it
	// is another kind of file, however short it is.
	if err := p.bytes(b[:2]); err != nil {
		return h, err
	}
	if b[0] != piecesHeader[0] || b[1] != piecesHeader[1] {
		return h, errMagic
	}
	if err := p.bytes(b[2:]); err != nil {
		return h, err
	}
	flags := b[3]
	if b[2] != piecesHeader[2] {
		return h, errMethod
	}
	if flags&flagReserved != 0 {
		return h, errFlags
	}
	if flags&flagExtra != 0 {
		if h.Pieces, err = p.extra(); err != nil {
			return h, err
		}
	}
	return h, p.skipRest(flags)
}

// extra reads the extra field and returns whether the mark is in it.
func (p *headerReader) extra() (pieces bool, err error) {
	var b [2]byte
	if err := p.bytes(b[:]); err != nil {
		return false, err
	}
	left := int(b[0]) | int(b[1])<<8
	for left >= 4 {
		var sub [4]byte
		if err := p.bytes(sub[:]); err != nil {
			return false, err
		}
		n := int(sub[2]) | int(sub[3])<<8
		left -= 4
		data := make([]byte, min(n, left))
		if err := p.bytes(data); err != nil {
			return false, err
		}
		left -= len(data)
		if string(sub[:])+string(data) == piecesMark {
			pieces = true
		}
	}
	// Others do not look into the field, so what is wrong in it is no error.
	return pieces, p.bytes(make([]byte, left))
}

// skipRest goes past the name and the comment and checks the CRC-16.
func (p *headerReader) skipRest(flags byte) error {
	for _, flag := range []byte{flagName, flagComment} {
		if flags&flag == 0 {
			continue
		}
		for {
			c, err := p.byte()
			if err != nil {
				return err
			}
			if c == 0 {
				break
			}
		}
	}
	if flags&flagHeaderCRC == 0 {
		return nil
	}
	want := uint16(p.crc)
	var b [2]byte
	if err := p.bytes(b[:]); err != nil {
		return err
	}
	if uint16(b[0])|uint16(b[1])<<8 != want {
		return errHeaderCRC
	}
	return nil
}
