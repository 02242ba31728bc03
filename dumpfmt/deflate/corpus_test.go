package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/klauspost/compress/flate"
)

// copyText returns about n bytes of rows as COPY writes them for the tables
// that fill an Odoo database: journal items with dates, amounts and a text. It
// compresses about 5:1 with zlib.
func copyText(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	words := make([]string, 2000)
	for i := range words {
		w := make([]byte, 2+r.IntN(9))
		for k := range w {
			w[k] = "eeeeettttaaaooiinnsshhrrdlucmfwypvbgkqjxz"[r.IntN(41)]
		}
		words[i] = string(w)
	}
	names := make([]string, 400)
	for i := range names {
		for range 2 + r.IntN(6) {
			f := r.Float64()
			names[i] += words[int(f*f*2000)] + " "
		}
	}
	b := make([]byte, 0, n+2000)
	for id, at := 100000, 0; len(b) < n; {
		at += r.IntN(4000)
		stamp := fmt.Sprintf("2024-%02d-%02d %02d:%02d:%02d.%06d",
			1+at/2592000%12, 1+at/86400%28, at/3600%24, at/60%60, at%60, r.IntN(1000000))
		move, partner := id/4, 7+r.IntN(3000)
		for line := range 2 + r.IntN(4) {
			id++
			amount := float64(r.IntN(200000)) / 100
			f := r.Float64()
			b = fmt.Appendf(b, "%d\t%d\t1\t%d\t%d\tINV/2024/%05d\tposted\t%d\t1\t%d\t\\N\t%s\tproduct\t%.2f\t0.00\t%.2f\t%s\t\\N\tf\t%s\t%s\t2\t2\n",
				id, move, 7+line, 10*line, move, 20+r.IntN(20), partner, names[int(f*f*400)], amount, amount, stamp[:10], stamp, stamp)
		}
	}
	return b[:n]
}

// noise returns n bytes that do not compress.
func noise(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// texts are small inputs of every nature.
var texts = sync.OnceValue(func() map[string][]byte {
	return map[string][]byte{
		"empty":     nil,
		"end":       []byte("\\.\n\n\n"),
		"one":       []byte("x"),
		"zeros":     make([]byte, 100_000),
		"rows":      copyText(150_000, 1),
		"few rows":  copyText(3_000, 2),
		"noise":     noise(70_000, 3),
		"mixed":     append(append(copyText(40_000, 4), noise(30_000, 5)...), copyText(40_000, 6)...),
		"a few":     []byte("abcabcabcabcabcabc"),
		"65535":     noise(65535, 7),
		"window":    append(noise(32768, 8), noise(32768, 8)...),
		"alphabet":  bytes.Repeat([]byte("abcdefghijklmnopqrstuvwxyz"), 4000),
		"long code": skewed(200_000),
	}
})

// skewed returns bytes whose frequencies fall so fast that codes get long.
func skewed(n int) []byte {
	r := rand.New(rand.NewPCG(9, 9))
	b := make([]byte, n)
	for i := range b {
		for b[i] = 0; r.IntN(5) > 1 && b[i] < 40; b[i]++ {
		}
	}
	return b
}

// A deflater makes raw deflate data.
type deflater struct {
	name string
	raw  func(text []byte) []byte
}

// deflaters are the encoders of two libraries at all their levels.
func deflaters(tb testing.TB) (all []deflater) {
	for level := stdflate.HuffmanOnly; level <= 9; level++ {
		all = append(all, deflater{fmt.Sprintf("go level %d", level), func(text []byte) []byte {
			return stdDeflate(tb, text, level)
		}})
	}
	for level := flate.HuffmanOnly; level <= 9; level++ {
		all = append(all, deflater{fmt.Sprintf("klauspost level %d", level), func(text []byte) []byte {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, level)
			if err != nil {
				tb.Fatal(err)
			}
			if _, err := w.Write(text); err != nil {
				tb.Fatal(err)
			}
			if err := w.Close(); err != nil {
				tb.Fatal(err)
			}
			return b.Bytes()
		}})
	}
	return append(all,
		deflater{"klauspost stateless", func(text []byte) []byte {
			var b bytes.Buffer
			if err := flate.StatelessDeflate(&b, text, true, nil); err != nil {
				tb.Fatal(err)
			}
			return b.Bytes()
		}},
		deflater{"stored only", storedDeflate},
		deflater{"fixed literals", func(text []byte) []byte { return fixedDeflate(text, 0) }},
	)
}

func stdDeflate(tb testing.TB, text []byte, level int) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := stdflate.NewWriter(&b, level)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// gzipped puts deflate data into a gzip member with the plainest header.
func gzipped(tb testing.TB, raw, text []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	z := b.Bytes()
	return append(append(z[:10:10], raw...), z[len(z)-8:]...)
}

// A bitWriter makes deflate data by hand.
type bitWriter struct {
	data []byte
	used uint // bits of the last byte
}

// put adds the low n bits of v, the lowest first.
func (w *bitWriter) put(v uint64, n uint) {
	for i := range n {
		if w.used == 0 {
			w.data = append(w.data, 0)
		}
		w.data[len(w.data)-1] |= byte(v>>i&1) << w.used
		w.used = (w.used + 1) % 8
	}
}

// code adds the n bits of a Huffman code, the highest first.
func (w *bitWriter) code(v uint64, n uint) {
	for i := range n {
		w.put(v>>(n-1-i), 1)
	}
}

func (w *bitWriter) align() { w.used = 0 }

// literal adds a literal of the fixed code.
func (w *bitWriter) literal(c byte) {
	if c < 144 {
		w.code(uint64(c)+0x30, 8)
		return
	}
	w.code(uint64(c)+0x190-144, 9)
}

// fixedDeflate makes one block of literals in the fixed code, after as many
// empty ones as asked, each of which moves it by ten bits.
func fixedDeflate(text []byte, before int) []byte {
	var w bitWriter
	for range before {
		w.put(0b010, 3)
		w.code(0, 7)
	}
	w.put(0b011, 3)
	for _, c := range text {
		w.literal(c)
	}
	w.code(0, 7)
	return w.data
}

func storedDeflate(text []byte) []byte {
	var w bitWriter
	for {
		n := min(len(text), 65535)
		last := uint64(0)
		if n == len(text) {
			last = 1
		}
		w.put(last, 3)
		w.align()
		w.put(uint64(n)|uint64(^uint16(n))<<16, 32)
		w.data = append(w.data, text[:n]...)
		if text = text[n:]; last == 1 {
			return w.data
		}
	}
}
