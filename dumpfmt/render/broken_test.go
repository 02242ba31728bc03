package render

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// copyDir copies a flat folder.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// printError prints an archive to nowhere and gives the error.
func printError(t *testing.T, path string) error {
	t.Helper()
	a, err := pgarchive.Open(path)
	if err != nil {
		return err
	}
	s, err := New(a, Options{})
	if err != nil {
		return err
	}
	_, err = s.Print(t.Context(), io.Discard)
	return err
}

func dataFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.dat.*"))
	if err != nil || len(files) != 6 {
		t.Fatalf("data files %q, %v", files, err)
	}
	return files
}

// TestPrint_Truncated cuts each data file at every length.
func TestPrint_Truncated(t *testing.T) {
	dir := copyDir(t, "../pgarchive/testdata/pg15/cellar")
	for _, file := range dataFiles(t, dir) {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		step := max(len(whole)/100, 1)
		for n := 0; n < len(whole); n += step {
			if err := os.WriteFile(file, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if err := printError(t, dir); !errors.Is(err, dumpfmt.ErrFormat) || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut to %d bytes: %v", filepath.Base(file), n, err)
			}
		}
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := printError(t, dir); err != nil {
		t.Error(err)
	}
}

func TestPrint_Missing(t *testing.T) {
	dir := copyDir(t, "../pgarchive/testdata/pg17/cellar")
	files := append(dataFiles(t, dir), filepath.Join(dir, "blobs_3460.toc"))
	for _, file := range files {
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
		if err := printError(t, dir); !errors.Is(err, dumpfmt.ErrFormat) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", filepath.Base(file), err)
		}
		if err := os.Rename(file+".away", file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPrint_TextEnd guards against scripts that would take SQL for rows, or
// rows for SQL. pg_restore prints such archives without a word.
func TestPrint_TextEnd(t *testing.T) {
	dir := copyDir(t, "../pgarchive/testdata/pg15/cellar")
	file := filepath.Join(dir, "3376.dat") // goes before .gz
	for text, valid := range map[string]bool{
		"\\.\n\n\n":                 true,
		"":                          false,
		"a\n":                       false,
		"a\n\\.":                    false,
		"a\n\\.\n\n":                false,
		"a\n\\.\nDROP TABLE x;\n\n": false,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := printError(t, dir); (err == nil) != valid || err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNew_Errors(t *testing.T) {
	str := pgarchive.Str
	tests := []struct {
		desc string
		defn pgarchive.NullString
	}{
		{"ENCODING", pgarchive.NullString{}},
		{"ENCODING", str("")},
		{"ENCODING", str("SET client_encoding = '")},
		{"ENCODING", str("SET client_encoding = ''")},
		{"ENCODING", str("SET client_encoding = 'UTF8\n'")},
		{"STDSTRINGS", pgarchive.NullString{}},
		{"STDSTRINGS", str("SET standard_conforming_strings = 'maybe';")},
		{"SEARCHPATH", pgarchive.NullString{}},
	}
	for _, tt := range tests {
		a := mustOpen(t, "../pgarchive/testdata/pg15/cellar")
		found := false
		for i := range a.TOC.Entries {
			if e := &a.TOC.Entries[i]; e.Desc == tt.desc {
				e.Defn, found = tt.defn, true
			}
		}
		if _, err := New(a, Options{}); !found || !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), tt.desc) {
			t.Errorf("%s %q: %v", tt.desc, tt.defn.String, err)
		}
	}
	for _, key := range []string{"a b", "\n", "ä", "a\n", "a;"} {
		if _, err := New(mustOpen(t, "../pgarchive/testdata/pg15/cellar"), Options{RestrictKey: key}); err == nil {
			t.Errorf("key %q accepted", key)
		}
	}
}

// TestPieces_Errors has entries that cannot be printed.
func TestPieces_Errors(t *testing.T) {
	change := func(desc, tag string, f func(e *pgarchive.Entry)) error {
		a := mustOpen(t, "../pgarchive/testdata/pg17/kitchen.dump")
		found := 0
		for i := range a.TOC.Entries {
			if e := &a.TOC.Entries[i]; e.Desc == desc && strings.HasPrefix(e.Tag, tag) {
				f(e)
				found++
			}
		}
		if found == 0 {
			t.Fatalf("no %s %s", desc, tag)
		}
		s, err := New(a, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range s.Pieces() {
			if err != nil {
				return err
			}
		}
		return nil
	}
	tests := map[string]struct {
		desc, tag string
		f         func(e *pgarchive.Entry)
	}{
		"no dependency":      {"ACL", "LARGE OBJECT ", func(e *pgarchive.Entry) { e.Tag = "LARGE OBJECTS 1..2"; e.Dependencies = nil }},
		"unknown dependency": {"ACL", "LARGE OBJECT ", func(e *pgarchive.Entry) { e.Tag = "LARGE OBJECTS 1..2"; e.Dependencies = []pgarchive.DumpID{1 << 30} }},
		"other dependency":   {"ACL", "LARGE OBJECT ", func(e *pgarchive.Entry) { e.Tag = "LARGE OBJECTS 1..2"; e.Dependencies = []pgarchive.DumpID{e.ID} }},
		"no end": {"ACL", "LARGE OBJECT ", func(e *pgarchive.Entry) {
			e.Tag = "LARGE OBJECTS 1..2"
			e.Defn = pgarchive.Str("GRANT ALL ON LARGE OBJECT 1 TO x")
		}},
		"no object":              {"ACL", "LARGE OBJECT ", func(e *pgarchive.Entry) { e.Tag = "LARGE OBJECTS 1..2"; e.Defn = pgarchive.Str("GRANT ALL;") }},
		"no number":              {"ACL", "LARGE OBJECT ", func(e *pgarchive.Entry) { e.Tag = "LARGE OBJECTS 1..2"; e.Defn = pgarchive.Str("LARGE OBJECT x;") }},
		"unknown kind":           {"FUNCTION", "", func(e *pgarchive.Entry) { e.Desc = "THING" }},
		"drop statement is none": {"FUNCTION", "", func(e *pgarchive.Entry) { e.DropStmt = pgarchive.Str("DRO") }},
	}
	for name, tt := range tests {
		if err := change(tt.desc, tt.tag, tt.f); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := change("FUNCTION", "", func(e *pgarchive.Entry) { e.Defn = pgarchive.NullString{} }); err != nil {
		t.Errorf("entries without definition are passed over by pg_restore: %v", err)
	}
}

func TestCutGrant(t *testing.T) {
	text := `GRANT ALL ON LARGE OBJECT 17 TO "a;LARGE OBJECT 5 "";";` + "\n\t" + `REVOKE ALL ON LARGE OBJECT 17 FROM b;`
	before, after, rest, err := cutGrant(text)
	if err != nil || before != "GRANT ALL ON LARGE OBJECT " || after != ` TO "a;LARGE OBJECT 5 "";"` {
		t.Errorf("%q, %q, %v", before, after, err)
	}
	before, after, rest, err = cutGrant(rest)
	if err != nil || before != "REVOKE ALL ON LARGE OBJECT " || after != " FROM b" || rest != "" {
		t.Errorf("%q, %q, %q, %v", before, after, rest, err)
	}
}

func TestRelease(t *testing.T) {
	v14, v16 := pgarchive.Version14, pgarchive.Version16
	tests := []struct {
		text     string
		version  pgarchive.Version
		want     release
		restrict bool
	}{
		{"15.20 (Debian 15.20-0+deb12u1)", v14, release{15, 20}, true},
		{"15.13", v14, release{15, 13}, false},
		{"15.14", v14, release{15, 14}, true},
		{"13.16 (Debian 13.16-0+deb11u1)", v14, release{13, 16}, false},
		{"13.22", v14, release{13, 22}, true},
		{"9.6.24", pgarchive.Version13, release{9, 6}, false},
		{"18beta1", v16, release{18, 0}, true},
		{"17.5", v16, release{17, 5}, false},
		{"19devel", v16, release{19, 0}, true},
		{"", v16, release{18, 0}, true},
		{"EnterpriseDB", v14, release{15, 0}, false},
	}
	for _, tt := range tests {
		got := releaseOf(&pgarchive.Header{Version: tt.version, DumpVersion: pgarchive.Str(tt.text)})
		if got != tt.want || got.hasRestrict() != tt.restrict {
			t.Errorf("%q: %+v, restrict %t", tt.text, got, got.hasRestrict())
		}
	}
}

// TestRestrictKey draws keys.
func TestRestrictKey(t *testing.T) {
	format := regexp.MustCompile(`^[0-9a-zA-Z]{63}$`)
	seen := map[string]bool{}
	for range 20 {
		s, err := New(mustOpen(t, "../pgarchive/testdata/pg15/cellar"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		key := s.RestrictKey()
		if !format.MatchString(key) || seen[key] {
			t.Errorf("key %q", key)
		}
		seen[key] = true
		var b bytes.Buffer
		if _, err := s.Print(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "\n\\restrict "+key+"\n\n") || !strings.HasSuffix(b.String(), "\n\\unrestrict "+key+"\n\n") {
			t.Error("key is not in the script")
		}
	}
	s, err := New(mustOpen(t, "../pgarchive/testdata/pg13/cellar"), Options{RestrictKey: "abc"})
	if err != nil || s.RestrictKey() != "" {
		t.Errorf("13.16: key %q, %v", s.RestrictKey(), err)
	}
}

// TestPieces joins the pieces by hand.
func TestPieces(t *testing.T) {
	for _, path := range []string{"../pgarchive/testdata/pg17/kitchen-zstd", "../pgarchive/testdata/pg13/kitchen.dump"} {
		s, err := New(mustOpen(t, path), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var whole, joined bytes.Buffer
		if _, err := s.Print(t.Context(), &whole); err != nil {
			t.Fatal(err)
		}
		data := 0
		for piece, err := range s.Pieces() {
			switch {
			case err != nil:
				t.Fatal(err)
			case piece.Data == nil && len(piece.SQL) == 0:
				t.Error("empty piece")
			case piece.Data == nil:
				joined.Write(piece.SQL)
			default:
				data++
				n := joined.Len()
				got, err := s.PrintData(t.Context(), &joined, piece.Data)
				if err != nil || got != int64(joined.Len()-n) {
					t.Fatalf("%d bytes, %v", got, err)
				}
			}
		}
		if !bytes.Equal(joined.Bytes(), whole.Bytes()) || data < 40 {
			t.Errorf("%s: %d bytes in pieces, %d of data, want %d bytes", path, joined.Len(), data, whole.Len())
		}
		for range s.Pieces() {
			break
		}
	}
}

type failingWriter struct{ left int }

var errFull = errors.New("full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left < len(p) {
		return w.left, errFull
	}
	w.left -= len(p)
	return len(p), nil
}

func TestPrint_WriterFails(t *testing.T) {
	s, err := New(mustOpen(t, "../pgarchive/testdata/pg17/cellar"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	total, err := s.Print(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for left := int64(0); left < total; left += 97 {
		if n, err := s.Print(t.Context(), &failingWriter{left: int(left)}); !errors.Is(err, errFull) || n != left && n > left {
			t.Errorf("after %d bytes: %d, %v", left, n, err)
		}
	}
}

func TestPrint_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := New(mustOpen(t, "../pgarchive/testdata/pg17/cellar"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Print(ctx, io.Discard); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
}
