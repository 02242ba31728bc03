package restore

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/rebuild"
)

// script is a backup's script: the dump.sql of a zip, or a file.
type script struct {
	path string
	file *os.File
	size int64 // of the file in bytes

	zip    *odoozip.Reader // nil for a bare script
	dump   *odoozip.Member
	places []tablePlace // of all data; nil where dump.sql has to be read from its start
	note   string       // why odx's own members are not used

	isPacked bool
}

// tablePlace is where in dump.sql a table's data are.
type tablePlace struct {
	entry *pgarchive.Entry
	place *odoozip.FilePlace
}

// openScript opens a zip or a script, and reads it as far as its first data. On
// an error too, the caller closes the source.
func (s *source) openScript() error {
	c := &script{path: s.path, isPacked: s.layout == dumpfmt.LayoutPackedScript}
	s.script = c
	var err error
	if c.file, err = os.Open(s.path); err != nil {
		return err
	}
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	c.size = info.Size()
	if s.layout == dumpfmt.LayoutZip {
		if err := s.openZip(); err != nil || c.places != nil {
			return err
		}
	}
	return s.readHead()
}

func (s *source) openZip() (err error) {
	c := s.script
	if c.zip, err = odoozip.NewReader(c.file, c.size, filepath.Base(c.path)); err != nil {
		return err
	}
	if c.dump, err = c.zip.Dump(); err != nil {
		return err
	}
	var places *odoozip.Places
	if places, c.note, err = c.zip.FindPlaces(c.dump); err != nil || places == nil {
		return err
	}
	return s.usePlaces(places)
}

// usePlaces reads odx's own members. The table of contents is the original one
// then, and the data are read from their places; but large objects and INSERT
// statements have none in a form that could be loaded.
func (s *source) usePlaces(places *odoozip.Places) (err error) {
	c := s.script
	if s.record, err = c.zip.FindRecord(); err != nil {
		return err
	}
	m := c.zip.Find(odoozip.ArchiveDir + "toc.dat")
	if m == nil {
		return nil
	}
	toc, err := readMemberTOC(c.zip, m)
	if err != nil {
		return err
	}
	if tables, all := placeTables(toc, places); all {
		pgarchive.SafeForParallel(toc)
		s.toc, c.places = toc, tables
	}
	return nil
}

// readMemberTOC reads a table of contents to the end of its member, where the CRC-32
// is compared.
func readMemberTOC(z *odoozip.Reader, m *odoozip.Member) (*pgarchive.TOC, error) {
	if limit := max(odoozip.MaxPlaces, pgarchive.PackedLimit(m.Size)); m.Length > limit {
		return nil, &dumpfmt.FormatError{Path: m.Name(), Offset: -1, Err: fmt.Errorf("%d bytes, more than the %d that are read", m.Length, limit)}
	}
	text, err := z.Open(m)
	if err != nil {
		return nil, err
	}
	toc, err := pgarchive.ReadTOC(text, m.Name(), m.Length)
	if err == nil {
		_, err = io.Copy(io.Discard, text)
	}
	return toc, errors.Join(err, text.Close())
}

// placeTables finds the place of each table's data, and tells whether all have
// one.
func placeTables(toc *pgarchive.TOC, places *odoozip.Places) (tables []tablePlace, all bool) {
	byFile := make(map[string]*odoozip.FilePlace, len(places.Files))
	for i := range places.Files {
		f := &places.Files[i]
		byFile[strings.TrimSuffix(f.Name, filepath.Ext(f.Name))] = f // 3021.dat of 3021.dat.gz
		byFile[f.Name] = f
	}
	tables = []tablePlace{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if !e.HadDumper {
			continue
		}
		place := byFile[e.File]
		if e.Desc != pgarchive.DescTableData || !e.CopyStmt.Valid || place == nil || !place.HasText() {
			return nil, false
		}
		tables = append(tables, tablePlace{e, place})
	}
	return tables, true
}

// readHead reads the script as far as its first data.
func (s *source) readHead() error {
	c := s.script
	text, err := c.open(context.Background(), new(atomic.Int64))
	if err != nil {
		return err
	}
	defer text.Close()
	head, err := rebuild.ReadHead(text, rebuild.Options{Name: c.name()})
	if err != nil {
		return err
	}
	runtime.GC() // the first INSERT statement was held, and will be once more
	if head.Frame.Connect != "" {
		return &dumpfmt.FormatError{Path: c.name(), Offset: -1, Err: fmt.Errorf(
			`%w: the script makes its own database and goes there with \connect (pg_dump --create); `+
				"odx convert makes an archive of it, which can be restored under any name", dumpfmt.ErrUnsupported)}
	}
	s.toc = head.TOC
	return nil
}

// name is what errors call the script.
func (c *script) name() string {
	if c.zip != nil {
		return c.dump.Name()
	}
	return filepath.Base(c.path)
}

// length is how many bytes open will count.
func (c *script) length() int64 {
	if c.zip != nil {
		return c.dump.Length
	}
	return c.size
}

// open gives the script's text from its start. Bytes that were read are added
// to count: those of the text, or of the file if that is packed. The caller
// closes it.
func (c *script) open(ctx context.Context, count *atomic.Int64) (io.ReadCloser, error) {
	if c.zip != nil {
		r, err := c.zip.Open(c.dump)
		if err != nil {
			return nil, err
		}
		return &countedText{&countReader{ctx, r, count}, r}, nil
	}
	counted := &countReader{ctx, io.NewSectionReader(c.file, 0, c.size), count}
	if !c.isPacked {
		return io.NopCloser(counted), nil
	}
	z, err := gzip.NewReader(counted)
	if err != nil {
		return nil, c.damaged(err)
	}
	return &countedText{&unpacked{c, z}, z}, nil
}

// readAhead reads the script to its end for its table of contents.
func (c *script) readAhead(ctx context.Context) (*pgarchive.TOC, error) {
	text, err := c.open(ctx, new(atomic.Int64))
	if err != nil {
		return nil, err
	}
	defer text.Close()
	result, err := rebuild.Read(text, nil, rebuild.Options{Name: c.name()})
	if err != nil {
		return nil, err
	}
	return result.TOC, nil
}

func (c *script) damaged(err error) error {
	return &dumpfmt.FormatError{Path: filepath.Base(c.path), Offset: -1, Err: fmt.Errorf("packed with gzip, and damaged: %w", err)}
}

func (c *script) close() {
	if c.file != nil {
		_ = c.file.Close() // only read
	}
}

// hasFilestore tells whether the zip has files of a filestore.
func (c *script) hasFilestore() bool {
	return c.zip != nil && slices.ContainsFunc(c.zip.Members, func(m odoozip.Member) bool { return inFilestore(&m) != "" })
}

// filestoreSize adds up the files of the zip's filestore, and their bytes.
func (c *script) filestoreSize() (files, bytes int64) {
	for i := range c.zip.Members {
		if m := &c.zip.Members[i]; inFilestore(m) != "" {
			files, bytes = files+1, bytes+m.Length
		}
	}
	return files, bytes
}

// inFilestore gives the path of a member in the filestore; "" if it is not of it.
func inFilestore(m *odoozip.Member) string {
	if m.Hidden || m.Kind != odoozip.KindFilestore && m.Kind != odoozip.KindDirectory {
		return ""
	}
	path, isIn := strings.CutPrefix(m.Rel(), odoozip.FilestoreDir)
	if !isIn {
		return ""
	}
	return path
}

// countedText is a text that is counted, and what is to be closed.
type countedText struct {
	io.Reader
	io.Closer
}

// countReader counts bytes, and ends when its context does.
type countReader struct {
	ctx   context.Context
	r     io.Reader
	count *atomic.Int64
}

func (c *countReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.count.Add(int64(n))
	return n, err
}

// unpacked makes what is wrong with a gzip file an error about the file.
type unpacked struct {
	script *script
	z      *gzip.Reader
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	corrupt := flate.CorruptInputError(0)
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt) {
		err = u.script.damaged(err)
	}
	return n, err
}
