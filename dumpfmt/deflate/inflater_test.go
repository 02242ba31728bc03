package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"odx/dumpfmt/fuzzing"
)

// inflaters are used again so that what a damaged stream left behind in the
// tables would show.
var inflaters = sync.Pool{New: func() any { return NewInflater(nil, nil) }}

// checkInflate holds an Inflater's text and blocks against Go's decoder and the
// walk of the same data.
func checkInflate(t *testing.T, raw []byte) {
	t.Helper()
	z := inflaters.Get().(*Inflater)
	defer inflaters.Put(z)
	var blocks []Block
	z.Reset(bytes.NewReader(raw), func(b Block) { blocks = append(blocks, b) })
	got, err := io.ReadAll(z)
	want, used, wantErr := inflate(raw)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("got %v, Go says %v", err, wantErr)
	}
	if err != nil {
		return
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes of text, want %d", len(got), len(want))
	}
	if z.InputOffset() != used {
		t.Fatalf("used %d bytes, want %d", z.InputOffset(), used)
	}
	last, end, _, err := walkRaw(raw)
	if n := len(blocks); err != nil || blocks[n-1].Start != last || blocks[n-1].End != end {
		t.Fatalf("last block is %+v, walked %d to %d (%v)", blocks[n-1], last, end, err)
	}
	checkBlocks(t, blocks, int64(len(got)))
}

// checkBlocks checks that blocks follow each other.
func checkBlocks(t *testing.T, blocks []Block, length int64) {
	t.Helper()
	var bit, text int64
	for i, b := range blocks {
		if b.Start != bit || b.Text != text || b.End <= b.Start || b.Length < 0 || b.Final != (i == len(blocks)-1) {
			t.Fatalf("block %d of %d is %+v, want one at bit %d, text %d", i, len(blocks), b, bit, text)
		}
		bit, text = b.End, text+b.Length
	}
	if text != length {
		t.Fatalf("blocks have %d bytes, want %d", text, length)
	}
}

func TestInflater_AllEncoders(t *testing.T) {
	for name, text := range texts() {
		for _, d := range deflaters(t) {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				raw := d.raw(text)
				checkInflate(t, append(raw[:len(raw):len(raw)], "what follows"...))
				checkInflate(t, raw)
				if got, err := io.ReadAll(NewInflater(bytes.NewReader(raw), nil)); err != nil || !bytes.Equal(got, text) {
					t.Errorf("got %d bytes (%v), want %d", len(got), err, len(text))
				}
			})
		}
	}
}

// TestInflater_Sizes puts the ends of blocks, matches and texts at all places
// around the ends of the buffers.
func TestInflater_Sizes(t *testing.T) {
	rows := copyText(8*walkBuffer, 21)
	raw := stdDeflate(t, rows, 6)
	for shift := range 40 {
		padding := storedDeflate(noise(2000+shift, 22))
		padding[0] = 0 // not the last block
		checkInflate(t, append(padding, raw...))
	}
	for _, around := range []int{windowSize, inflateText, windowSize + inflateText, walkBuffer} {
		for size := around - 20; size < around+inflateSlack; size += 3 {
			checkInflate(t, stdDeflate(t, noise(size, 23), 6))
			checkInflate(t, stdDeflate(t, make([]byte, size), 9))
			checkInflate(t, stdDeflate(t, rows[:size], stdflate.HuffmanOnly))
		}
	}
}

// TestInflater_Distances has matches at every distance near the least and the
// most, overlapping ones too.
func TestInflater_Distances(t *testing.T) {
	for _, dist := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 31, 257, 258, 259, 32767, 32768} {
		unit := noise(dist, uint64(dist))
		checkInflate(t, stdDeflate(t, bytes.Repeat(unit, 3+2000/dist), 9))
	}
}

func TestInflater_EveryFlip(t *testing.T) {
	for _, text := range [][]byte{copyText(2500, 24), skewed(3000)} {
		raw := stdDeflate(t, text, 6)
		for i := range raw {
			for bit := range 8 {
				raw[i] ^= 1 << bit
				checkInflate(t, raw)
				raw[i] ^= 1 << bit
			}
			checkInflate(t, raw[:i])
			if _, err := io.ReadAll(NewInflater(bytes.NewReader(raw[:i]), nil)); err != io.ErrUnexpectedEOF {
				t.Fatalf("%d of %d bytes: got %v, want unexpected EOF", i, len(raw), err)
			}
		}
	}
}

func TestInflater_Readers(t *testing.T) {
	rows := copyText(400_000, 25)
	raw := stdDeflate(t, rows, 6)
	for name, r := range map[string]io.Reader{
		"one byte":    iotest.OneByteReader(bytes.NewReader(raw)),
		"half":        iotest.HalfReader(bytes.NewReader(raw)),
		"data at end": iotest.DataErrReader(bytes.NewReader(raw)),
	} {
		if got, err := io.ReadAll(NewInflater(r, nil)); err != nil || !bytes.Equal(got, rows) {
			t.Errorf("%s: got %d bytes (%v), want %d", name, len(got), err, len(rows))
		}
	}
	if err := iotest.TestReader(NewInflater(bytes.NewReader(raw), nil), rows); err != nil {
		t.Error(err)
	}
	broken := errors.New("disk on fire")
	for _, n := range []int{0, 1, 5, 500, len(raw) - 1} {
		_, err := io.ReadAll(NewInflater(io.MultiReader(bytes.NewReader(raw[:n]), iotest.ErrReader(broken)), nil))
		if err != broken {
			t.Errorf("after %d bytes: got %v, want the reader's error", n, err)
		}
	}
}

// FuzzInflater: data is judged and read as Go's decoder does it.
func FuzzInflater(f *testing.F) {
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
			checkInflate(t, raw)
		}
	})
}
