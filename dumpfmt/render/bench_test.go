package render

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// BenchmarkPieces prints the SQL of 100,000 entries, those of a real dump
// again and again.
func BenchmarkPieces(b *testing.B) {
	a := mustOpen(b, "../pgarchive/testdata/pg18/kitchen.dump")
	entries := a.TOC.Entries
	for len(a.TOC.Entries) < 100_000 {
		a.TOC.Entries = append(a.TOC.Entries, entries...)
	}
	for b.Loop() {
		s, err := New(a, Options{})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for piece, err := range s.Pieces() {
			if err != nil {
				b.Fatal(err)
			}
			n += len(piece.SQL)
		}
		b.SetBytes(int64(n))
	}
}

// BenchmarkPrint prints 256 MiB of rows that are stored in several ways.
func BenchmarkPrint(b *testing.B) {
	row := []byte("4711\tSO04711\tdraft\t2026-01-31 12:34:56.789\t\\N\t1234.56\tsome text\n")
	text := append(bytes.Repeat(row, (256<<20)/len(row)), "\\.\n\n\n"...)
	for _, c := range []pgarchive.Compression{pgarchive.None} {
		b.Run(fmt.Sprint(c), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../pgarchive/testdata/pg15/cellar")); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "3376.dat"), text, 0o600); err != nil {
				b.Fatal(err)
			}
			s, err := New(mustOpen(b, dir), Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := s.Print(b.Context(), io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
