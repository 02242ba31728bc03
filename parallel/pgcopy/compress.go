package pgcopy

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"odx/dumpfmt/deflate"
	"odx/dumpfmt/pgarchive"
)

// Compression is how text is compressed.
type Compression struct {
	Method pgarchive.Compression // None, Gzip or Zstd
	Level  int                   // of gzip 1 to 9, of zstd 1 to 22
}

// Text in one piece. Pieces of zstd are frames of their own, which cost more
// than those of deflate. What is not compressed stays in a processor's cache
// until it is written.
const (
	plainPieceText = 128 << 10
	gzipPieceText  = deflate.DefaultPieceSize
	zstdPieceText  = 4 << 20
)

// pieceSize is the text of a piece in bytes.
func (c Compression) pieceSize() int {
	switch c.Method {
	case pgarchive.Gzip:
		return gzipPieceText
	case pgarchive.Zstd:
		return zstdPieceText
	}
	return plainPieceText
}

// coder makes pieces, one at a time. A piece is the coder's until the next.
type coder interface {
	piece(text []byte) (Piece, error)
}

func (c Compression) newCoder() (coder, error) {
	switch c.Method {
	case pgarchive.None:
		return plainCoder{}, nil
	case pgarchive.Gzip:
		e, err := deflate.NewEncoder(c.Level)
		return &gzipCoder{encoder: e}, err
	case pgarchive.Zstd:
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true),
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(c.Level)))
		return &zstdCoder{encoder: e}, err
	}
	return nil, fmt.Errorf("rows cannot be compressed with %s", c.Method)
}

type plainCoder struct{}

func (plainCoder) piece(text []byte) (Piece, error) {
	return Piece{Data: text, Length: int64(len(text))}, nil
}

type gzipCoder struct {
	encoder *deflate.Encoder
	out     bytes.Buffer
}

func (c *gzipCoder) piece(text []byte) (Piece, error) {
	crc, err := c.encoder.Piece(&c.out, text)
	return Piece{Data: c.out.Bytes(), CRC: crc, Length: int64(len(text))}, err
}

type zstdCoder struct {
	encoder *zstd.Encoder
	out     []byte
}

func (c *zstdCoder) piece(text []byte) (Piece, error) {
	c.out = c.encoder.EncodeAll(text, c.out[:0])
	return Piece{Data: c.out, Length: int64(len(text))}, nil
}
