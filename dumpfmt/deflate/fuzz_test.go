package deflate

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
)

// addSeeds adds the files of pg_dump in testdata.
func addSeeds(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*/*.gz")
	more, err2 := filepath.Glob("testdata/*.gz")
	if err != nil || err2 != nil {
		f.Fatal(err, err2)
	}
	files = append(files, more...)
	if len(files) == 0 {
		f.Fatal("no seeds")
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
}

// FuzzWalker: what Go's decoder reads is walked to the same end, and can be
// joined and cut out again.
func FuzzWalker(f *testing.F) {
	addSeeds(f)
	file, _ := writeFile(f, copyText(2000, 41), Options{PieceSize: 700})
	f.Add(file)
	f.Fuzz(func(t *testing.T, file []byte) {
		defer fuzzing.Bounded(t, len(file))()
		if len(file) > 1<<16 {
			return
		}
		m, err := NewWalker(bytes.NewReader(file)).Next()
		if err != nil {
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("not a format error: %v", err)
			}
			return
		}
		raw := file[m.Data() : m.Data()+m.DataLen()]
		text, used, err := inflate(raw)
		if err != nil || used != m.DataLen() || int64(len(text)) != m.Length {
			t.Fatalf("walked %d bytes in %d, inflated %d in %d (%v)", m.Length, m.DataLen(), len(text), used, err)
		}
		var stream, cut bytes.Buffer
		j := newJoiner(t, &stream, Options{})
		if _, err := j.Write([]byte("before")); err != nil {
			t.Fatal(err)
		}
		part, err := j.JoinMember(bytes.NewReader(file), m)
		if err = errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		if got, _, err := inflate(stream.Bytes()); err != nil || string(got) != "before"+string(text) {
			t.Fatalf("joined to %d bytes (%v), want %d more", len(got), err, len(text))
		}
		if err := Cut(&cut, bytes.NewReader(stream.Bytes()), 0, part); err != nil || !bytes.Equal(cut.Bytes(), raw) {
			t.Fatalf("other data is cut out (%v)", err)
		}
	})
}

// FuzzWalk: raw data is judged as Go's decoder judges it.
func FuzzWalk(f *testing.F) {
	for name, text := range texts() {
		if len(text) < 5000 {
			f.Add(stdDeflate(f, text, 6))
			f.Add(storedDeflate(text))
			f.Add(fixedDeflate(text, len(name)%8))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		defer fuzzing.Bounded(t, len(raw))()
		if len(raw) <= 1<<16 {
			checkWalk(t, raw)
		}
	})
}

// FuzzReadLayout: a layout that is read makes the file that it was read from.
func FuzzReadLayout(f *testing.F) {
	file, _ := writeFile(f, copyText(2000, 42), Options{PieceSize: 700})
	f.Add(file)
	file, _ = writeFile(f, nil, Options{})
	f.Add(file)
	f.Fuzz(func(t *testing.T, file []byte) {
		defer fuzzing.Bounded(t, len(file))()
		l, err := ReadLayout(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			if err != ErrNotPieces && !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("neither: %v", err)
			}
			return
		}
		var b bytes.Buffer
		b.Write(l.Header())
		_, _ = io.Copy(&b, io.NewSectionReader(bytes.NewReader(file), l.HeaderLen, l.BodyLen))
		b.Write(l.Tail())
		if !bytes.Equal(b.Bytes(), file) {
			t.Fatal("another file")
		}
	})
}
