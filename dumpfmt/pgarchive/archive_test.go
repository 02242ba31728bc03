package pgarchive

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

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

// TestOpen_Links has a data file, the list of large objects or the table of
// contents elsewhere: what is in the folder is followed, anything else refused.
func TestOpen_Links(t *testing.T) {
	for _, name := range []string{"3376.dat.gz", tocName, "unused"} {
		for way, to := range map[string]string{"inside": "kept", "up": "../out/secret", "absolute": "", "through a link": "door/secret"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				dir, out := copyDir(t, "testdata/pg15/cellar"), t.TempDir()
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil && name != "unused" {
					t.Fatal(err)
				}
				secret := filepath.Join(out, "secret")
				if to == "" {
					to = secret
				}
				to = strings.Replace(to, "../out", relative(t, dir, out), 1)
				err = errors.Join(os.WriteFile(secret, data, 0o600), os.WriteFile(filepath.Join(dir, "kept"), data, 0o600),
					os.RemoveAll(filepath.Join(dir, name)), os.Symlink(to, filepath.Join(dir, name)))
				if way == "through a link" {
					err = errors.Join(err, os.Symlink(out, filepath.Join(dir, "door")))
				}
				if err != nil {
					t.Fatal(err)
				}
				_, err = Open(dir)
				if way == "inside" {
					if err != nil {
						t.Error(err)
					}
				} else if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), "leads out") {
					t.Errorf("not refused: %v", err)
				}
			})
		}
	}
}

func relative(t *testing.T, from, to string) string {
	t.Helper()
	rel, err := filepath.Rel(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return rel
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

// TestData_Elsewhere has an entry whose data file is one of another folder, which
// is there: neither its data nor a check reads it.
func TestData_Elsewhere(t *testing.T) {
	dir := copyDir(t, "testdata/pg15/cellar")
	secret := filepath.Join(filepath.Dir(dir), "secret.dat")
	if err := os.WriteFile(secret, []byte("1\n\\.\n\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret.dat", secret, "./3376.dat", "..", ".", `..\secret.dat`, "a/b", "3376.dat\x00"} {
		a, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		var of *Entry
		for i := range a.TOC.Entries {
			if e := &a.TOC.Entries[i]; e.File == "3376.dat" {
				of = e
			}
		}
		of.File = name
		if _, err := a.Data(of); !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), "not the name of a file") {
			t.Errorf("%q: data: %v", name, err)
		}
		var wrong error
		if _, err := a.Check(t.Context(), CheckOptions{Jobs: 1, Wrong: func(err error) { wrong = errors.Join(wrong, err) }}); err != nil {
			t.Fatal(err)
		}
		if wrong == nil || !strings.Contains(wrong.Error(), "not the name of a file") {
			t.Errorf("%q: check: %v", name, wrong)
		}
	}
}

// TestData_Zeros has zeros behind a gzip file, as zlib takes them, and something
// behind those.
func TestData_Zeros(t *testing.T) {
	dir := copyDir(t, "testdata/pg15/cellar")
	a := mustOpen(t, dir)
	e := a.TOC.ByID()[3376]
	want := readData(t, a, e)
	path := filepath.Join(dir, "3376.dat.gz")
	whole := readFile(t, path)
	for _, n := range []int{1, 512, 1 << 20} {
		padded := append(bytes.Clone(whole), make([]byte, n)...)
		if err := os.WriteFile(path, padded, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readData(t, a, e); !bytes.Equal(got, want) {
			t.Errorf("%d zeros: other data", n)
		}
		if err := os.WriteFile(path, append(padded, 'x'), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkFile(t, a, filepath.Base(path)); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("something behind %d zeros: %v, want a format error", n, err)
		}
	}
}

// TestData_LongName has an entry whose data file no folder can hold.
func TestData_LongName(t *testing.T) {
	a, err := Open("testdata/pg15/cellar")
	if err != nil {
		t.Fatal(err)
	}
	e := a.TOC.ByID()[3376]
	for _, n := range []int{250, 255, 5000} {
		e.File = strings.Repeat("x", n)
		if _, err := a.Data(e); !errors.Is(err, dumpfmt.ErrFormat) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes: %v, want a missing data file", n, err)
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

// TestOpen_Compressed reads an archive whose table of contents and list of
// large objects were packed by hand, which pg_restore accepts.
func TestOpen_Compressed(t *testing.T) {
	dir := copyDir(t, "testdata/pg15/cellar")
	want := contents(t, mustOpen(t, dir))
	for _, name := range []string{tocName, oldList} {
		path := filepath.Join(dir, name)
		p := pack(t, readFile(t, path), Gzip)
		if err := errors.Join(os.Remove(path), os.WriteFile(path+".gz", p, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	a := mustOpen(t, dir)
	sameContents(t, "packed", contents(t, a), want)
	if report, err := a.Check(t.Context(), CheckOptions{}); err != nil || len(report.Notes) > 0 {
		t.Errorf("check: %+v, %v", report, err)
	}
}

// TestData_Reader holds the readers to io.Reader's rules, at odd sizes.
func TestData_Reader(t *testing.T) {
	dir := copyDir(t, "testdata/pg17/cellar")
	paths := []string{dir, recompress(t, dir, LZ4), recompress(t, dir, Zstd), recompress(t, dir, None)}
	for _, c := range []Compression{None, Gzip, LZ4, Zstd} {
		paths = append(paths, customOf(t, mustOpen(t, dir), c, 37))
	}
	want := readData(t, mustOpen(t, dir), mustOpen(t, dir).TOC.ByID()[3454])
	for _, path := range paths {
		a := mustOpen(t, path)
		r, err := a.Data(a.TOC.ByID()[3454])
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, want); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: close: %v", path, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: second close: %v", path, err)
		}
		if _, err := r.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: read after close", path)
		}
	}
}

// TestOpen_List holds all entries against what pg_restore -l of the same
// version printed.
func TestOpen_List(t *testing.T) {
	for _, v := range []string{"pg13", "pg15", "pg17", "pg18"} {
		list, err := os.ReadFile(filepath.Join(sharedFixtures, v, "list.txt"))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("no shared fixtures")
		}
		if err != nil {
			t.Fatal(err)
		}
		entries := mustOpen(t, filepath.Join(sharedFixtures, v, "dir")).TOC.ByID()
		listed := 0
		for line := range strings.Lines(string(list)) {
			line = strings.TrimSuffix(line, "\n")
			number, _, _ := strings.Cut(line, ";")
			if number == "" {
				continue
			}
			listed++
			id, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("%s: %q", v, line)
			}
			e := entries[DumpID(id)]
			schema, owner := cmp.Or(e.Namespace.String, "-"), e.Owner.String
			got := fmt.Sprintf("%d; %d %d %s %s %s %s", e.ID, e.TableOID, e.OID, e.Desc, schema, e.Tag, owner)
			if got = strings.ReplaceAll(got, "\n", " "); got != line {
				t.Errorf("%s: got  %q\nwant %q", v, got, line)
			}
		}
		if listed < len(entries)-10 {
			t.Errorf("%s: %d of %d entries listed", v, listed, len(entries))
		}
	}
}

// TestText reads texts that end as pg_dump ends them, and others.
func TestText(t *testing.T) {
	dir := copyDir(t, "testdata/pg17/cellar")
	a := mustOpen(t, dir)
	e := a.TOC.ByID()[3454]
	text, err := a.Text(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(text, readData(t, a, e)); err != nil {
		t.Error(err)
	}
	if err := text.Close(); err != nil {
		t.Error(err)
	}
	for _, broken := range []string{"", "a\n", "a\n\\.\n", "a\n\\.\n\n\n\n", "a\n\\.\nb\n\\.\n\n\n", "a\\.\n\n\n"} {
		if err := os.WriteFile(filepath.Join(dir, "3454.dat"), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := a.Text(e)
		if err != nil {
			t.Fatal(err)
		}
		p, err := io.ReadAll(text)
		if string(p) != broken || !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%q: read %q, %v", broken, p, err)
		}
		if n, again := text.Read(make([]byte, 1)); n != 0 || again == nil || again == io.EOF {
			t.Errorf("%q: after the error %d, %v", broken, n, again)
		}
		if err := text.Close(); err != nil {
			t.Error(err)
		}
	}
}
