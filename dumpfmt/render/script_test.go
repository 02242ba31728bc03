package render

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// sharedFixtures holds more archives than testdata; it is not part of the
// repository.
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

// TestPrint_Scripts holds scripts against those of pg_restore of the release
// that made the archives.
func TestPrint_Scripts(t *testing.T) {
	const archives = "../pgarchive/testdata/"
	tests := []struct {
		archive, script string
		noOwner         bool
	}{
		{archives + "pg13/kitchen.dump", "pg13/kitchen", false},
		{archives + "pg13/kitchen.dump", "pg13/kitchen-noowner", true},
		{archives + "pg13/cellar", "pg13/cellar", false},
		{archives + "pg15/kitchen.dump", "pg15/kitchen", false},
		{archives + "pg15/kitchen.dump", "pg15/kitchen-noowner", true},
		{archives + "pg15/cellar", "pg15/cellar", false},
		{archives + "pg17/kitchen.dump", "pg17/kitchen", false},
		{archives + "pg17/kitchen.dump", "pg17/kitchen-noowner", true},
		{archives + "pg17/kitchen-lz4", "pg17/kitchen", false},
		{archives + "pg17/kitchen-zstd", "pg17/kitchen-noowner", true},
		{archives + "pg17/cellar", "pg17/cellar", false},
		{archives + "pg18/kitchen.dump", "pg18/kitchen", false},
		{archives + "pg18/kitchen.dump", "pg18/kitchen-noowner", true},
		{archives + "pg18/cellar", "pg18/cellar", false},
		{archives + "pg18/cellar-inserts", "pg18/cellar-inserts", false},
		{"testdata/pg18/statistics", "pg18/statistics", false},
	}
	for _, tt := range tests {
		got := printed(t, mustOpen(t, tt.archive), Options{NoOwner: tt.noOwner, RestrictKey: fixtureKey})
		wantSame(t, tt.archive, got, gunzip(t, "testdata/"+tt.script+".sql.gz"))
	}
}
