package pgarchive

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt"
)

// maxFuzz is the size up to which inputs are tried: larger ones only take
// longer.
const maxFuzz = 1 << 16

// addSeeds adds the files that the pattern matches, as far as they are small.
func addSeeds(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		f.Fatal(err)
	}
	added := 0
	for _, path := range files {
		if p := readFile(f, path); len(p) <= maxFuzz {
			f.Add(p)
			added++
		}
	}
	if added == 0 {
		f.Fatalf("no seeds in %s", pattern)
	}
}

// FuzzReadTOC: what is accepted is written as it was read, and pg_restore's
// dependencies can be completed.
func FuzzReadTOC(f *testing.F) {
	addSeeds(f, "testdata/*/cellar*/toc.dat")
	addSeeds(f, "testdata/*/cellar*.dump")
	f.Fuzz(func(t *testing.T, p []byte) {
		toc, end, err := readTOC(bytes.NewReader(p), tocName, int64(len(p)))
		if err != nil {
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("not a format error: %v", err)
			}
			return
		}
		if got := encode(t, toc); !bytes.Equal(got, p[:end]) {
			t.Fatal("written otherwise")
		}
		SafeForParallel(toc)
		if SafeForParallel(toc) != 0 {
			t.Fatal("dependencies added twice")
		}
		for i := range toc.Entries {
			_, _ = CopyColumns(toc.Entries[i].CopyStmt.String)
		}
	})
}

// FuzzCustom: Check finds whatever reading would stumble over.
func FuzzCustom(f *testing.F) {
	addSeeds(f, "testdata/*/cellar*.dump")
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > maxFuzz {
			return
		}
		path := filepath.Join(t.TempDir(), "fuzz.dump")
		if err := os.WriteFile(path, p, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(path)
		if err == nil {
			_, err = a.Check(t.Context(), CheckOptions{Jobs: 2})
		}
		if err != nil {
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("not a format error: %v", err)
			}
			return
		}
		readAll(t, a)
	})
}

// readAll reads everything in an archive that has passed Check.
func readAll(t *testing.T, a *Archive) {
	t.Helper()
	read := func(r io.ReadCloser, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		switch {
		case !e.HadDumper:
		case !e.IsLargeObjects():
			read(a.Data(e))
		default:
			for lo, err := range a.LargeObjects(e) {
				if err != nil {
					t.Fatal(err)
				}
				read(lo.Open())
			}
		}
	}
}

// FuzzList: lists of large objects are read or refused.
func FuzzList(f *testing.F) {
	addSeeds(f, "testdata/*/cellar/blobs*.toc")
	f.Fuzz(func(t *testing.T, p []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, oldList), p, 0o600); err != nil {
			t.Fatal(err)
		}
		a := &Archive{path: dir, TOC: &TOC{Header: Header{Version: Version14}}}
		e := &Entry{ID: 1, Desc: DescBlobs, HadDumper: true, File: oldList}
		for lo, err := range a.LargeObjects(e) {
			if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("not a format error: %v", err)
			}
			if err == nil && (lo.OID == 0 || !filepath.IsLocal(lo.File) || filepath.Base(lo.File) != lo.File) {
				t.Fatalf("large object %d in %q", lo.OID, lo.File)
			}
		}
	})
}

// FuzzTextEnd: the end of a text is judged the same in whatever pieces it
// comes.
func FuzzTextEnd(f *testing.F) {
	f.Add([]byte("1\tone\n"+copyEnd), 3)
	f.Add([]byte(copyEnd), 1)
	f.Add([]byte("\\.\n\\.\n\n\n"), 2)
	f.Fuzz(func(t *testing.T, p []byte, step int) {
		if step < 1 {
			return
		}
		for _, kind := range []contentKind{copyText, insertText} {
			whole, pieces := newTextEnd(kind), newTextEnd(kind)
			whole.write(p)
			for q := p; len(q) > 0; q = q[min(step, len(q)):] {
				pieces.write(q[:min(step, len(q))])
			}
			it := item{entry: &Entry{}}
			if got, want := pieces.error(it), whole.error(it); (got == nil) != (want == nil) {
				t.Fatalf("in pieces of %d: %v, whole: %v", step, got, want)
			}
		}
	})
}
