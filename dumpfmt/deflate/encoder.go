package deflate

import (
	"bytes"
	"hash/crc32"

	"github.com/klauspost/compress/flate"
)

// An Encoder compresses text into pieces, one at a time, for callers that put
// them together themselves: Header of a Layout, the pieces in order, Tail of a
// Layout with their joint size, CRC-32 and length of text. Its memory is the
// tables of an encoder, about 1 MiB.
type Encoder struct {
	flate *flate.Writer
}

// NewEncoder makes an encoder of a level, 1 (fast, what 0 means too) to 9
// (small).
func NewEncoder(level int) (*Encoder, error) {
	opts, err := Options{Level: level}.filled()
	if err != nil {
		return nil, err
	}
	w, err := flate.NewWriter(nil, opts.Level)
	return &Encoder{flate: w}, err
}

// Piece replaces the content of dst by a piece with the text, and returns the
// text's CRC-32. Text in pieces of much less than 100 KiB grows.
func (e *Encoder) Piece(dst *bytes.Buffer, text []byte) (crc uint32, err error) {
	dst.Reset()
	e.flate.Reset(dst)
	if _, err := e.flate.Write(text); err != nil {
		return 0, err
	}
	return crc32.ChecksumIEEE(text), e.flate.Flush()
}
