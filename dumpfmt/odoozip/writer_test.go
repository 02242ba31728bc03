package odoozip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"odx/dumpfmt/deflate"
)

// TestWriter_Jobs: the bytes depend on nothing but the members and the options.
func TestWriter_Jobs(t *testing.T) {
	for _, known := range []bool{true, false} {
		opts := Options{PieceSize: 64 << 10, Jobs: 1}
		want := write(t, standard(), opts, known)
		checkFiles(t, newReader(t, want), standard())
		for _, opts.Jobs = range []int{2, 8} {
			for range 2 {
				if got := write(t, standard(), opts, known); !bytes.Equal(got, want) {
					t.Errorf("known %t, %d jobs: other bytes", known, opts.Jobs)
				}
			}
		}
	}
}

// TestWriter_KnownLength: whether a length is known shows in zip64 fields only.
func TestWriter_KnownLength(t *testing.T) {
	var files []file
	for _, f := range standard() {
		if len(f.text) <= 64<<10 {
			files = append(files, f)
		}
	}
	opts := Options{PieceSize: 64 << 10}
	if !bytes.Equal(write(t, files, opts, true), write(t, files, opts, false)) {
		t.Error("other bytes for members of one piece")
	}
}

func TestWriter_Methods(t *testing.T) {
	want := map[string]uint16{
		"dump.sql": Deflate, "filestore/00/empty": Store, "filestore/00/piece": Deflate, "filestore/00/piece+1": Deflate,
		"filestore/00/piece-1": Store, "filestore/00/pieces": Store, "filestore/00/turns": Store, "filestore/00/turns back": Deflate,
		"filestore/01/picture": Store, "filestore/01/small picture": Store, "filestore/dir/": Store,
	}
	r := newReader(t, write(t, standard(), Options{PieceSize: 64 << 10}, true))
	for name, method := range want {
		m := r.Find(name)
		if m == nil || uint16(m.Method) != method {
			t.Errorf("%s: %+v, want method %d", name, m, method)
		}
	}
}

func TestIsPacked(t *testing.T) {
	for _, head := range []string{
		"\xff\xd8\xff\xe0", "\x89PNG\r\n\x1a\n", "GIF89a", "%PDF-1.7", "PK\x03\x04", "PK\x05\x06", "\x1f\x8b\x08", "BZh9", "\xfd7zXZ\x00",
		"\x28\xb5\x2f\xfd", "7z\xbc\xaf\x27\x1c", "\x00\x00\x00\x18ftypmp42", "RIFF1234WEBPVP8 ", "OggS", "ID3\x04",
	} {
		if !isPacked([]byte(head)) {
			t.Errorf("%q is packed", head)
		}
	}
	for _, head := range []string{"", "x", "RIFF1234WAVEfmt ", "<svg ", "--\n-- PostgreSQL database dump", "PK", "\x00\x00\x00\x18ftyp"} {
		if isPacked([]byte(head)) {
			t.Errorf("%q is not packed", head)
		}
	}
}

func TestWriter_Names(t *testing.T) {
	w := newWriter(t, io.Discard, Options{})
	for _, name := range []string{"", "/a", "../a", `a\b`, "././a", "./../a"} {
		if err := w.Add(Header{Name: name}, opener(nil)); err == nil {
			t.Errorf("%q is written", name)
		}
		if _, err := w.CreateRaw(Header{Name: name}, Store); err == nil {
			t.Errorf("%q is written", name)
		}
	}
	if w.Add(Header{Name: "a/"}, opener(nil)) == nil || w.Add(Header{Name: "a"}, nil) == nil || w.Add(Header{Name: "a/", Length: 1}, nil) == nil {
		t.Error("a directory with content, or a file without")
	}
	if _, err := w.CreateRaw(Header{Name: "a/"}, Store); err == nil {
		t.Error("a raw directory")
	}
	if _, err := w.CreateRaw(Header{Name: "a"}, 12); err == nil {
		t.Error("a raw member of another method")
	}
	// None of that is an end to the zip.
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	// Bytes that are no UTF-8 come back as they are.
	latin := []file{{"a\xfc", []byte("x")}}
	r := newReader(t, write(t, latin, Options{}, true))
	if m := &r.Members[0]; m.Name() != "a\xfc" || m.Flags&flagUTF8 != 0 {
		t.Errorf("%q, flags %x", m.Name(), m.Flags)
	}
}

func TestWriter_Mode(t *testing.T) {
	var b bytes.Buffer
	w := newWriter(t, &b, Options{})
	for name, mode := range map[string]fs.FileMode{"a": 0, "b": 0o644} {
		if err := w.Add(Header{Name: name, Mode: mode}, opener(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, b.Bytes())
	if a, b := r.Find("a").Mode(), r.Find("b").Mode(); a != 0o600 || b != 0o644 {
		t.Errorf("modes %v, %v", a, b)
	}
}

func TestWriter_Skip(t *testing.T) {
	var b bytes.Buffer
	w := newWriter(t, &b, Options{Jobs: 2})
	skip := func() (io.ReadCloser, error) { return nil, fmt.Errorf("gone: %w", ErrSkip) }
	for i := range 20 {
		f := file{fmt.Sprint("f", i), rows(100, uint64(i))}
		add(t, w, f, true)
		length := int64(i) - 1
		if err := w.Add(Header{Name: "skipped", Length: length}, skip); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if r := newReader(t, b.Bytes()); len(r.Members) != 20 || r.Find("skipped") != nil {
		t.Errorf("%d members", len(r.Members))
	}
}

// A closer notes whether it was closed, and how often.
type closer struct {
	io.Reader
	closed *atomic.Int32
	err    error
}

func (c closer) Close() error {
	c.closed.Add(1)
	return c.err
}

func TestWriter_SourceFails(t *testing.T) {
	broken := errors.New("disk on fire")
	text := rows(300_000, 1)
	tests := map[string]struct {
		length int64
		src    io.Reader
		close  error
		want   error
	}{
		"small":       {1000, iotest.ErrReader(broken), nil, broken},
		"large":       {-1, io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken)), nil, broken},
		"early end":   {-1, io.MultiReader(bytes.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)), nil, io.ErrUnexpectedEOF},
		"small grown": {1000, bytes.NewReader(text[:1001]), nil, ErrChanged},
		"small short": {1000, bytes.NewReader(text[:999]), nil, ErrChanged},
		"large grown": {200_000, bytes.NewReader(text), nil, ErrChanged},
		"large short": {int64(len(text)) + 1, bytes.NewReader(text), nil, ErrChanged},
		"close":       {1000, bytes.NewReader(text[:1000]), broken, broken},
		"large close": {-1, bytes.NewReader(text), broken, broken},
		"no progress": {-1, nothing{}, nil, io.ErrNoProgress},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWriter(t, io.Discard, Options{PieceSize: 64 << 10, Jobs: 2})
			var closed atomic.Int32
			err := w.Add(Header{Name: "filestore/x", Length: test.length}, func() (io.ReadCloser, error) {
				return closer{test.src, &closed, test.close}, nil
			})
			if closeErr := w.Close(); err == nil {
				err = closeErr
			}
			if !errors.Is(err, test.want) || !bytes.Contains([]byte(err.Error()), []byte("filestore/x")) {
				t.Errorf("got %v, want %v with the name", err, test.want)
			}
			if closed.Load() != 1 {
				t.Errorf("closed %d times", closed.Load())
			}
			if again := w.Add(Header{Name: "y"}, opener(nil)); !errors.Is(again, test.want) {
				t.Errorf("after it: %v", again)
			}
			if again := w.Close(); !errors.Is(again, test.want) {
				t.Errorf("closed again: %v", again)
			}
		})
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// A fullDisk takes some bytes only.
type fullDisk struct{ left int }

var errFull = errors.New("no space left")

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.left)
	d.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWriter_FullDisk(t *testing.T) {
	size := len(write(t, standard(), Options{PieceSize: 64 << 10}, true))
	for _, left := range []int{0, 1000, size / 2, size - 1} {
		w := newWriter(t, &fullDisk{left}, Options{PieceSize: 64 << 10, Jobs: 2})
		var err error
		for _, f := range standard() {
			open := opener(f.text)
			if KindOf(f.name) == KindDirectory {
				open = nil
			}
			if err = w.Add(Header{Name: f.name, Length: int64(len(f.text))}, open); err != nil {
				break
			}
		}
		if closeErr := w.Close(); closeErr != errFull || err != nil && err != errFull {
			t.Errorf("room for %d: got %v, then %v", left, err, closeErr)
		}
		w.Abort()
	}
}

func TestWriter_Abort(t *testing.T) {
	var b bytes.Buffer
	w := newWriter(t, &b, Options{Jobs: 2})
	m, err := w.CreateRaw(Header{Name: DumpName, Length: -1}, Deflate)
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if _, err := m.Write([]byte("x")); err != ErrClosed {
		t.Errorf("raw: %v", err)
	}
	if err := m.Close(0, 0); err != ErrClosed {
		t.Errorf("close raw: %v", err)
	}
	if err := w.Add(Header{Name: "a"}, opener(nil)); err != ErrClosed {
		t.Errorf("add: %v", err)
	}
	if err := w.Close(); err != ErrClosed {
		t.Errorf("close: %v", err)
	}
	w.Abort()

	w = newWriter(t, &b, Options{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(Header{Name: "a"}, opener(nil)); err != ErrClosed {
		t.Errorf("add after close: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// TestWriter_Cancel ends the context while Add waits for a member that is never
// written.
func TestWriter_Cancel(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	w, err := NewWriter(ctx, io.Discard, Options{PieceSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	m, err := w.CreateRaw(Header{Name: DumpName, Length: -1}, Deflate)
	if err != nil {
		t.Fatal(err)
	}
	added := make(chan error)
	go func() {
		for {
			if err := w.Add(Header{Name: "a", Length: 1000}, opener(rows(1000, 1))); err != nil {
				added <- err
				return
			}
		}
	}()
	if _, err := m.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	cancel(stop)
	if err := <-added; err != stop {
		t.Errorf("add: %v", err)
	}
	if err := w.Close(); err != stop {
		t.Errorf("close: %v", err)
	}
	if _, err := m.Write([]byte("x")); err != stop {
		t.Errorf("raw: %v", err)
	}
}

// TestRawMember_Ahead writes a raw member while others are added.
func TestRawMember_Ahead(t *testing.T) {
	files := standard()
	want := func() []byte {
		var b bytes.Buffer
		w := newWriter(t, &b, Options{PieceSize: 64 << 10})
		sqlMember(t, w, files[0].text)
		for _, f := range files[1:] {
			add(t, w, f, true)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()
	path := filepath.Join(t.TempDir(), "x.zip")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, out, Options{PieceSize: 64 << 10, Jobs: 4})
	m, err := w.CreateRaw(Header{Name: DumpName, Modified: someTime, Length: -1}, Deflate)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		// As data files do, from a file.
		from := tempFile(t, nil)
		src, err := os.OpenFile(from, os.O_RDWR, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer src.Close()
		j, err := deflate.NewJoiner(src, deflate.Options{})
		if err == nil {
			_, err = j.Write(files[0].text)
		}
		if err = errors.Join(err, j.Close()); err == nil {
			_, err = src.Seek(0, io.SeekStart)
		}
		if err == nil {
			_, err = m.ReadFrom(io.LimitReader(src, 1000))
		}
		if err == nil {
			_, err = io.Copy(m, src)
		}
		if err = errors.Join(err, m.Close(j.CRC(), j.Length())); err != nil {
			t.Error(err)
		}
	})
	for _, f := range files[1:] {
		add(t, w, f, true)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) || w.Written() != int64(len(want)) {
		t.Errorf("other bytes, %d, counted %d, want %d (%v)", len(got), w.Written(), len(want), err)
	}
}

func TestRawMember_Close(t *testing.T) {
	tests := map[string]struct {
		method uint16
		data   string
		length int64
		header int64
		want   string
	}{
		"stored":          {Store, "text", 5, -1, "stored"},
		"no data":         {Deflate, "", 0, -1, "cannot be"},
		"too much text":   {Deflate, "xx", 1 << 20, -1, "cannot be"},
		"negative":        {Deflate, "xx", -1, -1, "length -1"},
		"changed":         {Store, "text", 4, 5, "changed"},
		"beyond expected": {Deflate, "\x03\x00", 0, 1, "changed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWriter(t, io.Discard, Options{})
			m, err := w.CreateRaw(Header{Name: "a", Length: test.header}, test.method)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Write([]byte(test.data)); err != nil {
				t.Fatal(err)
			}
			err = m.Close(0, test.length)
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if closeErr := w.Close(); closeErr != err {
				t.Errorf("then %v", closeErr)
			}
		})
	}
	w := newWriter(t, io.Discard, Options{})
	m, err := w.CreateRaw(Header{Name: "a", Length: -1}, Store)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(0, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(0, 0); err != ErrClosed {
		t.Errorf("closed again: %v", err)
	}
	if _, err := m.Write(nil); err != ErrClosed {
		t.Errorf("write after close: %v", err)
	}
}

func TestNewWriter_Options(t *testing.T) {
	for _, opts := range []Options{{Level: 10}, {Level: -1}, {Jobs: -1}, {PieceSize: -1}, {PieceSize: maxPieceSize + 1}, {Comment: string(make([]byte, 1<<16))}} {
		if _, err := NewWriter(t.Context(), io.Discard, opts); err == nil {
			t.Errorf("%+v passes", opts)
		}
	}
	for level := 1; level <= 9; level++ {
		files := standard()[:6]
		checkFiles(t, newReader(t, write(t, files, Options{Level: level, PieceSize: 64 << 10}, true)), files)
	}
}

// TestWriter_Memory writes much more than may be in memory, of every kind, into
// a file that holds them up now and then.
func TestWriter_Memory(t *testing.T) {
	const pieceSize, jobs = 256 << 10, 4
	text, packed := rows(pieceSize, 1), noise(pieceSize, 2)
	var most atomic.Uint64
	measure := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > most.Load() {
			most.Store(m.HeapAlloc)
		}
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	w := newWriter(t, slowFile{every: 4 << 20, call: func() { runtime.GC(); measure() }, left: new(int)}, Options{PieceSize: pieceSize, Jobs: jobs})
	written := 0
	for i := range 16 {
		// A large one that compresses, a large one that does not, small ones.
		for _, piece := range [][]byte{text, packed} {
			var parts []io.Reader
			for range 16 {
				parts = append(parts, bytes.NewReader(piece))
			}
			src := io.MultiReader(parts...)
			if err := w.Add(Header{Name: fmt.Sprint("large", i), Length: -1}, func() (io.ReadCloser, error) { return io.NopCloser(src), nil }); err != nil {
				t.Fatal(err)
			}
			written += 16 * pieceSize
		}
		for range 100 {
			add(t, w, file{"small", packed[:20_000]}, true)
			written += 20_000
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bound := uint64((8*jobs+6)*pieceSize + jobs*(2<<20) + 2<<20)
	if got := most.Load() - before.HeapAlloc; got > bound {
		t.Errorf("%d KiB in memory for %d MB, want at most %d KiB", got>>10, written/1e6, bound>>10)
	}
	t.Logf("%d KiB for %d MB, bound %d KiB", (most.Load()-before.HeapAlloc)>>10, written/1e6, bound>>10)
}

// A slowFile calls a function after so many bytes.
type slowFile struct {
	every int
	call  func()
	left  *int
}

func (f slowFile) Write(p []byte) (int, error) {
	if *f.left -= len(p); *f.left < 0 {
		*f.left = f.every
		f.call()
	}
	return len(p), nil
}
