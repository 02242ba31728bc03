package pgarchive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"odx/dumpfmt"
)

func mustOpen(t testing.TB, path string) *Archive {
	t.Helper()
	a, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCheck(t *testing.T) {
	for _, dir := range archiveDirs(t) {
		a := mustOpen(t, dir)
		for _, jobs := range []int{0, 1, 8} {
			var done atomic.Int64
			report, err := a.Check(t.Context(), CheckOptions{Jobs: jobs, Done: &done})
			if err != nil {
				t.Errorf("%s: %v", dir, err)
			}
			if len(report.Notes) > 0 || report.Files == 0 || done.Load() != report.Bytes {
				t.Errorf("%s: report %+v, done %d", dir, report, done.Load())
			}
		}
	}
}

// decoded gives the content of a file of the archive.
func decoded(t testing.TB, a *Archive, name string) []byte {
	t.Helper()
	r, err := a.openFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// recompress packs every gzip file of a copy of dir anew.
func recompress(t testing.TB, dir string, c Compression) string {
	t.Helper()
	a := mustOpen(t, dir)
	to := t.TempDir()
	files, err := a.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		base, packed := strings.CutSuffix(f.Name, ".gz")
		if !packed {
			if err := os.WriteFile(filepath.Join(to, f.Name), readFile(t, filepath.Join(dir, f.Name)), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text := decoded(t, a, f.Name)
		if err := os.WriteFile(filepath.Join(to, base+c.Suffix()), pack(t, text, c), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func pack(t testing.TB, text []byte, c Compression) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch c {
	case LZ4:
		w = lz4.NewWriter(&b)
	case Zstd:
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	case Gzip:
		w = gzip.NewWriter(&b)
	default:
		return text
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkFile checks one file of the archive, and all lists.
func checkFile(t testing.TB, a *Archive, name string) error {
	t.Helper()
	inv, err := a.takeInventory()
	if err != nil {
		t.Fatal(err)
	}
	only := slices.DeleteFunc(inv.items, func(it item) bool { return it.file != name })
	opts := CheckOptions{Jobs: 1}
	errs, err := checkAll(t.Context(), opts, only, func(ctx context.Context, it item, buf []byte) error {
		return a.checkItem(ctx, it, buf, &opts)
	})
	if err != nil {
		t.Fatal(err)
	}
	return joinErrors(append(inv.wrong, errs...), inv.more)
}

// TestCheck_Truncated cuts every file of an archive at every length, in every
// compression.
func TestCheck_Truncated(t *testing.T) {
	for _, c := range []Compression{None, Gzip, LZ4, Zstd} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			dir := copyDir(t, "testdata/pg17/cellar")
			if c != Gzip {
				dir = recompress(t, dir, c)
			}
			a := mustOpen(t, dir)
			files, err := a.Files()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files[1:] {
				if c == None && strings.HasPrefix(f.Name, "blob_") {
					continue // nothing says how long it should be
				}
				path := filepath.Join(dir, f.Name)
				whole := readFile(t, path)
				for n := len(whole) - 1; n >= 0; n-- {
					if err := os.Truncate(path, int64(n)); err != nil {
						t.Fatal(err)
					}
					if n == 0 && c != Gzip && strings.HasPrefix(f.Name, "blob_") {
						continue // as an empty large object is
					}
					err := checkFile(t, a, f.Name)
					if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), f.Name) {
						t.Fatalf("%s cut from %d to %d bytes: %v", f.Name, len(whole), n, err)
					}
				}
				if err := os.WriteFile(path, whole, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestCheck_Flipped flips a bit of every byte of every file. What passes must
// be decoded as before: some bits, such as the time, mean nothing.
func TestCheck_Flipped(t *testing.T) {
	dir := copyDir(t, "testdata/pg17/cellar")
	a := mustOpen(t, dir)
	files, err := a.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files[1:] {
		path := filepath.Join(dir, f.Name)
		whole, text := readFile(t, path), decoded(t, a, f.Name)
		for n := range whole {
			p := bytes.Clone(whole)
			p[n] ^= 1 << (n % 8)
			if err := os.WriteFile(path, p, 0o600); err != nil {
				t.Fatal(err)
			}
			err := checkFile(t, a, f.Name)
			if err == nil && bytes.Equal(decoded(t, a, f.Name), text) {
				continue
			}
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("%s with byte %d of %d flipped: %v", f.Name, n, len(whole), err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheck_Garbage(t *testing.T) {
	for _, c := range []Compression{None, Gzip, LZ4, Zstd} {
		dir := copyDir(t, "testdata/pg17/cellar")
		if c != Gzip {
			dir = recompress(t, dir, c)
		}
		a := mustOpen(t, dir)
		path := filepath.Join(dir, "3454.dat"+c.Suffix())
		whole := readFile(t, path)
		for _, more := range []string{"\x00", "\n", "\x1f\x8b", "xyz", strings.Repeat("\x00", 512), string(whole)} {
			if c == None && more == string(whole) {
				continue // only the end of it is looked at
			}
			if c == Gzip && strings.Trim(more, "\x00") == "" {
				continue // see TestData_Zeros
			}
			if err := os.WriteFile(path, append(bytes.Clone(whole), more...), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := a.Check(t.Context(), CheckOptions{})
			if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), filepath.Base(path)) {
				t.Errorf("%s with %.8q after it: %v", filepath.Base(path), more, err)
			}
		}
	}
}

// TestCheck_Folder breaks what the files are rather than what is in them.
func TestCheck_Folder(t *testing.T) {
	tests := []struct {
		name  string
		from  string
		spoil func(dir string) error
		want  string // in the error, or "note: " and in the notes
	}{
		{"missing table", "pg15", func(d string) error { return os.Remove(d + "/3377.dat.gz") }, "3377.dat: data file is missing"},
		{"missing large object", "pg15", func(d string) error { return os.Remove(d + "/blob_910001.dat.gz") }, "blob_910001.dat: data file is missing"},
		{"missing list", "pg15", func(d string) error { return os.Remove(d + "/blobs.toc") }, "blobs.toc: data file is missing"},
		{"list with too few", "pg15", func(d string) error {
			return os.WriteFile(d+"/blobs.toc", []byte("910001 blob_910001.dat\n"), 0o600)
		}, "large object 910002 of the BLOB entries is not listed"},
		{"group with too few", "pg18", func(d string) error {
			return os.WriteFile(d+"/blobs_3514.toc", nil, 0o600)
		}, "is not listed"},
		{"list with a stranger", "pg15", func(d string) error {
			return os.WriteFile(d+"/blobs.toc", []byte("910001 blob_910001.dat\n910003 blob_910002.dat\n"), 0o600)
		}, "large object 910003 is not among the BLOB entries"},
		{"one file for two", "pg15", func(d string) error {
			return os.WriteFile(d+"/blobs.toc", []byte("910001 blob_910001.dat\n910002 blob_910001.dat\n"), 0o600)
		}, "named a second time"},
		{"a name out of the folder", "pg15", func(d string) error {
			return os.WriteFile(d+"/blobs.toc", []byte("910001 ../blob_910001.dat\n"), 0o600)
		}, "is not the name of a file"},
		{"a folder for a file", "pg15", func(d string) error {
			return errors.Join(os.Remove(d+"/3377.dat.gz"), os.Mkdir(d+"/3377.dat.gz", 0o700))
		}, "3377.dat: data file is missing"},
		{"text that is no gzip", "pg15", func(d string) error {
			return os.WriteFile(d+"/3377.dat.gz", []byte("1\tone\n\\.\n\n\n"), 0o600)
		}, "3377.dat.gz"},
		{"plain file in a gzip archive", "pg15", func(d string) error {
			return errors.Join(os.Remove(d+"/3377.dat.gz"), os.WriteFile(d+"/3377.dat", []byte("\\.\n\n\n"), 0o600))
		}, ""},
		{"stranger", "pg15", func(d string) error { return os.WriteFile(d+"/readme.txt", nil, 0o600) }, "note: readme.txt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := copyDir(t, "testdata/"+tt.from+"/cellar")
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			report, err := mustOpen(t, dir).Check(t.Context(), CheckOptions{})
			if note, ok := strings.CutPrefix(tt.want, "note: "); ok {
				if err != nil || !strings.Contains(strings.Join(report.Notes, "\n"), note) {
					t.Errorf("notes %q, %v", report.Notes, err)
				}
				return
			}
			if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestCheck_ManyErrors guards against pages of errors when a disk is gone.
func TestCheck_ManyErrors(t *testing.T) {
	dir := copyDir(t, "testdata/pg17/kitchen-zstd")
	names, err := filepath.Glob(filepath.Join(dir, "*.zst"))
	if err != nil || len(names) < 40 {
		t.Fatal(len(names), err)
	}
	for _, n := range names {
		if err := os.Truncate(n, 0); err != nil {
			t.Fatal(err)
		}
	}
	_, err = mustOpen(t, dir).Check(t.Context(), CheckOptions{})
	lines := strings.Split(err.Error(), "\n")
	if !errors.Is(err, dumpfmt.ErrFormat) || len(lines) != dumpfmt.MaxJoined+1 || !strings.Contains(lines[dumpfmt.MaxJoined], "more errors") {
		t.Errorf("got %v", err)
	}
}

func TestCheck_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := mustOpen(t, "testdata/pg17/kitchen-zstd").Check(ctx, CheckOptions{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("got %v", err)
	}
}

func TestTextEnd(t *testing.T) {
	row := "1\tone\n"
	tests := []struct {
		kind contentKind
		text string
		good bool
	}{
		{copyText, copyEnd, true},
		{copyText, row + copyEnd, true},
		{copyText, `\\.` + "\n" + copyEnd, true},
		{copyText, "a\\.\n" + copyEnd, true},
		{copyText, "", false},
		{copyText, row, false},
		{copyText, row + "\\.\n\n", false},
		{copyText, row + "\\.", false},
		{copyText, row + copyEnd + "\n", false},
		{copyText, row + copyEnd + row + copyEnd, false},
		{copyText, copyEnd + row + copyEnd, false},
		{copyText, row + "\\.\nxx", false},
		{copyText, "x" + copyEnd, false},
		{insertText, "\n\n", true},
		{insertText, "INSERT INTO t VALUES (1);\n\n\n", true},
		{insertText, "INSERT INTO t VALUES (1);\n\n", false},
		{insertText, "INSERT INTO t VALUES (1", false},
		{insertText, "\n", false},
		{insertText, "", false},
		{anyBytes, "", true},
	}
	for _, tt := range tests {
		for step := 1; step <= len(tt.text)+1; step++ {
			end := newTextEnd(tt.kind)
			for p := []byte(tt.text); len(p) > 0; p = p[min(step, len(p)):] {
				end.write(p[:min(step, len(p))])
			}
			err := end.error(item{entry: &Entry{}, file: "1.dat"})
			if good := err == nil; good != tt.good {
				t.Errorf("%q in steps of %d: %v", tt.text, step, err)
			}
		}
	}
}
