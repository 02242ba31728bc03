package odoozip

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt/deflate"
)

// A sparseFile leaves holes where holes are written.
type sparseFile struct {
	*os.File
	end int64
}

var zeros = make([]byte, 1<<20)

func (f *sparseFile) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.end)
	f.end += int64(n)
	return n, err
}

func (f *sparseFile) ReadFrom(src io.Reader) (int64, error) {
	h := src.(*hole)
	f.end += h.length
	return h.length, f.Truncate(f.end)
}

// A hole stands for so many zeros.
type hole struct{ length int64 }

func (h *hole) Read([]byte) (int, error) { panic("a hole is read") }

// zeroCRC is the CRC-32 of so many zeros.
func zeroCRC(n int64) (crc uint32) {
	part := checksum(zeros)
	for ; n >= int64(len(zeros)); n -= int64(len(zeros)) {
		crc = deflate.CombineCRC32(crc, part, int64(len(zeros)))
	}
	return deflate.CombineCRC32(crc, checksum(zeros[:n]), n)
}

// bigZip makes a zip with a member of more than 4 GiB, most of it a hole, and
// another behind it.
func bigZip(t *testing.T, length int64, announced bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.zip")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, &sparseFile{File: out}, Options{})
	h := Header{Name: "filestore/zeros", Modified: someTime, Length: -1}
	if announced {
		h.Length = length
	}
	m, err := w.CreateRaw(h, Store)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := m.ReadFrom(&hole{length}); err != nil || n != length {
		t.Fatal(n, err)
	}
	if err := m.Close(zeroCRC(length), length); err != nil {
		t.Fatal(err)
	}
	add(t, w, file{"behind", []byte("text")}, true)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestZip64_Big has everybody find what is behind 4 GiB, and the length.
func TestZip64_Big(t *testing.T) {
	// Where 32 bits end, and where the next member's offset passes that.
	for _, length := range []int64{none32 - 100, none32 - 1, none32, 1 << 32, 5<<30 + 7} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			path := bigZip(t, length, length%2 == 0)
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewReader(f, info.Size(), "x.zip")
			if err != nil {
				t.Fatal(err)
			}
			m := r.Find("filestore/zeros")
			if m.Length != length || m.CRC != zeroCRC(length) {
				t.Errorf("%+v, want %d bytes", m, length)
			}
			src, err := r.Open(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, src, 1<<20); err != nil {
				t.Error(err)
			}
			_ = src.Close()
			if text, err := readMember(r, r.Find("behind")); err != nil || string(text) != "text" {
				t.Errorf("behind it: %q, %v", text, err)
			}
			z, err := zip.NewReader(f, info.Size())
			if err != nil || len(z.File) != 2 || z.File[0].UncompressedSize64 != uint64(length) {
				t.Errorf("Go: %v", err)
			}
			out := python(t, "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nprint(z.infolist()[0].file_size, z.read('behind'), len(z.open('filestore/zeros').read(1000)))", path)
			if out != fmt.Sprintf("%d b'text' 1000\n", length) {
				t.Errorf("Python: %s", out)
			}
			// Where a length is just what stands for a longer one, unzip 6.0
			// stumbles over the next member, whoever wrote the zip.
			if length != none32 {
				out = run(t, "", "unzip", "-t", path, "behind")
				if list := run(t, "", "unzip", "-l", path); !strings.Contains(out, "No errors") || !strings.Contains(list, fmt.Sprint(length)) {
					t.Errorf("unzip: %s%s", out, list)
				}
			}
			out = run(t, "", "7z", "t", path, "behind")
			if list := run(t, "", "7z", "l", path); !strings.Contains(out, "Everything is Ok") || strings.Contains(out, "arning") || !strings.Contains(list, fmt.Sprint(length)) {
				t.Errorf("7z: %s%s", out, list)
			}
		})
	}
}

// TestZip64_Text deflates 4 GiB of text into little, and reads all of it.
func TestZip64_Text(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 4 GiB")
	}
	const pieces = 4100
	var piece bytes.Buffer
	j, err := deflate.NewJoiner(&piece, deflate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := newWriter(t, &b, Options{})
	m, err := w.CreateRaw(Header{Name: DumpName, Modified: someTime, Length: -1}, Deflate)
	if err != nil {
		t.Fatal(err)
	}
	for range pieces {
		if _, err := m.Write(piece.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Write([]byte(finalBlock)); err != nil {
		t.Fatal(err)
	}
	j.Abort()
	if err := m.Close(zeroCRC(pieces<<20), pieces<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, b.Bytes())
	src, err := r.Open(r.Find(DumpName))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if n, err := io.Copy(io.Discard, src); err != nil || n != pieces<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestZip64_NotAnnounced refuses to write what its headers cannot say.
func TestZip64_NotAnnounced(t *testing.T) {
	w := newWriter(t, io.Discard, Options{})
	m, err := w.CreateRaw(Header{Name: "a", Length: 1 << 20}, Deflate)
	if err != nil {
		t.Fatal(err)
	}
	m.size = none32
	if err := m.Close(0, 1<<20); err == nil || !strings.Contains(err.Error(), errGrown.Error()) {
		t.Errorf("got %v", err)
	}
}

// TestZip64_ManyMembers has more members than 16 bits can count, and as many as
// they just can.
func TestZip64_ManyMembers(t *testing.T) {
	for _, n := range []int{none16 - 1, none16, none16 + 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if testing.Short() && n != none16+2 {
				t.Skip("takes a while")
			}
			var b bytes.Buffer
			w := newWriter(t, &b, Options{Jobs: 2})
			for i := range n {
				if err := w.Add(Header{Name: fmt.Sprintf("filestore/%05d", i), Modified: someTime, Length: 1}, opener([]byte("x"))); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			r := newReader(t, b.Bytes())
			if len(r.Members) != n || r.Members[n-1].Name() != fmt.Sprintf("filestore/%05d", n-1) {
				t.Fatalf("%d members", len(r.Members))
			}
			path := tempFile(t, b.Bytes())
			last := r.Members[n-1].Name()
			if out := python(t, "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nprint(len(z.namelist()), z.read(z.namelist()[-1]))", path); out != fmt.Sprintf("%d b'x'\n", n) {
				t.Errorf("Python: %s", out)
			}
			if out := run(t, "", "unzip", "-t", path, last); !strings.Contains(out, "No errors") {
				t.Errorf("unzip: %s", out)
			}
			if out := run(t, "", "7z", "t", path); !strings.Contains(out, "Everything is Ok") || strings.Contains(out, "arning") || !strings.Contains(out, fmt.Sprintf("Files: %d", n)) {
				t.Errorf("7z: %.500s", out)
			}
			z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
			if err != nil || len(z.File) != n {
				t.Errorf("Go: %v", err)
			}
		})
	}
}
