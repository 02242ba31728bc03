package render

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
	"odx/dumpfmt/pgarchive"
)

// tableOfContents gives the toc.dat of an archive in pgarchive's testdata.
func tableOfContents(t testing.TB, archive string) []byte {
	t.Helper()
	p, err := os.ReadFile(filepath.Join("../pgarchive/testdata", archive, "toc.dat"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// printTOC prints the SQL of a table of contents, if it is one, in all variants
// and makes sure that all errors are of the format.
func printTOC(t testing.TB, p []byte) {
	toc, err := pgarchive.ReadTOC(bytes.NewReader(p), "toc.dat", int64(len(p)))
	if err != nil {
		return
	}
	for _, v := range variants {
		v.opts.RestrictKey = fixtureKey
		s, err := New(&pgarchive.Archive{TOC: toc}, v.opts)
		if err == nil {
			err = drain(t, s)
		}
		if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("not a format error: %v", err)
		}
	}
}

func drain(t testing.TB, s *Script) error {
	for piece, err := range s.Pieces() {
		if err != nil {
			return err
		}
		if (piece.Data == nil) != (len(piece.SQL) > 0) {
			t.Errorf("piece with %d bytes of SQL and data of %v", len(piece.SQL), piece.Data)
		}
	}
	return nil
}

// TestPieces_Flipped flips a bit in each byte.
func TestPieces_Flipped(t *testing.T) {
	for _, archive := range []string{"pg13/cellar", "pg17/cellar"} {
		p := tableOfContents(t, archive)
		for i := range p {
			bit := byte(1) << (i % 8)
			p[i] ^= bit
			printTOC(t, p)
			p[i] ^= bit
		}
	}
}

// FuzzPieces: what is a table of contents is printed, or an error of the
// format.
func FuzzPieces(f *testing.F) {
	for _, archive := range []string{"pg13/cellar", "pg15/cellar", "pg17/cellar", "pg18/cellar-inserts"} {
		f.Add(tableOfContents(f, archive))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		defer fuzzing.Bounded(t, len(p))()
		printTOC(t, p)
	})
}
