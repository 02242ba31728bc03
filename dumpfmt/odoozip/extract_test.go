package odoozip

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"odx/dumpfmt"
)

// inFilestore is the path of what is to be extracted of a filestore.
func inFilestore(m *Member) string {
	if m.Kind != KindFilestore {
		return ""
	}
	return strings.TrimPrefix(m.Name(), FilestoreDir)
}

func TestExtract(t *testing.T) {
	files := standard()
	z := newReader(t, write(t, files, Options{}, true))
	for _, jobs := range []int{0, 1, 8} {
		dir := t.TempDir()
		var given, done atomic.Int64
		err := Extract(t.Context(), z, dir, ExtractOptions{Jobs: jobs, Path: inFilestore,
			Give: func(f *os.File, isDir bool) error {
				given.Add(1)
				if isDir {
					return f.Chmod(0o750)
				}
				return f.Chmod(0o640)
			},
			Done: func(m *Member) { done.Add(m.Length) }})
		if err != nil {
			t.Fatal(err)
		}
		count, length := int64(0), int64(0)
		for _, f := range files {
			path, isStore := strings.CutPrefix(f.name, FilestoreDir)
			if !isStore || strings.HasSuffix(path, "/") {
				continue
			}
			count, length = count+1, length+int64(len(f.text))
			got, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil || !bytes.Equal(got, f.text) {
				t.Errorf("%s: %d bytes, %v", path, len(got), err)
			}
			for p, want := range map[string]os.FileMode{path: 0o640, filepath.Dir(path): 0o750} {
				if info, err := os.Stat(filepath.Join(dir, p)); err != nil || p != "." && info.Mode().Perm() != want {
					t.Errorf("%s: %v, %v", p, info.Mode(), err)
				}
			}
		}
		if count == 0 || given.Load() <= count || done.Load() != length {
			t.Errorf("%d files, %d given, %d of %d bytes", count, given.Load(), done.Load(), length)
		}
	}
}

// TestExtract_Failures ends with the error of the first file, and writes nothing
// outside of the folder.
func TestExtract_Failures(t *testing.T) {
	data := write(t, standard(), Options{}, true)
	z := newReader(t, data)
	same := func(*Member) string { return "one" }
	if err := Extract(t.Context(), z, t.TempDir(), ExtractOptions{Path: same}); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("two members for one file: %v", err)
	}
	outside := t.TempDir()
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../x", "out/x", "/x"} {
		if err := Extract(t.Context(), z, dir, ExtractOptions{Path: func(*Member) string { return path }}); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("%d files outside, %v", len(left), err)
	}
	why := errors.New("no")
	give := func(*os.File, bool) error { return why }
	if err := Extract(t.Context(), z, t.TempDir(), ExtractOptions{Path: inFilestore, Give: give}); !errors.Is(err, why) {
		t.Errorf("error of giving: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := Extract(ctx, z, t.TempDir(), ExtractOptions{Path: inFilestore}); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestOpenText reads a part of a member from its place.
func TestOpenText(t *testing.T) {
	first, second := rows(100_000, 1), rows(50_000, 2)
	var data bytes.Buffer
	var places []Place
	for _, text := range [][]byte{first, second} {
		part := flushed(t, text)
		places = append(places, Place{Offset: int64(data.Len()), Size: int64(len(part)), CRC: checksum(text), Length: int64(len(text))})
		data.Write(part)
	}
	data.WriteString(finalBlock)
	whole := append(bytes.Clone(first), second...)
	var zip bytes.Buffer
	w := newWriter(t, &zip, Options{})
	m, err := w.CreateRaw(Header{Name: DumpName, Modified: someTime, Length: -1}, Deflate)
	if err == nil {
		_, err = m.Write(data.Bytes())
	}
	if err == nil {
		err = m.Close(checksum(whole), int64(len(whole)))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	z := newReader(t, zip.Bytes())
	dump, err := z.Dump()
	if err != nil {
		t.Fatal(err)
	}
	read := func(f FilePlace) (string, error) {
		r, err := z.OpenText(dump, &f)
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(r)
		return string(text), errors.Join(err, r.Close())
	}
	both := []MemberPlace{{Place: places[0]}, {Place: places[1]}}
	for name, tc := range map[string]struct {
		place FilePlace
		want  []byte
	}{
		"pieces":  {FilePlace{Pieces: &places[1]}, second},
		"text":    {FilePlace{Text: &places[0]}, first},
		"members": {FilePlace{Members: both}, whole},
	} {
		got, err := read(tc.place)
		if err != nil || got != string(tc.want) || tc.place.TextLength() != int64(len(tc.want)) || !tc.place.HasText() {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if (&FilePlace{}).HasText() {
		t.Error("a file without a place has text")
	}
	for name, change := range map[string]func(*Place){
		"CRC-32":          func(p *Place) { p.CRC++ },
		"shorter text":    func(p *Place) { p.Length-- },
		"longer text":     func(p *Place) { p.Length++ },
		"another offset":  func(p *Place) { p.Offset++ },
		"too little data": func(p *Place) { p.Size -= 10 },
	} {
		p := places[1]
		change(&p)
		if _, err := read(FilePlace{Name: "x", Pieces: &p}); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// flushed deflates a text without an end.
func flushed(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 1)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
