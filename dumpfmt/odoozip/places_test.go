package odoozip

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
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
		`{"odx_places": 2, "files": [{"place": 1}]}`,
		`{"odx_places": 1, "size": 9, "length": 9, "files": [{"name": "a"}], "FILES": [{"name": "b"}, {"name": "c", "more": []}]}`,
		`{"odx_places": 1, "size": 9, "length": 9, "files": [{"name": "a", "text": {"size": 9}}, {"name": "b", "text": {"size": 9}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		defer fuzzing.Bounded(t, len(data))()
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

// TestParsePlaces_Many has lists of so many elements that all of them would take
// gigabytes.
func TestParsePlaces_Many(t *testing.T) {
	for _, list := range [][3]string{
		{`[`, `{}`, `]`},
		{`[{"name": "a", "members": [`, `{}`, `]}]`},
	} {
		text := `{"odx_places": 1, "files": ` + list[0] + strings.Repeat(list[1]+",", maxParts) + list[1] + list[2] + "}"
		if _, err := ParsePlaces([]byte(text)); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%.60s: %v, want a format error", text, err)
		}
	}
}

// TestParsePlaces_Shared has many files of one place: that of all of dump.sql.
func TestParsePlaces_Shared(t *testing.T) {
	places := &Places{Format: PlacesFormat, Size: 100, Length: 1000}
	for i := range 2 {
		places.Files = append(places.Files, FilePlace{Name: fmt.Sprintf("%d.dat", i), Text: &Place{Size: 100, Length: 500}})
	}
	for _, what := range []string{"data", "text"} {
		text, err := places.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePlaces(text); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("the same %s: %v, want a format error", what, err)
		}
		for i := range places.Files {
			places.Files[i].Text = &Place{Offset: int64(50 * i), Size: 50, Length: 501}
		}
	}
	places.Length += 2
	text, err := places.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePlaces(text); err != nil {
		t.Errorf("parts of their own: %v", err)
	}
}

// TestParsePlaces_Zeros has zeros that would fill a disk.
func TestParsePlaces_Zeros(t *testing.T) {
	text := `{"odx_places": 1, "files": [{"name": "a", "zeros": %d}, {"name": "b", "zeros": 1}]}`
	if _, err := ParsePlaces(fmt.Appendf(nil, text, MaxZeros-1)); err != nil {
		t.Errorf("within the bounds: %v", err)
	}
	if _, err := ParsePlaces(fmt.Appendf(nil, text, MaxZeros)); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("beyond the bounds: %v, want a format error", err)
	}
}

// TestParsePlaces_Newer has places of a form that this version does not know.
func TestParsePlaces_Newer(t *testing.T) {
	if _, err := ParsePlaces([]byte(`{"odx_places": 2, "files": {"a": []}}`)); !errors.Is(err, dumpfmt.ErrUnsupported) {
		t.Errorf("%v, want an unsupported format", err)
	}
}
