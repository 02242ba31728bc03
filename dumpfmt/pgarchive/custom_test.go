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

	"github.com/klauspost/compress/zlib"

	"odx/dumpfmt"
)

// customFiles gives the custom-format files in testdata.
func customFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.dump")
	if err != nil || len(files) != 8 {
		t.Fatalf("custom-format files: %q, %v", files, err)
	}
	return files
}

func TestCustom_TOCRoundTrip(t *testing.T) {
	for _, path := range customFiles(t) {
		a := mustOpen(t, path)
		if want := readFile(t, path)[:a.custom.tocEnd]; !bytes.Equal(encode(t, a.TOC), want) {
			t.Errorf("%s: written TOC differs", path)
		}
	}
}

func TestCustom_Check(t *testing.T) {
	for _, path := range customFiles(t) {
		a := mustOpen(t, path)
		report, err := a.Check(t.Context(), CheckOptions{Jobs: 2})
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if report.Bytes != a.custom.size-a.custom.tocEnd || report.Files == 0 {
			t.Errorf("%s: report %+v", path, report)
		}
		sizes, err := a.Sizes()
		if err != nil || len(sizes) != report.Files {
			t.Errorf("%s: sizes %v, %v", path, sizes, err)
		}
	}
}

// contents gives all data of an archive by what they belong to, the large
// objects by their OID.
func contents(t testing.TB, a *Archive) map[string]string {
	t.Helper()
	m := make(map[string]string)
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if !e.HadDumper {
			continue
		}
		if !e.IsLargeObjects() {
			m[e.Namespace.String+"."+e.Tag] = string(readData(t, a, e))
			continue
		}
		for lo, err := range a.LargeObjects(e) {
			if err != nil {
				t.Fatal(err)
			}
			r, err := lo.Open()
			if err != nil {
				t.Fatal(err)
			}
			p, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			m[fmt.Sprint(lo.OID)] = string(p)
		}
	}
	return m
}

func sameContents(t *testing.T, name string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d pieces of data, want %d", name, len(got), len(want))
	}
	for k := range want {
		if got[k] != want[k] {
			t.Errorf("%s: %s differs", name, k)
		}
	}
}

// TestCustom_Data reads the same databases from both formats.
func TestCustom_Data(t *testing.T) {
	want := contents(t, mustOpen(t, "testdata/pg15/cellar"))
	for _, name := range []string{"cellar", "cellar-none", "cellar-pipe"} {
		sameContents(t, name, contents(t, mustOpen(t, "testdata/pg15/"+name+".dump")), want)
	}
	kitchen := contents(t, mustOpen(t, "testdata/pg17/kitchen.dump"))
	sameContents(t, "pg17", kitchen, contents(t, mustOpen(t, "testdata/pg17/kitchen-lz4")))
	for _, v := range []string{"pg13", "pg15", "pg18"} {
		dir := filepath.Join(sharedFixtures, v, "dir")
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		sameContents(t, v, contents(t, mustOpen(t, filepath.Join("testdata", v, "kitchen.dump"))), contents(t, mustOpen(t, dir)))
	}
}

// customWriter makes custom-format files as pg_dump does it, but in any
// compression and with pieces of any size.
type customWriter struct {
	t     testing.TB
	c     Compression
	chunk int
	body  bytes.Buffer
}

func (w *customWriter) int(v int64) {
	sign := byte(0)
	if v < 0 {
		sign, v = 1, -v
	}
	w.body.WriteByte(sign)
	w.body.Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
}

func (w *customWriter) stream(r io.ReadCloser, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	p := packStream(w.t, text, w.c)
	for c := range slices.Chunk(p, w.chunk) {
		w.int(int64(len(c)))
		w.body.Write(c)
	}
	w.int(0)
}

func (w *customWriter) entry(a *Archive, e *Entry) {
	w.t.Helper()
	if !e.IsLargeObjects() {
		w.body.WriteByte(blockData)
		w.int(int64(e.ID))
		w.stream(a.Data(e))
		return
	}
	w.body.WriteByte(blockLargeObjects)
	w.int(int64(e.ID))
	for lo, err := range a.LargeObjects(e) {
		if err != nil {
			w.t.Fatal(err)
		}
		w.int(int64(int32(lo.OID)))
		w.stream(lo.Open())
	}
	w.int(0)
}

// customOf makes a custom-format file of the archive.
func customOf(t testing.TB, a *Archive, c Compression, chunk int) string {
	t.Helper()
	toc := &TOC{Header: a.TOC.Header, Entries: slices.Clone(a.TOC.Entries)}
	h := &toc.Header
	h.Version, h.Format, h.Algorithm = Version16, FormatCustom, c
	size := int64(len(encode(t, toc))) // the offsets do not change it
	w := &customWriter{t: t, c: c, chunk: chunk}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		e.Offset.State = OffsetNoData
		if e.HadDumper {
			e.Offset = Offset{State: OffsetSet, Pos: size + int64(w.body.Len())}
			w.entry(a, &a.TOC.Entries[i])
		}
	}
	path := filepath.Join(t.TempDir(), "made.dump")
	if err := os.WriteFile(path, append(encode(t, toc), w.body.Bytes()...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// packStream compresses as custom-format files have it.
func packStream(t testing.TB, text []byte, c Compression) []byte {
	t.Helper()
	if c != Gzip {
		return pack(t, text, c)
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCustom_Compressions(t *testing.T) {
	a := mustOpen(t, "testdata/pg17/kitchen-zstd")
	want := contents(t, a)
	for _, c := range []Compression{None, Gzip, LZ4, Zstd} {
		for _, chunk := range []int{1000, 4096, 3 * sourceBuffer} {
			made := mustOpen(t, customOf(t, a, c, chunk))
			if _, err := made.Check(t.Context(), CheckOptions{}); err != nil {
				t.Errorf("%s: %v", c, err)
			}
			sameContents(t, c.String(), contents(t, made), want)
		}
	}
}

// TestCustom_Broken cuts files at every length and flips a bit of every byte.
func TestCustom_Broken(t *testing.T) {
	small := mustOpen(t, "testdata/pg18/cellar")
	files := map[string]string{
		"gzip":         "testdata/pg15/cellar.dump",
		"none":         "testdata/pg15/cellar-none.dump",
		"pipe":         "testdata/pg15/cellar-pipe.dump",
		"inserts pipe": "testdata/pg15/cellar-inserts-pipe.dump",
		"lz4":          customOf(t, small, LZ4, 100),
		"zstd":         customOf(t, small, Zstd, 100),
	}
	for name, path := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := readFile(t, path)
			want := contents(t, mustOpen(t, path))
			tocEnd := int(mustOpen(t, path).custom.tocEnd)
			tmp := filepath.Join(t.TempDir(), "broken.dump")
			for n := len(whole) - 1; n >= 0; n-- {
				if n%stride() != 0 || n < tocEnd && n%64 != 0 {
					continue // ReadTOC has its own test
				}
				if err := checkBytes(t, tmp, whole[:n]); !errors.Is(err, dumpfmt.ErrFormat) {
					t.Fatalf("cut from %d to %d bytes: %v", len(whole), n, err)
				}
			}
			for n := range whole {
				if n%stride() != 0 || n < tocEnd && n%16 != 0 {
					continue
				}
				p := bytes.Clone(whole)
				p[n] ^= 1 << (n % 8)
				err := checkBytes(t, tmp, p)
				if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
					t.Fatalf("byte %d flipped: %v", n, err)
				}
				if err == nil && n >= tocEnd && (name == "gzip" || name == "pipe") {
					// Only gzip has a checksum; what passes must mean the same.
					sameContents(t, fmt.Sprintf("byte %d flipped", n), contents(t, mustOpen(t, tmp)), want)
				}
			}
			if err := checkBytes(t, tmp, append(bytes.Clone(whole), 0)); !errors.Is(err, dumpfmt.ErrFormat) {
				t.Errorf("with a byte more: %v", err)
			}
		})
	}
}

// checkBytes opens and checks a file with these bytes.
func checkBytes(t testing.TB, path string, p []byte) error {
	t.Helper()
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(path)
	if err != nil {
		return err
	}
	_, err = a.Check(t.Context(), CheckOptions{Jobs: 1})
	return err
}

func TestCustom_Errors(t *testing.T) {
	whole := readFile(t, "testdata/pg15/cellar.dump")
	a := mustOpen(t, "testdata/pg15/cellar.dump")
	tocEnd := int(a.custom.tocEnd)
	tests := []struct {
		name string
		edit func(p []byte) []byte
		want string
	}{
		{"unknown block", func(p []byte) []byte { p[tocEnd] = 7; return p }, "block of type 7"},
		{"other entry", func(p []byte) []byte { p[tocEnd+2]++; return p }, "block is that of dump ID"},
		{"bytes between", func(p []byte) []byte {
			return append(p[:tocEnd:tocEnd], append([]byte("xx"), p[tocEnd:]...)...)
		}, "block"},
		{"no data at all", func(p []byte) []byte { return p[:tocEnd] }, "data offset"},
	}
	for _, tt := range tests {
		err := checkBytes(t, filepath.Join(t.TempDir(), "x.dump"), tt.edit(bytes.Clone(whole)))
		if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "x.dump: ") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestCustom_NoData reads what pg_dump -Fc --schema-only leaves: a table of
// contents alone.
func TestCustom_NoData(t *testing.T) {
	a := mustOpen(t, "testdata/pg15/cellar.dump")
	toc := &TOC{Header: a.TOC.Header}
	for _, e := range a.TOC.Entries {
		if !e.HadDumper {
			toc.Entries = append(toc.Entries, e)
		}
	}
	path := filepath.Join(t.TempDir(), "schema.dump")
	if err := checkBytes(t, path, encode(t, toc)); err != nil {
		t.Error(err)
	}
	if err := checkBytes(t, path, append(encode(t, toc), 1)); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("with a byte after it: %v", err)
	}
}
