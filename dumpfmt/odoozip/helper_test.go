package odoozip

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"odx/dumpfmt/deflate"
)

// realZip is a zip that Odoo 19 made.
const realZip = "../../../shared/data/odoo19-standard.zip"

// A file is a member as tests have it.
type file struct {
	name string
	text []byte
}

var someTime = time.Date(2026, 11, 24, 2, 15, 46, 0, time.UTC)

// noise gives bytes that do not compress.
func noise(n int, seed uint64) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// rows gives text that compresses.
func rows(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d\tres.partner\tname %d of something\t\\N\tt\t2024-05-%02d 10:11:12.%06d\n", i, r.IntN(100000), i%28+1, r.IntN(1000000))
	}
	return b.Bytes()[:n]
}

// standard is a zip as Odoo's, with every kind of member that Writer treats in
// its own way when pieces have 64 KiB.
func standard() []file { return slices.Clone(makeStandard()) }

var makeStandard = sync.OnceValue(func() []file {
	files := []file{
		{"dump.sql", rows(500_000, 1)},
		{"manifest.json", []byte("{\n    \"odoo_dump\": \"1\"\n}")},
		{"filestore/00/empty", nil},
		{"filestore/00/piece", rows(64<<10, 2)},
		{"filestore/00/piece+1", rows(64<<10+1, 3)},
		{"filestore/00/piece-1", noise(64<<10-1, 4)},
		{"filestore/00/pieces", noise(3*64<<10, 5)},
		{"filestore/00/turns", append(noise(64<<10, 6), rows(100_000, 7)...)},
		{"filestore/00/turns back", append(rows(64<<10, 8), noise(100_000, 9)...)},
		{"filestore/01/picture", append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 200_000)...)},
		{"filestore/01/small picture", append([]byte("\xff\xd8\xff\xe0"), make([]byte, 2000)...)},
		{"filestore/01/ünï", []byte("text text text text text")},
		{"filestore/checklist/01/aa", nil},
		{"filestore/dir/", nil},
	}
	for i := range 200 {
		files = append(files, file{fmt.Sprintf("filestore/02/%04d", i), rows(i*37, uint64(i))})
	}
	return append(files, file{"odx/record.json", []byte("{}")})
})

// opener gives text as Add wants it.
func opener(text []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}

// add adds a member of known or unknown length.
func add(t testing.TB, w *Writer, f file, known bool) {
	t.Helper()
	h := Header{Name: f.name, Modified: someTime, Length: -1}
	open := opener(f.text)
	if strings.HasSuffix(f.name, "/") {
		known, open = true, nil
	}
	if known {
		h.Length = int64(len(f.text))
	}
	if err := w.Add(h, open); err != nil {
		t.Fatal(err)
	}
}

func newWriter(t testing.TB, dst io.Writer, opts Options) *Writer {
	t.Helper()
	w, err := NewWriter(t.Context(), dst, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Abort)
	return w
}

// write gives the zip of some files.
func write(t testing.TB, files []file, opts Options, known bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := newWriter(t, &b, opts)
	for _, f := range files {
		add(t, w, f, known)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Written() != int64(b.Len()) {
		t.Errorf("%d bytes written, %d counted", b.Len(), w.Written())
	}
	return b.Bytes()
}

func newReader(t testing.TB, zip []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(zip), int64(len(zip)), "x.zip")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// content reads a member.
func readMember(r *Reader, m *Member) ([]byte, error) {
	src, err := r.Open(m)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(src)
	return text, errors.Join(err, src.Close())
}

// checkFiles holds what a zip has against what it should have, in order.
func checkFiles(t testing.TB, r *Reader, want []file) {
	t.Helper()
	if len(r.Members) != len(want) {
		t.Fatalf("%d members, want %d", len(r.Members), len(want))
	}
	for i, f := range want {
		m := &r.Members[i]
		text, err := readMember(r, m)
		if m.Name() != f.name || err != nil || !bytes.Equal(text, f.text) {
			t.Errorf("member %d: %q with %d bytes (%v), want %q with %d", i, m.Name(), len(text), err, f.name, len(f.text))
		}
	}
}

// sqlMember adds a dump.sql that is joined of pieces.
func sqlMember(t testing.TB, w *Writer, text []byte) {
	t.Helper()
	m, err := w.CreateRaw(Header{Name: DumpName, Modified: someTime, Length: -1}, Deflate)
	if err != nil {
		t.Fatal(err)
	}
	j, err := deflate.NewJoiner(m, deflate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(j.CRC(), j.Length()); err != nil {
		t.Fatal(err)
	}
	if m.Size() != j.Size() {
		t.Errorf("%d bytes of data, %d written", m.Size(), j.Size())
	}
}

// run runs a program and gives what it prints.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %.300q: %v\n%s", name, args, err, out)
	}
	return out
}

func tryRun(t testing.TB, dir, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "PYTHONUTF8=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// python runs a Python program on the file.
func python(t testing.TB, program, path string) string {
	t.Helper()
	return run(t, filepath.Dir(path), "python3", "-c", program, path)
}

// tempFile writes a file and gives its path.
func tempFile(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// deflated gives text as Go's own library deflates it.
func deflated(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 6)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func checksum(text []byte) uint32 { return crc32.ChecksumIEEE(text) }
