package pgarchive

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"odx/dumpfmt"
)

// encoding is how a stream of data is stored. Custom-format files keep gzip as
// zlib streams, without gzip's header.
type encoding uint8

const (
	plain encoding = iota
	gzipFile
	zlibStream
	lz4Frames
	zstdFrames
)

func (e encoding) String() string {
	return [...]string{"plain", "gzip", "zlib", "lz4", "zstd"}[e]
}

func fileEncoding(c Compression) encoding {
	return [...]encoding{plain, gzipFile, lz4Frames, zstdFrames}[c]
}

func blockEncoding(c Compression) encoding {
	return [...]encoding{plain, zlibStream, lz4Frames, zstdFrames}[c]
}

// sourceBuffer is what is read from a file at once.
const sourceBuffer = 128 << 10

// Decoders and buffers are used again: an archive has thousands of small
// files, and each decoder is worth more than such a file's content.
var (
	bufferPool = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, sourceBuffer) }}
	gzipPool   = sync.Pool{New: func() any { return new(gzipMembers) }}
	zstdPool   = sync.Pool{New: func() any { return newZstd() }}
)

func newZstd() *zstd.Decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(dumpfmt.MaxZstdWindow))
	if err != nil {
		panic("odx: internal error: zstd options: " + err.Error())
	}
	return d
}

// dataReader gives the decoded bytes of one stream. At the end it makes sure
// that the stream is whole and that nothing follows it: io.EOF from Read means
// that everything was there.
type dataReader struct {
	path   string
	field  string // what the stream is, where it is not the whole file
	start  int64  // where it starts in the file
	closer io.Closer
	enc    encoding
	empty  bool // no bytes at all are no data rather than an error
	src    *source
	br     *bufio.Reader
	dec    io.Reader
	err    error

	sum  hash.Hash // of the whole file; nil if it does not matter
	want string    // what sum is to be, in hexadecimal digits
}

// newDataReader reads the stream that is the whole of r. It takes closer over.
func newDataReader(r io.Reader, closer io.Closer, path string, enc encoding) *dataReader {
	d := &dataReader{path: path, closer: closer, enc: enc, src: &source{r: r}}
	d.br = bufferPool.Get().(*bufio.Reader)
	d.br.Reset(d.src)
	return d
}

// hold has the end of the stream, which is a file, depend on its SHA-256.
func (d *dataReader) hold(want string) {
	d.sum, d.want = sha256.New(), want
	d.src.r = io.TeeReader(d.src.r, d.sum)
}

// held tells whether the file is the one that it ought to be.
func (d *dataReader) held() error {
	if d.sum == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, d.src); err != nil { // what the decoder did not need
		return err
	}
	if hex.EncodeToString(d.sum.Sum(nil)) != d.want {
		return &dumpfmt.FormatError{Path: d.path, Offset: -1, Err: dumpfmt.ErrDigest}
	}
	return nil
}

// open makes the decoder. It reads from the source. Its error is io.EOF only
// if the stream is empty and may be.
func (d *dataReader) open() error {
	if _, err := d.br.Peek(1); err == io.EOF && d.enc != plain && !d.empty {
		return fmt.Errorf("no bytes at all: %w", io.ErrUnexpectedEOF)
	} else if err != nil {
		return err
	}
	switch d.enc {
	case plain:
		d.dec = d.br
	case gzipFile:
		gz := gzipPool.Get().(*gzipMembers)
		d.dec = gz
		return gz.reset(d.br)
	case zlibStream:
		z, err := zlib.NewReader(d.br)
		if err != nil {
			return err
		}
		d.dec = z
	case lz4Frames:
		l := lz4.NewReader(&lz4Source{br: d.br})
		d.dec = l
		return l.Apply(lz4.ConcurrencyOption(1))
	case zstdFrames:
		z := zstdPool.Get().(*zstd.Decoder)
		d.dec = z
		return z.Reset(d.br)
	}
	return nil
}

// Read implements io.Reader. Errors about the content are a
// *dumpfmt.FormatError.
func (d *dataReader) Read(p []byte) (int, error) {
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	if d.dec == nil {
		if err := d.open(); err != nil {
			d.err = d.end(err)
			return 0, d.err
		}
	}
	n, err := d.dec.Read(p)
	if err == io.EOF {
		err = d.finish()
	}
	if err != nil {
		d.err = d.end(err)
	}
	return n, d.err
}

// end gives what reading ends with, for what it has met.
func (d *dataReader) end(err error) error {
	if err = d.translate(err); err == io.EOF {
		if wrong := d.held(); wrong != nil {
			return wrong
		}
	}
	return err
}

// finish looks behind the end of the decoded stream. The readers of gzip, lz4 and
// zstd go on with the next member or frame and fail if there is none; a zlib
// stream ends where it ends.
func (d *dataReader) finish() error {
	if d.enc != zlibStream {
		return io.EOF
	}
	if _, err := d.br.ReadByte(); err != nil {
		return err
	}
	return errors.New("more data after the end of the zlib stream")
}

// translate tells errors of the content from those of the source.
func (d *dataReader) translate(err error) error {
	switch {
	case d.src.err != nil:
		return d.src.err
	case err == io.EOF:
		return io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%s data end too early: %w", d.enc, io.ErrUnexpectedEOF)
	case errors.Is(err, gzip.ErrHeader) && d.dec != nil, errors.Is(err, zstd.ErrMagicMismatch):
		err = fmt.Errorf("no %s data at this place: %w", d.enc, err)
	}
	offset := d.start // pieces of other streams may lie between
	if d.field == "" {
		offset += d.src.n - int64(d.br.Buffered())
	}
	return &dumpfmt.FormatError{Path: d.path, Offset: offset, Field: d.field, Err: err}
}

// Close releases the decoder and closes the file. It does not say whether the
// data were whole: only reading to the end does.
func (d *dataReader) Close() error {
	if d.br == nil {
		return nil
	}
	switch z := d.dec.(type) {
	case *gzipMembers:
		gzipPool.Put(z)
	case *zstd.Decoder:
		if z.Reset(nil) == nil {
			zstdPool.Put(z)
		}
	}
	d.br.Reset(nil)
	bufferPool.Put(d.br)
	d.br, d.dec = nil, nil
	if d.err == nil {
		d.err = errClosed
	}
	if d.closer == nil {
		return nil
	}
	return d.closer.Close()
}

var errClosed = errors.New("read after close")

// gzipMembers decodes one gzip member after the other. Zeros may follow the last:
// tapes and block devices leave them, and zlib passes over them.
type gzipMembers struct {
	gz gzip.Reader
	br *bufio.Reader
}

func (g *gzipMembers) reset(br *bufio.Reader) error {
	g.br = br
	return g.next()
}

func (g *gzipMembers) next() error {
	if err := g.gz.Reset(g.br); err != nil {
		return err
	}
	g.gz.Multistream(false)
	return nil
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := g.gz.Read(p)
		switch {
		case err != io.EOF:
			return n, err
		case n > 0:
			return n, nil
		}
		if next, err := g.br.Peek(1); err == nil && next[0] == 0 {
			return 0, g.zeros()
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// zeros reads the rest. Its error is io.EOF if nothing else is there.
func (g *gzipMembers) zeros() error {
	for {
		switch b, err := g.br.ReadByte(); {
		case err != nil:
			return err
		case b != 0:
			return gzip.ErrHeader
		}
	}
}

// legacyLZ4 starts an lz4 frame of the kind before the present one, which neither
// pg_dump nor pg_restore knows.
const legacyLZ4 = "\x02\x21\x4c\x18"

var errLegacyLZ4 = errors.New("lz4 frames of the legacy kind")

// lz4Source keeps starts of legacy frames in a row from the lz4 library, which
// calls itself for each of them until the stack is full. The library takes them
// by reads of four bytes. Among frames of the present kind no two such reads in a
// row give these bytes: they can be a checksum or the whole of a short block,
// but what comes next is the length of a block, for which they are too much, or
// the start of a frame.
type lz4Source struct {
	br       *bufio.Reader
	isLegacy bool // the last read gave such a start
}

func (s *lz4Source) Read(p []byte) (int, error) {
	before := s.isLegacy
	s.isLegacy = false
	if len(p) == len(legacyLZ4) {
		next, err := s.br.Peek(len(p)) // Read may give them in pieces
		if err != nil && err != io.EOF {
			return 0, err
		}
		s.isLegacy = string(next) == legacyLZ4
	}
	if before && s.isLegacy {
		return 0, errLegacyLZ4
	}
	return s.br.Read(p)
}

// source counts what the decoder takes and keeps an error that is not the end:
// decoders wrap or hide it.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
