package render

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// sharedFixtures holds more archives than testdata, with the scripts that
// pg_restore made of them; it is not part of the repository.
const sharedFixtures = "../../../shared/fixtures"

// fixtureKey is the restrict key in the fixtures' scripts.
const fixtureKey = "kitchen"

func mustOpen(t testing.TB, path string) *pgarchive.Archive {
	t.Helper()
	a, err := pgarchive.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func printed(t testing.TB, a *pgarchive.Archive, opts Options) []byte {
	t.Helper()
	s, err := New(a, opts)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	n, err := s.Print(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Errorf("%d bytes counted, %d written", n, b.Len())
	}
	return b.Bytes()
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantSame fails the test with the first line that differs.
func wantSame(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(g), len(w)) {
		var x, y []byte
		if i < len(g) {
			x = g[i]
		}
		if i < len(w) {
			y = w[i]
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s: line %d:\ngot  %.200q\nwant %.200q", name, i+1, x, y)
			return
		}
	}
}

// TestPrint_Fixtures holds scripts against those of pg_restore of the release
// that made the archives.
func TestPrint_Fixtures(t *testing.T) {
	tests := []struct {
		archive, script string
		noOwner         bool
	}{
		{"pg13/dir", "pg13/restore", false},
		{"pg13/dir", "pg13/restore-noowner", true},
		{"pg13/custom.dump", "pg13/restore", false},
		{"pg13/custom.dump", "pg13/restore-noowner", true},
		{"pg13/cellar/dir", "pg13/cellar/restore", false},
		{"pg15/dir", "pg15/restore", false},
		{"pg15/dir", "pg15/plain", false},
		{"pg15/dir", "pg15/restore-noowner", true},
		{"pg15/custom.dump", "pg15/restore", false},
		{"pg15/cellar/dir", "pg15/cellar/restore", false},
		{"pg17/dir", "pg17/restore", false},
		{"pg17/dir", "pg17/restore-noowner", true},
		{"pg17/dir-zstd", "pg17/restore", false},
		{"pg17/dir-lz4", "pg17/restore", false},
		{"pg17/dir-lz4", "pg17/restore-noowner", true},
		{"pg17/custom.dump", "pg17/restore", false},
		{"pg17/cellar/dir", "pg17/cellar/restore", false},
		{"pg18/dir", "pg18/restore", false},
		{"pg18/dir", "pg18/plain", false},
		{"pg18/dir", "pg18/restore-noowner", true},
		{"pg18/dir", "pg18/plain-noowner", true},
		{"pg18/custom.dump", "pg18/restore", false},
		{"pg18/custom.dump", "pg18/restore-noowner", true},
		{"pg18/dir-statistics", "pg18/restore-statistics", false},
		{"pg18/cellar/dir", "pg18/cellar/restore", false},
		{"pg18/cellar/dir-inserts", "pg18/cellar/restore-inserts", false},
	}
	if _, err := os.Stat(sharedFixtures); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no shared fixtures")
	}
	for _, tt := range tests {
		name := fmt.Sprintf("%s as %s", tt.archive, tt.script)
		a := mustOpen(t, filepath.Join(sharedFixtures, tt.archive))
		got := printed(t, a, Options{NoOwner: tt.noOwner, RestrictKey: fixtureKey})
		wantSame(t, name, got, gunzip(t, filepath.Join(sharedFixtures, tt.script+".sql.gz")))
	}
}
