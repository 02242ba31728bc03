package convert

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"odx/dumpfmt/deflate"
	"odx/dumpfmt/pgarchive"
)

// Compression is how data files are written.
type Compression struct {
	Method pgarchive.Compression
	Level  int // of gzip 1 to 9, of lz4 0 to 9, of zstd 1 to 22
}

// DefaultCompression is gzip at its fastest level: what every pg_restore reads,
// and what can be joined into a zip without being decoded.
var DefaultCompression = Compression{Method: pgarchive.Gzip, Level: 1}

// ParseCompression reads METHOD or METHOD:LEVEL as pg_dump's --compress takes
// it; a number alone is a level of gzip, 0 no compression.
func ParseCompression(text string) (Compression, error) {
	method, level, hasLevel := strings.Cut(text, ":")
	if _, err := strconv.Atoi(text); err == nil {
		method, level, hasLevel = "gzip", text, true
		if text == "0" {
			return Compression{}, nil
		}
	}
	var c Compression
	var lowest, highest int
	switch method {
	case "none":
		if !hasLevel {
			return c, nil
		}
		return c, fmt.Errorf("compression %q: none takes no level", text)
	case "gzip":
		c, lowest, highest = Compression{pgarchive.Gzip, 1}, 1, 9
	case "lz4":
		c, lowest, highest = Compression{pgarchive.LZ4, 0}, 0, 9
	case "zstd":
		c, lowest, highest = Compression{pgarchive.Zstd, 3}, 1, 22
	default:
		return c, fmt.Errorf("compression %q: the methods are none, gzip, lz4 and zstd", text)
	}
	if !hasLevel {
		return c, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(level, "level="))
	if err != nil || n < lowest || n > highest {
		return c, fmt.Errorf("compression %q: %s has levels %d to %d", text, method, lowest, highest)
	}
	c.Level = n
	return c, nil
}

// String gives the text that ParseCompression reads.
func (c Compression) String() string {
	if c.Method == pgarchive.None || c.Method == pgarchive.LZ4 && c.Level == 0 {
		return c.Method.String()
	}
	return fmt.Sprintf("%s:%d", c.Method, c.Level)
}

// setHeader writes the compression into the header of an archive. Versions
// before 1.15 have a level of gzip only; readers go by the files' names.
func (c Compression) setHeader(h *pgarchive.Header) {
	h.Algorithm, h.Level = c.Method, -1
	if c.Method == pgarchive.None {
		h.Level = 0
	}
}

// encoder compresses one stream after the other.
type encoder interface {
	io.WriteCloser
	// Reset starts a stream that is written to w.
	Reset(w io.Writer)
}

// newEncoder makes an encoder that uses up to so many cores.
func (c Compression) newEncoder(jobs int) (encoder, error) {
	switch c.Method {
	case pgarchive.Gzip:
		return deflate.NewWriter(io.Discard, deflate.Options{Level: c.Level, Jobs: jobs})
	case pgarchive.Zstd:
		return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(jobs), zstd.WithZeroFrames(true),
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(c.Level)))
	case pgarchive.LZ4:
		w := lz4.NewWriter(io.Discard)
		return w, w.Apply(lz4.ConcurrencyOption(jobs), lz4.CompressionLevelOption(lz4Levels[c.Level]))
	}
	return &plainEncoder{}, nil
}

var lz4Levels = [...]lz4.CompressionLevel{lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4,
	lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9}

// plainEncoder writes what it is given.
type plainEncoder struct{ w io.Writer }

func (e *plainEncoder) Write(p []byte) (int, error) { return e.w.Write(p) }
func (e *plainEncoder) Reset(w io.Writer)           { e.w = w }
func (e *plainEncoder) Close() error                { return nil }
