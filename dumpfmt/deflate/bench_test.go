package deflate

import (
	"bytes"
	"compress/gzip"
	"io"
	"os/exec"
	"sync"
	"testing"

	"github.com/klauspost/compress/flate"
)

// zlibFile is a gzip file as pg_dump writes it: zlib's, level 6, of 32 MB of
// rows. Python has the same zlib; without it Go's encoder, which makes nearly
// the same, has to do.
var zlibFile = sync.OnceValue(func() []byte {
	rows := copyText(32<<20, 31)
	cmd := exec.Command("python3", "-c", "import sys,zlib\nc=zlib.compressobj(6,zlib.DEFLATED,31)\n"+
		"sys.stdout.buffer.write(c.compress(sys.stdin.buffer.read())+c.flush())")
	cmd.Stdin = bytes.NewReader(rows)
	if file, err := cmd.Output(); err == nil {
		return file
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(rows)
	_ = w.Close()
	return b.Bytes()
})

// benchmarkText runs a benchmark whose bytes are those of the text.
func benchmarkText(b *testing.B, file []byte, once func() int64) {
	b.Helper()
	b.SetBytes(once())
	b.ReportMetric(float64(len(file)), "file-bytes")
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}

// BenchmarkWalk walks a file of pg_dump's kind, and inflates it as the fastest
// decoder at hand does, in one run: rates are of the text.
func BenchmarkWalk(b *testing.B) {
	file := zlibFile()
	walker := NewWalker(nil)
	b.Run("walk", func(b *testing.B) {
		benchmarkText(b, file, func() int64 {
			walker.Reset(bytes.NewReader(file))
			m, err := walker.Next()
			if err != nil {
				b.Fatal(err)
			}
			return m.Length
		})
	})
	m := members(b, file)[0]
	buf := make([]byte, 1<<20)
	own := NewInflater(nil, nil)
	b.Run("inflate", func(b *testing.B) {
		benchmarkText(b, file, func() int64 {
			own.Reset(bytes.NewReader(file[m.Data():]), nil)
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{own}, buf)
			if err != nil {
				b.Fatal(err)
			}
			return n
		})
	})
	inflater := flate.NewReader(nil)
	b.Run("inflate of klauspost", func(b *testing.B) {
		benchmarkText(b, file, func() (n int64) {
			if err := inflater.(flate.Resetter).Reset(bytes.NewReader(file[m.Data():]), nil); err != nil {
				b.Fatal(err)
			}
			for {
				k, err := inflater.Read(buf)
				n += int64(k)
				if err == io.EOF {
					return n
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkJoin joins in memory, beside copying the same bytes: rates are of
// the compressed data.
func BenchmarkJoin(b *testing.B) {
	foreign := zlibFile()
	m := members(b, foreign)[0]
	rows := copyText(32<<20, 31)
	ours, l := writeFile(b, rows, Options{})
	dst := bytes.NewBuffer(make([]byte, 0, len(foreign)+len(ours)))
	run := func(name string, n int64, join func(j *Joiner) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(n)
			for b.Loop() {
				dst.Reset()
				j := newJoiner(b, dst, Options{})
				if err := join(j); err != nil {
					b.Fatal(err)
				}
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("member", m.DataLen(), func(j *Joiner) error {
		_, err := j.JoinMember(bytes.NewReader(foreign), m)
		return err
	})
	run("pieces", l.BodyLen, func(j *Joiner) error {
		_, err := j.JoinPieces(bytes.NewReader(ours), l)
		return err
	})
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(int64(len(foreign)))
		buf := make([]byte, copyBuffer)
		for b.Loop() {
			dst.Reset()
			if _, err := copyRange(dst, bytes.NewReader(foreign), 0, int64(len(foreign)), buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWriter compresses: rates are of the text.
func BenchmarkWriter(b *testing.B) {
	rows := copyText(32<<20, 32)
	for _, jobs := range []int{1, 2, 4} {
		b.Run(map[int]string{1: "1 job", 2: "2 jobs", 4: "4 jobs"}[jobs], func(b *testing.B) {
			w, err := NewWriter(io.Discard, Options{Jobs: jobs})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(rows)))
			for b.Loop() {
				w.Reset(io.Discard)
				if _, err := w.Write(rows); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
