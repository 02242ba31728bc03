package bench

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCompareScripts(t *testing.T) {
	long := strings.Repeat("x", 3*maxPiece)
	tests := []struct{ name, a, b, want string }{
		{"empty", "", "", ""},
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"keys", "--\n\\restrict A1\nx\n\\unrestrict A1\n", "--\n\\restrict B2\nx\n\\unrestrict B2\n", ""},
		{"no keys", "--\n\\restrict A1\nx\n\\unrestrict A1\n", "--\nx\n", ""},
		{"a row like a key", "\\restrict A\n\\restrict row\n", "\\restrict A\n", "line 2 of one: \"\\\\restrict row"},
		{"a row like an end", "\\restrict A\n\\unrestrict B\n", "\\restrict A\nx\n", `\\unrestrict B`},
		{"a line", "a\nb\nc\n", "a\nB\nc\n", "after \"a\\n\"\nline 2 of one: \"b\\n\""},
		{"two lines", "a\nb\nc\n", "A\nb\nC\n", "2 differences"},
		{"longer", "a\nb\n", "a\n", "line 2 of the other: (the end)"},
		{"shorter", "a\n", "a\nb\n", "line 2 of one: (the end)"},
		{"end of line", "a\nb", "a\nb\n", "line 2 of one: \"b\""},
		{"long line", "a\n" + long + "\nb\n", "a\n" + long + "\nb\n", ""},
		{"deep in a long line", long + "1" + long + "\nb\n", long + "2" + long + "\nb\n", "1 differences"},
		{"one of the lines is long", long + long + "\nb\n", "short\nb\n", "1 differences"},
		{"carriage return", "a\r\n", "a\n", `"a\r\n"`},
		{"many", strings.Repeat("a\n", 50), strings.Repeat("b\n", 50), "10 differences"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CompareScripts(strings.NewReader(tt.a), iotest.HalfReader(strings.NewReader(tt.b)))
			checkDifference(t, err, tt.want)
		})
	}
}

func TestCompareScripts_ReadError(t *testing.T) {
	broken := errors.New("broken")
	if err := CompareScripts(strings.NewReader("a\n"), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func checkDifference(t *testing.T, err error, want string) {
	t.Helper()
	var diff *DifferenceError
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want no difference", err)
	case want != "" && !errors.As(err, &diff):
		t.Errorf("got %v, want a DifferenceError with %q", err, want)
	case want != "" && !strings.Contains(diff.Error(), want):
		t.Errorf("got %v, want it to contain %q", diff, want)
	}
}

func TestCompareTrees(t *testing.T) {
	big := strings.Repeat("0123456789", 20_000)
	base := map[string]string{"ab/1": "one", "ab/2": "", "cd/big": big, "checklist/ab/1": ""}
	tests := []struct {
		name   string
		change func(dir string) error
		want   string
	}{
		{"equal", func(string) error { return nil }, ""},
		{"missing", func(dir string) error { return os.Remove(dir + "/ab/1") }, "ab/1: only in"},
		{"missing folder", func(dir string) error { return os.RemoveAll(dir + "/cd") }, "cd: only in"},
		{"more", func(dir string) error { return os.WriteFile(dir+"/zz", nil, 0o600) }, "zz: only in"},
		{"empty folder", func(dir string) error { return os.Mkdir(dir+"/ef", 0o700) }, "ef: only in"},
		{"size", func(dir string) error { return os.WriteFile(dir+"/ab/1", []byte("ones"), 0o600) }, "ab/1: 3 and 4 bytes"},
		{"content", func(dir string) error {
			return os.WriteFile(dir+"/cd/big", []byte(big[:150_000]+"X"+big[150_001:]), 0o600)
		}, "cd/big: differs from byte 150000"},
		{"kind", func(dir string) error { return errors.Join(os.Remove(dir+"/ab/2"), os.Mkdir(dir+"/ab/2", 0o700)) }, "ab/2: "},
		{"link", func(dir string) error { return errors.Join(os.Remove(dir+"/ab/2"), os.Symlink("1", dir+"/ab/2")) }, "ab/2: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := t.TempDir(), t.TempDir()
			writeTree(t, a, base)
			writeTree(t, b, base)
			if err := tt.change(b); err != nil {
				t.Fatal(err)
			}
			checkDifference(t, CompareTrees(a, b), tt.want)
		})
	}
	if err := CompareTrees(t.TempDir(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: got %v", err)
	}
}

func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
