package pgarchive

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"odx/dumpfmt"
)

// customFile is a custom-format file whose table of contents has been read.
type customFile struct {
	path    string
	name    string // for errors
	size    int64
	tocEnd  int64 // where the blocks start
	intSize int

	mu     sync.Mutex
	spans  map[DumpID]span // found by scan; nil before
	starts []int64         // the offsets in the table of contents, sorted; nil before blockEnd
}

// span is where a block lies.
type span struct {
	start, end int64
}

func (a *Archive) openCustom() error {
	f, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	c := &customFile{path: a.path, name: filepath.Base(a.path), size: info.Size()}
	if a.TOC, c.tocEnd, err = readTOC(f, c.name, c.size); err != nil {
		return err
	}
	h := &a.TOC.Header
	if h.Format != FormatCustom {
		return &dumpfmt.FormatError{Path: c.name, Offset: -1, Field: "header, format",
			Err: fmt.Errorf("table of contents of a %s-format archive: name its folder", h.Format)}
	}
	c.intSize = int(h.IntSize)
	a.custom = c
	a.needs = h.Version.needsMajor()
	return nil
}

// locate gives the offset of the entry's block.
func (c *customFile) locate(t *TOC, e *Entry) (int64, error) {
	if e.Offset.State == OffsetSet {
		return e.Offset.Pos, c.inRange(e)
	}
	spans, err := c.scan(t)
	if err != nil {
		return 0, err
	}
	s, ok := spans[e.ID]
	if !ok {
		return 0, c.missing(e)
	}
	return s.start, nil
}

func (c *customFile) inRange(e *Entry) error {
	if pos := e.Offset.Pos; pos < c.tocEnd || pos >= c.size {
		return &dumpfmt.FormatError{Path: c.name, Offset: -1, Field: e.describe(),
			Err: fmt.Errorf("data offset %d, but data are between %d and %d: %w", pos, c.tocEnd, c.size, io.ErrUnexpectedEOF)}
	}
	return nil
}

func (c *customFile) missing(e *Entry) error {
	return &dumpfmt.FormatError{Path: c.name, Offset: c.size, Field: e.describe(),
		Err: fmt.Errorf("no data in the file: %w", io.ErrUnexpectedEOF)}
}

// scan finds all blocks by walking through the file, once.
func (c *customFile) scan(t *TOC) (map[DumpID]span, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spans != nil {
		return c.spans, nil
	}
	f, err := os.Open(c.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := newBlockReader(c, f, c.tocEnd)
	defer b.release()
	spans, err := walkBlocks(b, t.ByID())
	if err != nil {
		return nil, err
	}
	c.spans = spans
	return spans, nil
}

// walkBlocks reads from block to block up to the end of the file.
func walkBlocks(b *blockReader, byID map[DumpID]*Entry) (map[DumpID]span, error) {
	spans := make(map[DumpID]span)
	for {
		start := b.pos
		b.field = "block"
		kind, id, err := b.header()
		if err == io.EOF {
			return spans, nil
		}
		if err != nil {
			return nil, err
		}
		e, ok := byID[id]
		if !ok || !e.HadDumper {
			return nil, b.failf(start, "dump ID %d is not that of an entry with data", id)
		}
		b.field = e.describe()
		if err := b.checkKind(start, kind, e); err != nil {
			return nil, err
		}
		if _, ok := spans[id]; ok {
			return nil, b.failf(start, "second block")
		}
		if err := b.skipBlock(kind); err != nil {
			return nil, err
		}
		spans[id] = span{start, b.pos}
	}
}

func (b *blockReader) checkKind(start int64, kind byte, e *Entry) error {
	want := byte(blockData)
	if e.IsLargeObjects() {
		want = blockLargeObjects
	}
	if kind != want {
		return b.failf(start, "block of type %d instead of %d", kind, want)
	}
	return nil
}

// blockEnd gives where what is at pos has to end, as far as the table of contents
// says where the next block starts. Chunks that go on into it could be those of
// all other blocks, for each of these.
func (c *customFile) blockEnd(t *TOC, pos int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.starts == nil {
		c.starts = []int64{c.size}
		for i := range t.Entries {
			if e := &t.Entries[i]; e.HadDumper && e.Offset.State == OffsetSet && e.Offset.Pos < c.size {
				c.starts = append(c.starts, e.Offset.Pos)
			}
		}
		slices.Sort(c.starts)
	}
	next, _ := slices.BinarySearch(c.starts, pos+1)
	return c.starts[min(next, len(c.starts)-1)]
}

// openBlock opens the file at the content of the entry's block.
func (c *customFile) openBlock(t *TOC, e *Entry) (*os.File, *blockReader, error) {
	pos, err := c.locate(t, e)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(c.path)
	if err != nil {
		return nil, nil, err
	}
	b := newBlockReader(c, f, pos)
	b.field, b.end = e.describe(), c.blockEnd(t, pos)
	kind, id, err := b.header()
	switch {
	case err != nil:
		err = b.tooShort(pos, err)
	case id != e.ID:
		err = b.failf(pos, "block is that of dump ID %d", id)
	default:
		err = b.checkKind(pos, kind, e)
	}
	if err != nil {
		b.release()
		f.Close()
		return nil, nil, err
	}
	return f, b, nil
}

func (c *customFile) data(t *TOC, e *Entry) (io.ReadCloser, error) {
	f, b, err := c.openBlock(t, e)
	if err != nil {
		return nil, err
	}
	return c.stream(t, b, &blockCloser{f, b}), nil
}

// stream decodes the stream that b stands before.
func (c *customFile) stream(t *TOC, b *blockReader, closer io.Closer) *dataReader {
	r := newDataReader(&chunkReader{b: b}, closer, c.name, blockEncoding(t.Header.Compression()))
	r.field, r.start, r.empty = b.field, b.pos, true
	return r
}

// openChunks opens the stream at pos.
func (c *customFile) openChunks(pos int64, t *TOC, field string) (io.ReadCloser, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return nil, err
	}
	b := newBlockReader(c, f, pos)
	b.field, b.end = field, c.blockEnd(t, pos)
	return c.stream(t, b, &blockCloser{f, b}), nil
}

// blockCloser ends the reading of a block.
type blockCloser struct {
	f *os.File
	b *blockReader
}

func (c *blockCloser) Close() error {
	c.b.release()
	return c.f.Close()
}

// largeObjects yields the large objects of a BLOBS entry.
func (c *customFile) largeObjects(a *Archive, e *Entry, yield func(LargeObject, error) bool) error {
	f, b, err := c.openBlock(a.TOC, e)
	if err != nil {
		return err
	}
	defer f.Close()
	defer b.release()
	for {
		oid, err := b.oid()
		if err != nil || oid == 0 {
			return err
		}
		if !yield(LargeObject{OID: oid, a: a, pos: b.pos}, nil) {
			return nil
		}
		if err := b.skipStream(); err != nil {
			return err
		}
	}
}
