package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"hash/crc32"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"odx/dumpfmt"
)

// walkRaw follows raw deflate data alone.
func walkRaw(raw []byte) (last, end, length int64, err error) {
	s := streams.Get().(*stream)
	defer streams.Put(s)
	*s.bitReader = bitReader{src: bytes.NewReader(raw), buf: s.buf}
	last, end, err = s.walk()
	return last, end, s.out, err
}

// streams are used again so that what a damaged stream left behind in the
// tables would show.
var streams = sync.Pool{New: func() any { return &stream{bitReader: newBitReader(nil)} }}

// inflate decompresses raw deflate data with Go's decoder and returns how many
// bytes of it were used, too.
func inflate(raw []byte) (text []byte, used int64, err error) {
	src := bytes.NewReader(raw) // an io.ByteReader: no byte too many is read
	text, err = io.ReadAll(stdflate.NewReader(src))
	return text, int64(len(raw) - src.Len()), err
}

// checkWalk holds a walk of raw data against Go's decoder.
func checkWalk(t *testing.T, raw []byte) {
	t.Helper()
	last, end, length, err := walkRaw(raw)
	text, used, wantErr := inflate(raw)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("walk says %v, inflate says %v", err, wantErr)
	}
	if err != nil {
		return
	}
	if length != int64(len(text)) || (end+7)/8 != used {
		t.Fatalf("walked %d bytes of text in %d bytes, inflated %d in %d", length, (end+7)/8, len(text), used)
	}
	if end%8 > 0 && end/8 >= int64(len(raw)) || last < 0 || last > end-minBlock || raw[last/8]>>(last%8)&1 == 0 {
		t.Fatalf("last block at %d, end at %d of %d bits", last, end, 8*len(raw))
	}
}

func TestWalk_AllEncoders(t *testing.T) {
	remainders := map[int64]bool{}
	for name, text := range texts() {
		for _, d := range deflaters(t) {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				raw := d.raw(text)
				checkWalk(t, append(raw[:len(raw):len(raw)], "what follows"...))
				checkWalk(t, raw)
				_, end, length, _ := walkRaw(raw)
				if length != int64(len(text)) || (end+7)/8 != int64(len(raw)) {
					t.Errorf("walked %d bytes in %d, want %d in %d", length, (end+7)/8, len(text), len(raw))
				}
				remainders[end%8] = true
			})
		}
	}
	if len(remainders) != 8 {
		t.Errorf("streams ended in %d places of a byte only", len(remainders))
	}
}

func TestWalk_EveryEnd(t *testing.T) {
	for before := range 8 {
		raw := fixedDeflate([]byte("text\n"), before)
		last, end, _, err := walkRaw(raw)
		if want := int64(10 * before); err != nil || last != want || end != want+3+5*8+7 {
			t.Errorf("last block at %d, end at %d (%v), want %d, %d", last, end, err, want, want+50)
		}
		checkWalk(t, raw)
	}
}

// TestWalk_Sizes puts the ends of blocks and files at all places around the
// end of the buffer.
func TestWalk_Sizes(t *testing.T) {
	rows := copyText(8*walkBuffer, 11)
	raw := stdDeflate(t, rows, 6)
	if len(raw) < walkBuffer+1000 {
		t.Fatalf("%d bytes are too few for this test", len(raw))
	}
	for shift := range 40 {
		padding := storedDeflate(noise(2000+shift, 12))
		padding[0] = 0 // not the last block
		checkWalk(t, append(padding, raw...))
	}
	for size := walkBuffer - 20; size < walkBuffer+20; size++ {
		checkWalk(t, stdDeflate(t, noise(size, 13), 6))
		checkWalk(t, stdDeflate(t, noise(size, 13), stdflate.HuffmanOnly))
	}
}

func TestWalker_Readers(t *testing.T) {
	rows := copyText(400_000, 14)
	file := gzipped(t, stdDeflate(t, rows, 6), rows)
	want, err := NewWalker(bytes.NewReader(file)).Next()
	if err != nil {
		t.Fatal(err)
	}
	readers := map[string]io.Reader{
		"one byte":    iotest.OneByteReader(bytes.NewReader(file)),
		"half":        iotest.HalfReader(bytes.NewReader(file)),
		"data at end": iotest.DataErrReader(bytes.NewReader(file)),
	}
	for name, r := range readers {
		t.Run(name, func(t *testing.T) {
			w := NewWalker(r)
			got, err := w.Next()
			if err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
			if _, err := w.Next(); err != io.EOF {
				t.Errorf("got %v, want end of file", err)
			}
		})
	}
}

func TestWalker_ReaderFails(t *testing.T) {
	rows := copyText(100_000, 15)
	file := gzipped(t, stdDeflate(t, rows, 6), rows)
	broken := errors.New("disk on fire")
	for _, n := range []int{0, 1, 5, 10, 11, 500, len(file) - 9, len(file) - 8, len(file) - 1, len(file)} {
		w := NewWalker(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)))
		_, err := w.Next()
		if err == nil {
			_, err = w.Next()
		}
		if err != broken {
			t.Errorf("after %d bytes: got %v, want %v", n, err, broken)
		}
	}
	w := NewWalker(emptyReader{})
	if _, err := w.Next(); err != io.ErrNoProgress {
		t.Errorf("got %v, want %v", err, io.ErrNoProgress)
	}
}

// emptyReader never has anything and never says why.
type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

func TestWalker_Members(t *testing.T) {
	a, b := copyText(50_000, 16), []byte("second\n")
	rawA, rawB := stdDeflate(t, a, 6), storedDeflate(b)
	file := gzipped(t, rawA, a)
	offsets := []int64{0, int64(len(file))}
	file = append(file, gzipped(t, rawB, b)...)
	offsets = append(offsets, int64(len(file)))
	file = append(file, gzipped(t, []byte{3, 0}, nil)...)
	file = append(file, make([]byte, 1000)...)
	lengths := []int{len(a), len(b), 0}
	crcs := []uint32{crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), 0}
	w := NewWalker(bytes.NewReader(file))
	for i := range lengths {
		m, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		if m.Offset != offsets[i] || m.Length != int64(lengths[i]) || m.CRC != crcs[i] || m.Header.Len != 10 {
			t.Errorf("member %d: got %+v", i, m)
		}
	}
	if _, err := w.Next(); err != io.EOF {
		t.Errorf("got %v, want end of file", err)
	}
	if _, err := w.Next(); err != io.EOF {
		t.Errorf("again: got %v, want end of file", err)
	}
	w.Reset(bytes.NewReader(file))
	if m, err := w.Next(); err != nil || m.Length != int64(len(a)) {
		t.Errorf("after Reset: got %+v, %v", m, err)
	}
}

func TestWalker_Damage(t *testing.T) {
	text := []byte("some text\n")
	good := gzipped(t, stdDeflate(t, text, 6), text)
	end := int64(len(good))
	change := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return c
	}
	tests := map[string]struct {
		file   []byte
		offset int64
		want   error
	}{
		"no file":         {nil, 0, errNoFile},
		"zeros":           {make([]byte, 20), 2, errMagic},
		"not gzip":        {[]byte("PGDMP"), 2, errMagic},
		"another method":  {change(2, 7), 10, errMethod},
		"reserved flag":   {change(3, 0x80), 10, errFlags},
		"reserved block":  {change(10, 7), 10, errBlockType},
		"short header":    {good[:9], 9, io.ErrUnexpectedEOF},
		"short trailer":   {good[:end-1], end - 1, io.ErrUnexpectedEOF},
		"other length":    {change(int(end)-4, 77), end, nil},
		"padding":         {append(bytes.Clone(good), 0, 0, 1), end + 2, errPadding},
		"garbage":         {append(bytes.Clone(good), "hello"...), end + 2, errMagic},
		"short 2nd magic": {append(bytes.Clone(good), 0x1f), end + 1, io.ErrUnexpectedEOF},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := NewWalker(bytes.NewReader(test.file))
			_, err := w.Next()
			if err == nil {
				_, err = w.Next()
			}
			var format *dumpfmt.FormatError
			if !errors.As(err, &format) || !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("got %v, want a format error", err)
			}
			if format.Offset != test.offset || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v at %d", err, test.want, test.offset)
			}
			if _, again := w.Next(); again != err {
				t.Errorf("again: got %v, want %v", again, err)
			}
		})
	}
}

// TestWalk_BrokenInput changes small streams in every way and holds the answer
// against Go's decoder.
func TestWalk_BrokenInput(t *testing.T) {
	for _, name := range []string{"empty", "end", "one", "few rows", "a few"} {
		for _, d := range deflaters(t) {
			raw := d.raw(texts()[name])
			step := 1 + len(raw)/300
			if testing.Short() {
				step = 1 + len(raw)/20
			}
			for n := 0; n < len(raw); n += step {
				checkWalk(t, raw[:n])
			}
			for bit := 0; bit < 8*len(raw); bit += step {
				broken := bytes.Clone(raw)
				broken[bit/8] ^= 1 << (bit % 8)
				checkWalk(t, broken)
			}
		}
	}
}

// TestWalk_BrokenLater does the same where the skip tables are in use.
func TestWalk_BrokenLater(t *testing.T) {
	rows := copyText(120_000, 17)
	for _, level := range []int{1, 6} {
		raw := stdDeflate(t, rows, level)
		step := 101
		if testing.Short() {
			step = 5003
		}
		for bit := 8 * len(raw) / 3; bit < 8*len(raw); bit += step {
			broken := bytes.Clone(raw)
			broken[bit/8] ^= 1 << (bit % 8)
			checkWalk(t, broken)
		}
		for n := len(raw) - 200; n < len(raw); n++ {
			checkWalk(t, raw[:n])
		}
	}
}
