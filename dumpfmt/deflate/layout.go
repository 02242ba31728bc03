package deflate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"odx/dumpfmt"
)

// ErrNotPieces is returned by ReadLayout for a file that Writer did not write.
var ErrNotPieces = errors.New("not gzip in pieces")

const (
	syncEnd    = "\x00\x00\xff\xff" // how every piece ends
	finalBlock = "\x03\x00"         // the empty block at the end of a stream

	// longHeader begins the empty member with the length of a long text.
	longHeader = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff" + "\x0c\x00" + "OL\x08\x00"
	longEnd    = finalBlock + "\x00\x00\x00\x00\x00\x00\x00\x00"

	shortTail = len(finalBlock) + trailerLen
	longTail  = shortTail + len(longHeader) + 8 + len(longEnd)

	// longText is the first length that ISIZE cannot tell from a shorter one.
	longText = 1 << 32

	// maxRatio is more than any deflate stream expands to: 258 bytes of text
	// take two bits at least.
	maxRatio = 1032
)

// A Layout says what parts a file written by Writer has: a header of HeaderLen
// bytes, BodyLen bytes that can be joined as they are, and a tail of TailLen
// bytes.
type Layout struct {
	HeaderLen int64
	BodyLen   int64
	TailLen   int64
	CRC       uint32 // CRC-32 of the text
	Length    int64  // of the text, in bytes
}

// NewLayout returns the layout of a file whose body has so many bytes and
// holds so many bytes of text with that CRC-32.
func NewLayout(bodyLen int64, crc uint32, length int64) Layout {
	l := Layout{HeaderLen: int64(len(piecesHeader)), BodyLen: bodyLen, CRC: crc, Length: length}
	l.TailLen = int64(len(l.Tail()))
	return l
}

// Header returns the bytes before the body: the same for all files.
func (l Layout) Header() []byte { return []byte(piecesHeader) }

// Tail returns the bytes after the body, which CRC and Length determine.
func (l Layout) Tail() []byte {
	tail := binary.LittleEndian.AppendUint32([]byte(finalBlock), l.CRC)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(l.Length))
	if l.Length < longText {
		return tail
	}
	tail = append(tail, longHeader...)
	tail = binary.LittleEndian.AppendUint64(tail, uint64(l.Length))
	return append(tail, longEnd...)
}

// ReadLayout reads the layout of a gzip file of the given size from its first
// and last bytes. The error is ErrNotPieces if Writer did not write the file;
// then, and for damaged files, Walker has more to say. Damage to the head or the
// tail, such as a file cut short, is a *dumpfmt.FormatError; damage to the
// body, or two such files in one, is not seen here.
func ReadLayout(src io.ReaderAt, size int64) (Layout, error) {
	head := make([]byte, len(piecesHeader))
	if size < int64(len(head)) {
		return Layout{}, ErrNotPieces
	}
	if err := readFull(src, head, 0); err != nil {
		return Layout{}, err
	}
	if string(head) != piecesHeader {
		return Layout{}, ErrNotPieces
	}
	l, err := readTail(src, size)
	if err != nil {
		return Layout{}, err
	}
	return l, l.check(src)
}

// readTail reads what a file of pieces ends with.
func readTail(src io.ReaderAt, size int64) (Layout, error) {
	buf := make([]byte, min(int64(longTail), size-int64(len(piecesHeader))))
	if len(buf) < shortTail {
		return Layout{}, damaged(size, io.ErrUnexpectedEOF)
	}
	if err := readFull(src, buf, size-int64(len(buf))); err != nil {
		return Layout{}, err
	}
	tail := buf[len(buf)-shortTail:]
	length := int64(binary.LittleEndian.Uint32(tail[len(tail)-4:]))
	if long := buf[shortTail:]; len(buf) == longTail && string(long[:len(longHeader)]) == longHeader &&
		string(long[len(long)-len(longEnd):]) == longEnd {
		tail = buf
		length = int64(binary.LittleEndian.Uint64(long[len(longHeader):]))
	}
	crc := binary.LittleEndian.Uint32(tail[len(finalBlock):])
	l := NewLayout(size-int64(len(piecesHeader)+len(tail)), crc, length)
	if string(l.Tail()) != string(tail) {
		return Layout{}, damaged(size-int64(len(tail)), errors.New("not the end of gzip in pieces"))
	}
	return l, nil
}

// check looks for what no file written in full can have.
func (l Layout) check(src io.ReaderAt) error {
	end := l.HeaderLen + l.BodyLen
	if l.BodyLen == 0 {
		if l.Length == 0 && l.CRC == 0 {
			return nil
		}
		return damaged(end, fmt.Errorf("%d bytes of text in no data", l.Length))
	}
	if l.Length/maxRatio > l.BodyLen || l.Length == 0 {
		return damaged(end, fmt.Errorf("%d bytes of text in %d bytes of data", l.Length, l.BodyLen))
	}
	last := make([]byte, len(syncEnd))
	if l.BodyLen < int64(len(last)) {
		return damaged(end, io.ErrUnexpectedEOF)
	}
	if err := readFull(src, last, end-int64(len(last))); err != nil {
		return err
	}
	if string(last) != syncEnd {
		return damaged(end, errors.New("the last piece has no end"))
	}
	return nil
}

// damaged returns the error of a tail that is not as it should be.
func damaged(offset int64, err error) error {
	return &dumpfmt.FormatError{Offset: offset, Field: trailerField, Err: err}
}

// readFull fills b from an offset of src. Too few bytes there mean that the
// file is not as long as its size says.
func readFull(src io.ReaderAt, b []byte, offset int64) error {
	n, err := src.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
