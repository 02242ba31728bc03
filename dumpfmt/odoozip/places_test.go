package odoozip

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"odx/dumpfmt"
)

// FuzzParsePlaces: every place that is accepted is within dump.sql, every name
// is one of a file, and all is written and read again as the same.
func FuzzParsePlaces(f *testing.F) {
	data, err := os.ReadFile("testdata/places.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, seed := range []string{
		`{"odx_places": 2}`,
		`{"odx_places": 1, "size": 100, "length": 9, "files": [{"name": "1.dat.gz", "zeros": 3, "members": [{"offset": 1, "size": 2, "length": 9, "header": "H4s=", "last": -1, "bits": 16}]}]}`,
		`{"odx_places": 1, "size": 100, "length": 9, "files": [{"name": "1.dat.zst", "text": {"offset": 98, "size": 2}}, {"name": "blobs.toc"}]}`,
		`{"odx_places": 1, "size": -9223372036854775808, "files": [{"name": "a", "text": {"size": 1}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePlaces(data)
		if err != nil {
			if !errors.Is(err, dumpfmt.ErrFormat) && !errors.Is(err, dumpfmt.ErrUnsupported) {
				t.Fatalf("%v matches neither ErrFormat nor ErrUnsupported", err)
			}
			return
		}
		for i := range p.Files {
			checkPlace(t, p, &p.Files[i])
		}
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePlaces(text)
		if err != nil {
			t.Fatalf("what was encoded is not read: %v\n%s", err, text)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(second, text) {
			t.Fatalf("%s\nbecame\n%s, %v", text, second, err)
		}
	})
}

// checkPlace holds a file's place against what whoever cuts it out relies on:
// sums of offsets, sizes and bits do not overflow.
func checkPlace(t *testing.T, p *Places, f *FilePlace) {
	t.Helper()
	checkSafe(t, f.Name)
	if strings.ContainsRune(f.Name, '/') || f.Bytes < 0 || f.Zeros < 0 {
		t.Errorf("%q: %d bytes and %d zeros", f.Name, f.Bytes, f.Zeros)
	}
	for _, part := range f.texts() {
		if end := part.Offset + part.Size; part.Offset < 0 || part.Size < 0 || end < part.Offset || end > p.Size {
			t.Errorf("%q: from %d, %d bytes, of %d", f.Name, part.Offset, part.Size, p.Size)
		}
		if part.Length < 0 || part.Length > p.Length {
			t.Errorf("%q: %d bytes of text, of %d", f.Name, part.Length, p.Length)
		}
	}
	if n := f.TextLength(); n < 0 {
		t.Errorf("%q: %d bytes of text in all", f.Name, n)
	}
	for _, m := range f.Members {
		if m.Bits < 0 || (m.Bits+7)/8 > m.Size || m.Last < -1 || m.Last >= m.Bits && m.Last >= 0 {
			t.Errorf("%q: bits %d, last %d in %d bytes", f.Name, m.Bits, m.Last, m.Size)
		}
	}
}
