package pgarchive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"odx/dumpfmt"
)

// repeated gives the same bytes without end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

// TestData_LegacyLZ4 has nothing but starts of legacy frames, for each of which
// the library calls itself.
func TestData_LegacyLZ4(t *testing.T) {
	frame := pack(t, []byte("text"), LZ4)
	for name, r := range map[string]io.Reader{
		"at the start":   &repeated{text: legacyLZ4},
		"byte by byte":   iotest.OneByteReader(&repeated{text: legacyLZ4}),
		"after a frame":  io.MultiReader(bytes.NewReader(frame), &repeated{text: legacyLZ4}),
		"after a skip":   io.MultiReader(strings.NewReader("\x50\x2a\x4d\x18\x01\x00\x00\x00x"), &repeated{text: legacyLZ4}),
		"after a block":  io.MultiReader(strings.NewReader(legacyLZ4+"\x02\x00\x00\x00\x10x"), &repeated{text: legacyLZ4}),
		"skip in a skip": io.MultiReader(strings.NewReader("\x50\x2a\x4d\x18\x04\x00\x00\x00"), &repeated{text: legacyLZ4}),
	} {
		d := newFileReader(r, nil, "1.dat.lz4")
		if _, err := io.Copy(io.Discard, d); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestData_LegacyLZ4Text has the start of a legacy frame as text.
func TestData_LegacyLZ4Text(t *testing.T) {
	text := []byte(legacyLZ4)
	file := slices.Concat(pack(t, text, LZ4), pack(t, append(text, text...), LZ4), pack(t, text, LZ4))
	for _, r := range []io.Reader{bytes.NewReader(file), iotest.OneByteReader(bytes.NewReader(file))} {
		d := newFileReader(r, nil, "1.dat.lz4")
		got, err := io.ReadAll(d)
		if err != nil || string(got) != strings.Repeat(legacyLZ4, 4) {
			t.Errorf("%q, %v", got, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestExpectLargeObjects_Shared has one group of large objects for many entries.
func TestExpectLargeObjects_Shared(t *testing.T) {
	const oids, lists = 100_000, 20_000
	toc := &TOC{Header: Header{Version: Version16}, Entries: []Entry{
		{ID: 1, Desc: DescBlobMetadata, Defn: Str(strings.Repeat("7\n", oids))},
	}}
	for i := range lists {
		toc.Entries = append(toc.Entries, Entry{ID: DumpID(2 + i), Desc: DescBlobs, HadDumper: true, Dependencies: []DumpID{1}})
	}
	expected := expectLargeObjects(toc)
	if x := expected[1+lists]; len(expected) != lists || !x.valid || len(x.oids) != oids {
		t.Errorf("%d expectations, the last of %d large objects", len(expected), len(x.oids))
	}
}

// TestCheck_LongList has a list of large objects with nothing behind any line,
// in an archive whose names are long.
func TestCheck_LongList(t *testing.T) {
	const lines = maxBlame + 5
	dir := t.TempDir()
	rewriteTOC(t, dir, &TOC{Header: Header{Version: Version14, IntSize: 4, OffSize: 8, Format: FormatTar}, Entries: []Entry{{
		ID: 7, HadDumper: true, Tag: strings.Repeat("t", 1<<20), Desc: DescBlobs, Section: SectionData, File: oldList,
	}}})
	var list []byte
	for i := range lines {
		list = AppendLargeObject(list, uint32(1+i))
	}
	if err := os.WriteFile(filepath.Join(dir, oldList), list, 0o600); err != nil {
		t.Fatal(err)
	}
	a := mustOpen(t, dir)
	_, err := a.Check(t.Context(), CheckOptions{})
	more := fmt.Sprintf("%d more errors like these", lines-dumpfmt.MaxJoined)
	if !errors.Is(err, dumpfmt.ErrFormat) || !strings.HasSuffix(err.Error(), more) || len(err.Error()) > 1<<16 {
		t.Errorf("%.200q", err)
	}
	var wrong []error
	if _, err := a.Check(t.Context(), CheckOptions{Wrong: func(err error) { wrong = append(wrong, err) }}); err != nil {
		t.Fatal(err)
	}
	if last := wrong[len(wrong)-1]; len(wrong) != maxBlame+1 || !strings.HasSuffix(last.Error(), " 5 more errors like these") {
		t.Errorf("%d errors, the last %.200q", len(wrong), last)
	}
}

// TestCustom_Overlap has blocks that each go on with all that follow: a chunk of
// each covers the start of the next.
func TestCustom_Overlap(t *testing.T) {
	const blocks = 50_000
	toc := &TOC{Header: Header{Version: Version14, IntSize: 4, OffSize: 8, Format: FormatCustom}}
	for i := range blocks {
		toc.Entries = append(toc.Entries, Entry{ID: DumpID(1 + i), HadDumper: true, Tag: "t", Desc: DescTableData,
			Section: SectionData, CopyStmt: Str("COPY t FROM stdin;\n"), Offset: Offset{State: OffsetSet}})
	}
	number := func(p []byte, n int) []byte { return binary.LittleEndian.AppendUint32(append(p, 0), uint32(n)) }
	const header = 1 + 5 // the next block's
	var body []byte
	size := len(encode(t, toc))
	for i := range blocks {
		toc.Entries[i].Offset.Pos = int64(size + len(body))
		body = append(body, blockData)
		body = number(body, 1+i)
		if i < blocks-1 {
			body = number(body, header)
		}
	}
	body = number(body, len(copyEnd))
	body = number(append(body, copyEnd...), 0)

	path := filepath.Join(t.TempDir(), "overlap.dump")
	if err := os.WriteFile(path, append(encode(t, toc), body...), 0o600); err != nil {
		t.Fatal(err)
	}
	a := mustOpen(t, path)
	_, err := a.Check(t.Context(), CheckOptions{Jobs: 1})
	if want := fmt.Sprintf("%d more errors", blocks-1-dumpfmt.MaxJoined); !errors.Is(err, dumpfmt.ErrFormat) ||
		!strings.Contains(err.Error(), "but the next block starts at") || !strings.Contains(err.Error(), want) {
		t.Errorf("%.500v", err)
	}
	r, err := a.Data(&a.TOC.Entries[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("data: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpen_PackedTooWell has a table of contents that is small only as long as
// it is packed.
func TestOpen_PackedTooWell(t *testing.T) {
	dir := t.TempDir()
	toc := &TOC{Header: Header{Version: Version14, IntSize: 4, OffSize: 8, Format: FormatTar}}
	head := encode(t, toc)
	// The database name, the first string, is as long as a string may be.
	name := bytes.LastIndex(head, binary.LittleEndian.AppendUint32([]byte{1}, 1)) - 2*5
	head = binary.LittleEndian.AppendUint32(append(head[:name:name], 0), dumpfmt.MaxString)
	if err := os.WriteFile(filepath.Join(dir, tocName+".gz"), pack(t, head, Gzip), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), "database name") ||
		!strings.Contains(err.Error(), "beyond the limit") {
		t.Errorf("got %v", err)
	}
	for size, want := range map[int64]int64{0: 256 << 20, 1 << 20: 256 << 20, 8 << 20: 800 << 20, 1 << 40: dumpfmt.MaxTOC} {
		if got := PackedLimit(size); got != want {
			t.Errorf("%d bytes: %d, want %d", size, got, want)
		}
	}
}

func TestSplitRow_Tabs(t *testing.T) {
	row := bytes.Repeat([]byte{'\t'}, dumpfmt.MaxRow)
	if got := splitRow(row, 3); len(got) != 4 {
		t.Errorf("%d fields", len(got))
	}
	for columns, want := range []int{0: 0, 1: 1} {
		if got := splitRow(nil, columns); len(got) != want {
			t.Errorf("%d columns: %d fields", columns, len(got))
		}
	}
}
