package convert

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// TestZip_LargeObject takes a zip with a large object of 64 MiB to a folder and
// back: its text, twice as much, is not held.
func TestZip_LargeObject(t *testing.T) {
	const chunks = 4096
	text := scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]
	const write = `SELECT pg_catalog.lowrite(0, '\\x`
	before, rest, ok := bytes.Cut(text, []byte(write))
	if !ok {
		t.Fatal("no large object in the script")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	f, err := os.Create(at("0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("dump.sql")
	if err != nil {
		t.Fatal(err)
	}
	put := func(text []byte) {
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	put(before)
	chunk := []byte(write + strings.Repeat("00", 16384) + "');\n")
	for range chunks {
		put(chunk)
	}
	put([]byte(write))
	put(rest)
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}

	var most uint64
	debug.FreeOSMemory() // what other tests left
	stop := sampleMemory(&most)
	convert(t, Options{Source: at("0.zip"), Target: at("1"), Compression: DefaultCompression, Jobs: 2})
	stop()
	if bound := uint64(96 << 20); most > bound {
		t.Errorf("%d MiB of memory, and the bound is %d MiB", most>>20, bound>>20)
	}
	convert(t, Options{Source: at("1"), Target: at("2.zip"), Jobs: 2})
	want, err := zip.OpenReader(at("0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	got, err := zip.OpenReader(at("2.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	r, err := got.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil { // compares with the CRC-32
		t.Fatal(err)
	}
	if g, w := got.File[0], want.File[0]; g.Name != w.Name || g.CRC32 != w.CRC32 || g.UncompressedSize64 != w.UncompressedSize64 {
		t.Errorf("%s with %d bytes, CRC-32 %x; want %s with %d, %x", g.Name, g.UncompressedSize64, g.CRC32, w.Name, w.UncompressedSize64, w.CRC32)
	}
}
