package deflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"odx/dumpfmt/fuzzing"
)

// blocksOf inflates a stream.
func blocksOf(tb testing.TB, raw []byte) (text []byte, blocks []Block) {
	tb.Helper()
	text, err := io.ReadAll(NewInflater(bytes.NewReader(raw), func(b Block) { blocks = append(blocks, b) }))
	if err != nil {
		tb.Fatal(err)
	}
	return text, blocks
}

// reuse makes a file of a part of a stream's text, with all blocks that lie in
// it offered.
func reuse(tb testing.TB, src *io.SectionReader, text []byte, blocks []Block, from, to int, opts Options) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, opts)
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Abort()
	at := from
	for _, b := range blocks {
		end := int(b.Text + b.Length)
		if end < from || end > to {
			continue
		}
		_, err := w.Write(text[at:end])
		if err = errors.Join(err, w.Reuse(src, b)); err != nil {
			tb.Fatal(err)
		}
		at = end
	}
	_, err = w.Write(text[at:to])
	if err = errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// checkReused checks that a file has a text, as Go's decoder, the walk and the
// layout see it.
func checkReused(tb testing.TB, file, text []byte) {
	tb.Helper()
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(got, text) {
		tb.Fatalf("read %d bytes (%v), want %d", len(got), err, len(text))
	}
	l, err := ReadLayout(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		tb.Fatal(err)
	}
	m := members(tb, file)
	if len(m) != 1 || l.Length != int64(len(text)) || m[0].Length != l.Length || m[0].CRC != l.CRC {
		tb.Fatalf("walked %+v, layout %+v", m, l)
	}
}

// awkward makes a stream of short blocks of all kinds, which begin and end at
// every place of a byte and refer back as far as can be.
func awkward(text []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	var w bitWriter
	for at := 0; at < len(text); {
		n := min(r.IntN(3000), len(text)-at)
		switch r.IntN(6) {
		case 0: // stored, of no length at times
			n *= r.IntN(2)
			w.put(0, 3)
			w.align()
			w.put(uint64(n)|uint64(^uint16(n))<<16, 32)
			w.data = append(w.data, text[at:at+n]...)
		case 1: // no text
			n = 0
			w.put(0b010, 3)
			w.code(0, 7)
		default:
			fixedBlock(&w, text, at, n)
		}
		at += n
	}
	w.put(0b011, 3)
	w.code(0, 7)
	return w.data
}

// fixedBlock makes a block of literals and, where the text is that of 32 KiB
// before, of matches.
func fixedBlock(w *bitWriter, text []byte, at, n int) {
	w.put(0b010, 3)
	for end := at + n; at < end; {
		if at >= windowSize && at+3 <= end && bytes.Equal(text[at:at+3], text[at-windowSize:at-windowSize+3]) {
			w.code(1, 7) // length 3
			w.code(29, 5)
			w.put(1<<13-1, 13) // distance 32768
			at += 3
			continue
		}
		w.literal(text[at])
		at++
	}
	w.code(0, 7)
}

// reusable are streams that other programs may make.
func reusable(tb testing.TB) map[string][]byte {
	rows := copyText(1_500_000, 51)
	repeated := bytes.Repeat(noise(windowSize, 52), 12)
	all := map[string][]byte{
		"rows 1":     stdDeflate(tb, rows, 1),
		"rows 6":     stdDeflate(tb, rows, 6),
		"rows 9":     stdDeflate(tb, rows, 9),
		"one block":  fixedDeflate(rows[:300_000], 3),
		"stored":     storedDeflate(rows[:300_000]),
		"window":     stdDeflate(tb, repeated, 9),
		"zeros":      stdDeflate(tb, make([]byte, 4<<20), 9),
		"awkward":    awkward(repeated, 53),
		"awkward 2":  awkward(append(copyText(100_000, 54), repeated...), 55),
		"no matches": stdDeflate(tb, rows, -2),
		"nothing":    stdDeflate(tb, nil, 6),
	}
	var joined bytes.Buffer // with a sync flush after each piece
	j := newJoiner(tb, &joined, Options{PieceSize: 100_000, Level: 6})
	if _, err := j.Write(rows); err != nil {
		tb.Fatal(err)
	}
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
	all["pieces"] = joined.Bytes()
	return all
}

// TestWriter_Reuse makes files of many parts of streams. They are the same with
// any number of jobs.
func TestWriter_Reuse(t *testing.T) {
	for name, raw := range reusable(t) {
		t.Run(name, func(t *testing.T) {
			text, blocks := blocksOf(t, raw)
			r := rand.New(rand.NewPCG(56, uint64(len(raw))))
			src := section(raw)
			for range 30 {
				from := r.IntN(len(text)/2 + 1)
				to := from + r.IntN(len(text)-from+1)
				opts := Options{PieceSize: 1000 + r.IntN(300_000)}
				file := reuse(t, src, text, blocks, from, to, opts)
				checkReused(t, file, text[from:to])
				opts.Jobs = 3
				if !bytes.Equal(reuse(t, src, text, blocks, from, to, opts), file) {
					t.Fatalf("text %d to %d: another file with 3 jobs", from, to)
				}
			}
		})
	}
}

// TestWriter_ReuseTakes checks which blocks are taken: their bytes are in the
// file.
func TestWriter_ReuseTakes(t *testing.T) {
	raw := stdDeflate(t, copyText(1_500_000, 57), 6)
	text, blocks := blocksOf(t, raw)
	src := section(raw)
	block := blocks[len(blocks)/2]
	inside := raw[block.Start/8+1 : block.End/8]
	window := int(block.Text) - windowSize
	end := int(block.Text + block.Length)
	for _, c := range []struct {
		name     string
		from, to int
		opts     Options
		want     bool
	}{
		{"all of the text", 0, len(text), Options{}, true},
		{"a window before it", window, len(text), Options{}, true},
		{"nothing after it", window, end, Options{}, true},
		{"less than a window before it", window + 1, len(text), Options{}, false},
		{"not its last byte", window, end - 1, Options{}, false},
		{"pieces that are shorter", window, end, Options{PieceSize: int(block.Length) - 1}, false},
	} {
		file := reuse(t, src, text, blocks, c.from, c.to, c.opts)
		checkReused(t, file, text[c.from:c.to])
		if got := bytes.Contains(file, inside); got != c.want {
			t.Errorf("%s: taken is %t", c.name, got)
		}
	}
	if all := reuse(t, src, text, blocks, 0, len(text), Options{}); len(all) > len(raw)+len(raw)/10 {
		t.Errorf("file has %d bytes, the stream %d", len(all), len(raw))
	}
}

// TestWriter_ReuseNot offers what is not a block of the text.
func TestWriter_ReuseNot(t *testing.T) {
	raw := stdDeflate(t, copyText(200_000, 58), 6)
	text, _ := blocksOf(t, raw)
	for name, b := range map[string]Block{
		"longer than the text":  {Start: 80, End: 8000, Length: 150_001},
		"negative length":       {Start: 80, End: 8000, Length: -1},
		"no bits":               {Start: 80, End: 80, Length: 10_000},
		"negative offset":       {Start: -80, End: 8000, Length: 10_000},
		"the last":              {Start: 80, End: 8000, Length: 10_000, Final: true},
		"stored":                {Start: 80, End: 8000, Length: 10_000, Stored: true},
		"short":                 {Start: 80, End: 8000, Length: minReused - 1},
		"a window is not there": {Start: 80, End: 8000, Length: 150_000 - windowSize + 1},
	} {
		var file bytes.Buffer
		w, err := NewWriter(&file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(text[:150_000])
		if err = errors.Join(err, w.Reuse(section(raw), b), w.Close()); err != nil {
			t.Fatal(err)
		}
		want, _ := writeFile(t, text[:150_000], Options{})
		if !bytes.Equal(file.Bytes(), want) {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// TestWriter_ReuseFails has a source that ends early or fails.
func TestWriter_ReuseFails(t *testing.T) {
	raw := stdDeflate(t, copyText(600_000, 59), 6)
	text, blocks := blocksOf(t, raw)
	broken := errors.New("disk on fire")
	for _, n := range []int{0, len(raw) / 4, len(raw) / 2} {
		for _, want := range []error{io.ErrUnexpectedEOF, broken} {
			src := io.NewSectionReader(readerAt{raw[:n], want}, 0, int64(len(raw)))
			w, err := NewWriter(io.Discard, Options{Jobs: 2})
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for _, b := range blocks {
				if _, err = w.Write(text[at : b.Text+b.Length]); err == nil {
					err = w.Reuse(src, b)
				}
				if err != nil {
					break
				}
				at = int(b.Text + b.Length)
			}
			if !errors.Is(err, want) {
				t.Errorf("%d bytes: got %v, want %v", n, err, want)
			}
			if err := w.Close(); !errors.Is(err, want) {
				t.Errorf("%d bytes: close says %v, want %v", n, err, want)
			}
		}
	}
}

func section(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// readerAt has an error where data ends.
type readerAt struct {
	data []byte
	err  error
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(r.data)) {
		return 0, r.err
	}
	n := copy(p, r.data[off:])
	if n < len(p) {
		return n, r.err
	}
	return n, nil
}

// TestWriter_ReuseJudges has gzip and Python's zlib read files with blocks
// copied to every place of a byte, and Python inflate each kind of filler.
func TestWriter_ReuseJudges(t *testing.T) {
	const program = "import gzip,sys\n" +
		"for i in range(1, len(sys.argv), 2):\n" +
		"  assert gzip.open(sys.argv[i]).read() == open(sys.argv[i+1], 'rb').read()\n"
	args := []string{"-c", program}
	for name, raw := range reusable(t) {
		text, blocks := blocksOf(t, raw)
		from := len(text) / 9
		file := reuse(t, section(raw), text, blocks, from, len(text), Options{})
		path := tempFile(t, "x.gz", file)
		if got := run(t, nil, "gzip", "-dc", path); got != string(text[from:]) {
			t.Errorf("%s: gzip reads %d bytes, want %d", name, len(got), len(text)-from)
		}
		args = append(args, path, tempFile(t, "x", text[from:]))
	}
	run(t, nil, "python3", args...)
}

// TestFillers reads each filler, followed by a block at the place that it leads
// to, with two decoders.
func TestFillers(t *testing.T) {
	args := []string{"-c", "import sys,zlib\nfor a in sys.argv[1:]:\n  d = zlib.decompressobj(-15)\n" +
		"  assert d.decompress(bytes.fromhex(a)) == b'text' and d.eof"}
	for used, filler := range fillers {
		w := bitWriter{data: bytes.Clone(filler), used: uint(used)}
		w.put(0b011, 3)
		for _, c := range []byte("text") {
			w.literal(c)
		}
		w.code(0, 7)
		if got, _, err := inflate(w.data); err != nil || string(got) != "text" {
			t.Errorf("filler to bit %d: read %q (%v)", used, got, err)
		}
		args = append(args, fmt.Sprintf("%x", w.data))
	}
	run(t, nil, "python3", args...)
}

// FuzzReuse: a file of any part of a stream has that text.
func FuzzReuse(f *testing.F) {
	rows := copyText(90_000, 60)
	for _, raw := range [][]byte{
		stdDeflate(f, rows, 6), stdDeflate(f, rows, 1), awkward(bytes.Repeat(noise(windowSize, 61), 2), 62),
		awkward(rows, 63), storedDeflate(rows[:2000]),
	} {
		f.Add(raw, uint32(0), uint32(1<<20), uint32(1<<20))
		f.Add(raw, uint32(1000), uint32(70_000), uint32(20_000))
	}
	f.Fuzz(func(t *testing.T, raw []byte, from, to, piece uint32) {
		defer fuzzing.Bounded(t, len(raw))()
		if len(raw) > 1<<17 {
			return
		}
		var blocks []Block
		text, err := io.ReadAll(io.LimitReader(NewInflater(bytes.NewReader(raw), func(b Block) { blocks = append(blocks, b) }), 1<<20))
		if err != nil || len(text) == 0 {
			return
		}
		start := int(from) % len(text)
		end := min(start+int(to%(1<<20)), len(text))
		file := reuse(t, section(raw), text, blocks, start, end, Options{PieceSize: 1<<12 + int(piece%(1<<20))})
		checkReused(t, file, text[start:end])
	})
}
