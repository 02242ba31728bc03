package pgarchive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"odx/dumpfmt"
)

// encode writes t and fails the test if it cannot.
func encode(t testing.TB, toc *TOC) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteTOC(&b, toc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTOC_RoundTrip(t *testing.T) {
	for _, path := range tocFiles(t) {
		want := readFile(t, path)
		for _, size := range []int64{int64(len(want)), -1} {
			toc, err := ReadTOC(bytes.NewReader(want), path, size)
			if err != nil {
				t.Error(err)
				continue
			}
			if !bytes.Equal(encode(t, toc), want) {
				t.Errorf("%s: written TOC differs", path)
			}
		}
	}
}

// TestTOC_Versions writes one TOC in every version, with and without what the
// version has no room for, and with other sizes of numbers.
func TestTOC_Versions(t *testing.T) {
	toc, err := ReadTOC(bytes.NewReader(readFile(t, "testdata/pg18/cellar/toc.dat")), tocName, -1)
	if err != nil {
		t.Fatal(err)
	}
	for minor := oldest.Minor; minor <= newest.Minor; minor++ {
		for _, size := range []uint8{3, 4, 8} {
			for _, format := range []Format{FormatCustom, FormatTar} {
				h := &toc.Header
				h.Version.Minor, h.IntSize, h.OffSize, h.Format = minor, size, size, format
				for i := range toc.Entries {
					toc.Entries[i].Offset = Offset{State: OffsetState(i%3 + 1), Pos: int64(i)}
				}
				want := encode(t, toc)
				again, err := ReadTOC(bytes.NewReader(want), tocName, int64(len(want)))
				if err != nil {
					t.Fatalf("%s, size %d, %s: %v", h.Version, size, format, err)
				}
				if !bytes.Equal(encode(t, again), want) {
					t.Errorf("%s, size %d, %s: written TOC differs", h.Version, size, format)
				}
			}
		}
	}
}

func TestReadTOC_NewerVersion(t *testing.T) {
	p := readFile(t, "testdata/pg18/cellar/toc.dat")
	p[6] = 17
	_, err := ReadTOC(bytes.NewReader(p), tocName, int64(len(p)))
	if !errors.Is(err, dumpfmt.ErrUnsupported) || !errors.Is(err, dumpfmt.ErrFormat) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"1.17", "1.16", "PostgreSQL 19"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	p[6] = 9
	if _, err := ReadTOC(bytes.NewReader(p), tocName, -1); !errors.Is(err, dumpfmt.ErrUnsupported) {
		t.Errorf("version 1.9: %v", err)
	}
}

func TestReadTOC_ErrorNamesField(t *testing.T) {
	toc, err := ReadTOC(bytes.NewReader(readFile(t, "testdata/pg15/cellar/toc.dat")), tocName, -1)
	if err != nil {
		t.Fatal(err)
	}
	head := &TOC{Header: toc.Header, Entries: toc.Entries[:1]}
	first := len(encode(t, head))
	p := encode(t, &TOC{Header: toc.Header, Entries: toc.Entries[:2]})
	// The second entry starts with its ID and data flag of five bytes each;
	// the length of the catalog OID follows.
	copy(p[first+10:], []byte{0, 0xff, 0xff, 0xff, 0x7f})
	_, err = ReadTOC(bytes.NewReader(p), tocName, int64(len(p)))
	want := fmt.Sprintf("toc.dat: entry 2, catalog OID (offset %d): string length 2147483647 exceeds 1073741824", first+10)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestReadTOC_CountBeyondFile(t *testing.T) {
	h := Header{Version: Version16, IntSize: 4, OffSize: 8, Format: FormatTar}
	p := encode(t, &TOC{Header: h})
	copy(p[len(p)-5:], []byte{0, 0xff, 0xff, 0xff, 0x03})
	for _, size := range []int64{int64(len(p)), -1} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadTOC(bytes.NewReader(p), tocName, size)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("size %d: %v", size, err)
		}
		allocs := after.TotalAlloc - before.TotalAlloc
		if allocs > 8<<20 {
			t.Errorf("size %d: %d bytes allocated", size, allocs)
		}
	}
}

func TestReadTOC_DuplicateID(t *testing.T) {
	toc, err := ReadTOC(bytes.NewReader(readFile(t, "testdata/pg15/cellar/toc.dat")), tocName, -1)
	if err != nil {
		t.Fatal(err)
	}
	toc.Entries[5].ID = toc.Entries[2].ID
	_, err = ReadTOC(bytes.NewReader(encode(t, toc)), tocName, -1)
	if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), "entry 6, dump ID") {
		t.Errorf("got %v", err)
	}
}

// stride is the distance between the bytes at which tests break files.
func stride() int {
	if testing.Short() {
		return 11
	}
	return 1
}

// TestReadTOC_Broken cuts the TOC at every length and flips a bit of every
// byte. What is still accepted must be written as it was read.
func TestReadTOC_Broken(t *testing.T) {
	for _, dir := range []string{"pg13", "pg18"} {
		whole := readFile(t, "testdata/"+dir+"/cellar/toc.dat")
		for n := 0; n < len(whole); n += stride() {
			size := int64(n)
			if n%8 == 0 {
				size = -1
			}
			_, err := ReadTOC(bytes.NewReader(whole[:n]), tocName, size)
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("%s cut to %d bytes: %v", dir, n, err)
			}
		}
		for n := 0; n < len(whole); n += stride() {
			p := bytes.Clone(whole)
			p[n] ^= 1 << (n % 8)
			toc, err := ReadTOC(bytes.NewReader(p), tocName, int64(len(p)))
			switch {
			case err == nil && !bytes.Equal(encode(t, toc), p):
				t.Fatalf("%s with byte %d flipped: accepted, but written otherwise", dir, n)
			case err != nil && !errors.Is(err, dumpfmt.ErrFormat):
				t.Fatalf("%s with byte %d flipped: %v", dir, n, err)
			}
		}
		if _, err := ReadTOC(bytes.NewReader(append(bytes.Clone(whole), 0)), tocName, -1); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%s with a byte more: %v", dir, err)
		}
	}
}

func TestReadTOC_Readers(t *testing.T) {
	p := readFile(t, "testdata/pg17/cellar/toc.dat")
	if _, err := ReadTOC(iotest.OneByteReader(bytes.NewReader(p)), tocName, -1); err != nil {
		t.Errorf("one byte at a time: %v", err)
	}
	if _, err := ReadTOC(iotest.DataErrReader(bytes.NewReader(p)), tocName, -1); err != nil {
		t.Errorf("data with the end: %v", err)
	}
	dead := errors.New("dead disk")
	_, err := ReadTOC(io.MultiReader(bytes.NewReader(p[:500]), iotest.ErrReader(dead)), tocName, -1)
	if !errors.Is(err, dead) || errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("read error: %v", err)
	}
}

func TestWriteTOC_Refuses(t *testing.T) {
	good := Header{Version: Version16, IntSize: 4, OffSize: 8, Format: FormatTar}
	entry := Entry{ID: 1, Section: SectionPreData}
	tests := map[string]func(h *Header, e *Entry){
		"newer version":  func(h *Header, _ *Entry) { h.Version.Minor = 17 },
		"no format":      func(h *Header, _ *Entry) { h.Format = 0 },
		"no size":        func(h *Header, _ *Entry) { h.IntSize = 0 },
		"small integers": func(h *Header, e *Entry) { h.IntSize = 1; e.ID = 256 },
		"ID 0":           func(_ *Header, e *Entry) { e.ID = 0 },
		"dependency":     func(_ *Header, e *Entry) { e.Dependencies = []DumpID{-1} },
	}
	for name, change := range tests {
		h, e := good, entry
		change(&h, &e)
		if err := WriteTOC(io.Discard, &TOC{Header: h, Entries: []Entry{e}}); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func BenchmarkReadTOC(b *testing.B) {
	p := bigTOC(b, 100_000)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadTOC(bytes.NewReader(p), tocName, int64(len(p))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteTOC(b *testing.B) {
	p := bigTOC(b, 100_000)
	toc, err := ReadTOC(bytes.NewReader(p), tocName, int64(len(p)))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if err := WriteTOC(io.Discard, toc); err != nil {
			b.Fatal(err)
		}
	}
}

// bigTOC repeats the entries of a real TOC under other IDs and names.
func bigTOC(b testing.TB, entries int) []byte {
	toc, err := ReadTOC(bytes.NewReader(readFile(b, "testdata/pg17/kitchen-lz4/toc.dat")), tocName, -1)
	if err != nil {
		b.Fatal(err)
	}
	some := toc.Entries
	toc.Entries = nil
	for i := range entries {
		e := some[i%len(some)]
		e.ID = DumpID(i + 1)
		e.Tag = fmt.Sprintf("%s_%d", e.Tag, i)
		toc.Entries = append(toc.Entries, e)
	}
	return encode(b, toc)
}

func TestTOC_Encoding(t *testing.T) {
	entry := func(desc, defn string) Entry { return Entry{Desc: desc, Defn: NullString{String: defn, Valid: true}} }
	for _, tt := range []struct {
		entries []Entry
		want    string
	}{
		{[]Entry{entry("STDSTRINGS", "SET standard_conforming_strings = 'on';\n"), entry("ENCODING", "SET client_encoding = 'UTF8';\n")}, "UTF8"},
		{[]Entry{entry("ENCODING", "SET client_encoding = LATIN1;\n")}, ""},
		{[]Entry{entry("ENCODING", "SET client_encoding = 'LATIN1")}, ""},
		{nil, ""},
	} {
		if got := (&TOC{Entries: tt.entries}).Encoding(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.entries, got, tt.want)
		}
	}
}
