package pgarchive

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
)

// sharedFixtures holds more archives than testdata; it is not part of the
// repository.
const sharedFixtures = "../../../shared/fixtures"

// tocFiles gives every toc.dat at hand.
func tocFiles(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, root := range []string{"testdata", sharedFixtures} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.Name() == tocName {
				files = append(files, path)
			}
			return nil
		})
		if err != nil && (root == "testdata" || !errors.Is(err, fs.ErrNotExist)) {
			t.Fatal(err)
		}
	}
	if len(files) < 7 {
		t.Fatalf("only %d archives in testdata", len(files))
	}
	return files
}

// archiveDirs gives every directory-format archive at hand.
func archiveDirs(t testing.TB) []string {
	t.Helper()
	dirs := tocFiles(t)
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	return dirs
}

// copyDir copies a flat folder.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestOpen(t *testing.T) {
	tests := []struct {
		path    string
		version string
		entries int
		needs   int
		algo    Compression
	}{
		{"testdata/pg13/cellar", "1.14", 0, 12, Gzip},
		{"testdata/pg15/cellar", "1.14", 0, 12, Gzip},
		{"testdata/pg17/cellar", "1.16", 0, 17, Gzip},
		{"testdata/pg17/kitchen-lz4", "1.16", 478, 17, LZ4},
		{"testdata/pg17/kitchen-zstd", "1.16", 478, 17, Zstd},
		{"testdata/pg18/cellar", "1.16", 0, 17, Gzip},
		{sharedFixtures + "/pg13/dir", "1.14", 412, 12, Gzip},
		{sharedFixtures + "/pg18/dir-none", "1.16", 498, 17, None},
	}
	for _, tt := range tests {
		a, err := Open(tt.path)
		if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(tt.path, sharedFixtures) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		h := a.TOC.Header
		if got := h.Version.String(); got != tt.version {
			t.Errorf("%s: version %s, want %s", tt.path, got, tt.version)
		}
		if got := len(a.TOC.Entries); tt.entries > 0 && got != tt.entries {
			t.Errorf("%s: %d entries, want %d", tt.path, got, tt.entries)
		}
		if got := a.NeedsMajor(); got != tt.needs {
			t.Errorf("%s: needs %d, want %d", tt.path, got, tt.needs)
		}
		if got := h.Compression(); got != tt.algo {
			t.Errorf("%s: compression %s, want %s", tt.path, got, tt.algo)
		}
	}
}

func TestOpen_NoArchive(t *testing.T) {
	_, err := Open(t.TempDir())
	if !errors.Is(err, dumpfmt.ErrFormat) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty folder: %v", err)
	}
	_, err = Open(filepath.Join(t.TempDir(), "none"))
	if errors.Is(err, dumpfmt.ErrFormat) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestOpen_NeedsFiles guards against going by the header alone: a 1.14 archive
// with zstd files is read by 16 and later only.
func TestOpen_NeedsFiles(t *testing.T) {
	dir := copyDir(t, "testdata/pg15/cellar")
	if err := os.Rename(filepath.Join(dir, "3376.dat.gz"), filepath.Join(dir, "3376.dat.zst")); err != nil {
		t.Fatal(err)
	}
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.NeedsMajor(); got != 16 {
		t.Errorf("needs %d, want 16", got)
	}
}

// entryOf gives the entry of this kind and tag.
func entryOf(t testing.TB, a *Archive, desc, tag string) *Entry {
	t.Helper()
	for i := range a.TOC.Entries {
		if e := &a.TOC.Entries[i]; e.Desc == desc && e.Tag == tag {
			return e
		}
	}
	t.Fatalf("%s: no %s %s", a.Path(), desc, tag)
	return nil
}

func readData(t testing.TB, a *Archive, e *Entry) []byte {
	t.Helper()
	r, err := a.Data(e)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestData reads the same kitchen in two compressions.
func TestData(t *testing.T) {
	lz4, err := Open("testdata/pg17/kitchen-lz4")
	if err != nil {
		t.Fatal(err)
	}
	zstd, err := Open("testdata/pg17/kitchen-zstd")
	if err != nil {
		t.Fatal(err)
	}
	var total, tables int
	for i := range lz4.TOC.Entries {
		e := &lz4.TOC.Entries[i]
		if e.Desc != DescTableData {
			continue
		}
		p, q := readData(t, lz4, e), readData(t, zstd, &zstd.TOC.Entries[i])
		if !bytes.Equal(p, q) {
			t.Errorf("%s: lz4 and zstd differ", e.describe())
		}
		if !bytes.HasSuffix(p, []byte(copyEnd)) {
			t.Errorf("%s: no end mark", e.describe())
		}
		total += len(p)
		tables++
	}
	if tables < 40 || total < 1<<20 {
		t.Errorf("%d tables with %d bytes", tables, total)
	}
}

func TestData_None(t *testing.T) {
	a, err := Open("testdata/pg17/cellar")
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if e.Desc == DescTableData {
			continue
		}
		if _, err := a.Data(e); err == nil {
			t.Errorf("%s: data", e.describe())
		}
	}
}

// TestData_LookupOrder plants files in the order in which they are preferred
// last to first.
func TestData_LookupOrder(t *testing.T) {
	dir := copyDir(t, "testdata/pg15/cellar")
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := a.TOC.ByID()[3376]
	text := readData(t, a, e)
	plain := []byte("\\.\n\n\n")
	if err := os.WriteFile(filepath.Join(dir, "3376.dat.lz4"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readData(t, a, e); !bytes.Equal(got, text) {
		t.Errorf("with .lz4 beside .gz: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "3376.dat"), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readData(t, a, e); !bytes.Equal(got, plain) {
		t.Errorf("with a plain file: %q", got)
	}
}

func TestLargeObjects(t *testing.T) {
	for _, dir := range []string{"testdata/pg13/cellar", "testdata/pg15/cellar", "testdata/pg17/cellar", "testdata/pg18/cellar"} {
		a, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := map[uint32]int{}
		for i := range a.TOC.Entries {
			e := &a.TOC.Entries[i]
			if !e.IsLargeObjects() {
				continue
			}
			for lo, err := range a.LargeObjects(e) {
				if err != nil {
					t.Fatal(err)
				}
				r, err := lo.Open()
				if err != nil {
					t.Fatal(err)
				}
				p, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				got[lo.OID] = len(p)
			}
		}
		if len(got) != 2 || got[910001] == 0 || got[910002] == 0 {
			t.Errorf("%s: large objects %v", dir, got)
		}
	}
}

func TestSizes(t *testing.T) {
	a, err := Open("testdata/pg17/cellar")
	if err != nil {
		t.Fatal(err)
	}
	sizes, err := a.Sizes()
	if err != nil {
		t.Fatal(err)
	}
	files, err := a.Files()
	if err != nil {
		t.Fatal(err)
	}
	var total, want int64
	for _, n := range sizes {
		total += n
	}
	for _, f := range files[1:] {
		want += f.Size
	}
	if files[0].Name != tocName || len(files) != 9 || total != want || len(sizes) != 6 {
		t.Errorf("files %v, sizes %v", files, sizes)
	}
}
