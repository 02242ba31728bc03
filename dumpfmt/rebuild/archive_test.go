package rebuild

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// dirSink writes data files into a folder, every other one packed.
type dirSink struct {
	dir    string
	packed bool
}

func (s *dirSink) create(name string) (io.WriteCloser, error) {
	s.packed = !s.packed
	if !s.packed {
		return os.Create(filepath.Join(s.dir, name))
	}
	f, err := os.Create(filepath.Join(s.dir, name+".gz"))
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	return packedFile{z, f}, err
}

type packedFile struct {
	*gzip.Writer
	file *os.File
}

func (f packedFile) Close() error { return errors.Join(f.Writer.Close(), f.file.Close()) }

func (s *dirSink) Table(e *pgarchive.Entry, _ int64) (io.WriteCloser, error) {
	return s.create(e.File)
}

func (s *dirSink) LargeObject(_ pgarchive.DumpID, oid uint32, _ int64) (io.WriteCloser, error) {
	return s.create(pgarchive.LargeObjectFile(oid))
}

// build makes a directory-format archive of a script.
func build(t testing.TB, script []byte) (string, *Result) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dump")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	res, err := Read(bytes.NewReader(script), &dirSink{dir: dir}, Options{Name: "dump.sql", Compression: pgarchive.Gzip})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, dir, res)
	return dir, res
}

// finish writes the lists and the table of contents.
func finish(t testing.TB, dir string, res *Result) {
	t.Helper()
	for _, l := range res.Lists {
		if err := os.WriteFile(filepath.Join(dir, l.File), l.Text(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var toc bytes.Buffer
	if err := pgarchive.WriteTOC(&toc, res.TOC); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "toc.dat"), toc.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := pgarchive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := a.Check(t.Context(), pgarchive.CheckOptions{})
	if err != nil || len(report.Notes) > 0 {
		t.Fatal(report.Notes, err)
	}
}

func unpack(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wantSame compares scripts and shows where they differ first.
func wantSame(t testing.TB, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-200)
	t.Errorf("%s: differs at byte %d of %d (got %d bytes):\ngot  %q\nwant %q", what, i, len(want), len(got),
		got[from:min(len(got), i+200)], want[from:min(len(want), i+200)])
}
