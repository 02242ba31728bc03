package pgarchive

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkCheck measures the text that a check decodes, for one table of
// 64 MB in each compression.
func BenchmarkCheck(b *testing.B) {
	var text bytes.Buffer
	for i := 0; text.Len() < 64<<20; i++ {
		fmt.Fprintf(&text, "%d\tres.partner\tname %d of something\t\\N\tt\t2024-05-%02d 10:11:12.345678\t%x\n", i, i*7919%100003, i%28+1, i*2654435761)
	}
	text.WriteString(copyEnd)
	for _, c := range []Compression{None, Gzip, LZ4, Zstd} {
		b.Run(c.String(), func(b *testing.B) {
			a, e := rowsArchive(b, "COPY public.t (a) FROM stdin;\n", "")
			if err := os.Remove(filepath.Join(a.Path(), e.File)); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(a.Path(), e.File+c.Suffix()), pack(b, text.Bytes(), c), 0o600); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Check(b.Context(), CheckOptions{Jobs: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSafeForParallel(b *testing.B) {
	p := bigTOC(b, 100_000)
	toc, err := ReadTOC(bytes.NewReader(p), tocName, int64(len(p)))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		SafeForParallel(toc)
	}
}
