package sqlscript

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scanAll gives the pieces of a script.
func scanAll(r io.Reader) ([]Piece, error) {
	s := NewScanner(r, "dump.sql")
	var all []Piece
	for {
		p, err := s.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		p.Data = bytes.Clone(p.Data)
		all = append(all, p)
	}
}

// joined gives the pieces joined, after it has checked their places.
func joined(t testing.TB, all []Piece) []byte {
	t.Helper()
	var text []byte
	line := int64(1)
	for _, p := range all {
		if p.Offset != int64(len(text)) || p.Line != line {
			t.Fatalf("%s %.40q is at offset %d, line %d, want %d, %d", p.Kind, p.Data, p.Offset, p.Line, len(text), line)
		}
		if len(p.Data) == 0 {
			t.Fatalf("empty %s at offset %d", p.Kind, p.Offset)
		}
		text = append(text, p.Data...)
		line += int64(bytes.Count(p.Data, []byte{'\n'}))
	}
	return text
}

// fixtures gives the scripts in testdata and in the shared folder.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	scripts := make(map[string][]byte)
	paths, err := filepath.Glob("../rebuild/testdata/pg*/*.sql.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		scripts[strings.TrimPrefix(path, "../rebuild/testdata/")] = unpack(t, path)
	}
	if len(scripts) == 0 {
		t.Fatal("no scripts")
	}
	return scripts
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

func TestScanner_Fixtures(t *testing.T) {
	for name, script := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			all, err := scanAll(bytes.NewReader(script))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(joined(t, all), script) {
				t.Error("pieces joined are not the script")
			}
			count := make(map[Kind]int)
			for _, p := range all {
				count[p.Kind]++
				if p.Kind == HeaderComment {
					if _, err := ParseHeader(p.Data); err != nil {
						t.Error(err)
					}
				}
				if bytes.Contains(p.Data, []byte("fake")) && p.Kind == HeaderComment {
					if !bytes.Contains(p.Data, []byte("x\" FROM stdin")) {
						t.Errorf("a header that is none: %s", p.Data)
					}
				}
			}
			if count[HeaderComment] < 10 || count[Statement] < 10 || count[Copy] != count[RowsEnd] {
				t.Errorf("pieces: %v", count)
			}
			other, err := scanAll(&small{bytes.NewReader(script), 7})
			if err != nil || describe(other) != describe(all) {
				t.Errorf("read 7 bytes at a time: other pieces, %v", err)
			}
		})
	}
}

// small reads at most n bytes at a time.
type small struct {
	r io.Reader
	n int
}

func (s *small) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

// TestIndexMarked looks for the mark at every place of texts that nearly have
// it.
func TestIndexMarked(t *testing.T) {
	for _, fill := range []string{"x", "\n", "\\", ".", "\n\\", "\\.", "\\.\n", "\n\\.x", "\n\\\\.\n", "\x00", "\x0b", "\xff"} {
		text := []byte(strings.Repeat(fill, 40))
		for size := range 40 {
			for at := -1; at+len(markedLine) <= size; at++ {
				p := bytes.Clone(text[:size])
				if at >= 0 {
					copy(p[at:], markedLine)
				}
				if got, want := indexMarked(p), bytes.Index(p, markedLine); got != want {
					t.Fatalf("%q: %d, want %d", p, got, want)
				}
			}
		}
	}
}

func BenchmarkScanner_Rows(b *testing.B) {
	for name, row := range map[string]string{
		"short":       "1\t2\n",
		"odoo":        "12345\t1\t2024-01-01 10:20:30.123456\tres.partner\t\\N\tSome name of a thing\tt\n",
		"backslashes": "1\t\\\\x0123\\n\\\\\\N\\t\\\\.\n",
		"bytea":       "1\t\\\\x" + strings.Repeat("0123456789abcdef", 64) + "\n",
		"long":        strings.Repeat("x", 1<<20) + "\n",
	} {
		b.Run(name, func(b *testing.B) {
			script := []byte("COPY public.t (a) FROM stdin;\n" + strings.Repeat(row, 64<<20/len(row)) + "\\.\n")
			b.SetBytes(int64(len(script)))
			for b.Loop() {
				s := NewScanner(bytes.NewReader(script), "")
				for {
					if _, err := s.Next(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
