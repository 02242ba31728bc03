package pgtool

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestLineWriter(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"two lines", "a\nb\n", []string{"a", "b"}},
		{"no newline at the end", "a\nb", []string{"a", "b"}},
		{"empty lines", "\n\na\n", []string{"", "", "a"}},
		{"carriage returns", "a\r\nb\rc\n", []string{"a", "b\rc"}},
		{"longest line", long + "\nb\n", []string{long, "b"}},
		{"too long a line", long + "yyy\nb\n", []string{long, "b"}},
		{"much too long a line", strings.Repeat(long, 3) + "\nb", []string{long, "b"}},
		{"too long and no newline", long + long, []string{long}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, read := range map[string]func(io.Reader) io.Reader{
				"at once": func(r io.Reader) io.Reader { return r },
				"halves":  iotest.HalfReader,
				"bytes":   iotest.OneByteReader,
			} {
				var got []string
				w := lineWriter{each: func(line string) { got = append(got, line) }}
				if _, err := io.Copy(&w, struct{ io.Reader }{read(strings.NewReader(tt.in))}); err != nil {
					t.Fatal(err)
				}
				w.flush()
				if !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %d lines %.200q, want %d lines %.200q", name, len(got), got, len(tt.want), tt.want)
				}
			}
		})
	}
}

func TestLineWriter_Tail(t *testing.T) {
	var w lineWriter
	for i := range 3 * tailLines {
		fmt.Fprintf(&w, "line %d\n", i)
	}
	_, _ = io.WriteString(&w, strings.Repeat("ä", tailBytes)+" end")
	w.flush()
	lines := strings.Split(w.text(), "\n")
	if got, want := len(lines), tailLines; got != want {
		t.Fatalf("got %d lines, want %d", got, want)
	}
	if got, want := lines[0], fmt.Sprintf("line %d", 2*tailLines+1); got != want {
		t.Errorf("first line is %q, want %q", got, want)
	}
	last := lines[len(lines)-1]
	if len(last) > tailBytes+3 || !utf8.ValidString(last) || !strings.HasSuffix(last, "ä...") {
		t.Errorf("last line of %d bytes is %q", len(last), last)
	}
}

// TestLineWriter_Failure has an error about a statement of many lines.
func TestLineWriter_Failure(t *testing.T) {
	for _, long := range []int{tailLines - 1, tailLines, 3 * tailLines} {
		var w lineWriter
		fmt.Fprintf(&w, "pg_restore: creating VIEW\npg_restore: error: could not execute query: ERROR:  no\n")
		for i := range long {
			fmt.Fprintf(&w, "line %d\n", i)
		}
		fmt.Fprintf(&w, "pg_restore: error: a worker process died unexpectedly\n")
		w.flush()
		said := (&ExitError{Tool: "pg_restore", Code: 1, Stderr: w.text()}).Error()
		if n := strings.Count(said, "could not execute query: ERROR:  no"); n != 1 {
			t.Errorf("%d lines: the error is there %d times: %s", long, n, said)
		}
		if !strings.HasSuffix(said, "died unexpectedly") || strings.Contains(said, "creating VIEW") {
			t.Errorf("%d lines: %s", long, said)
		}
	}
}
