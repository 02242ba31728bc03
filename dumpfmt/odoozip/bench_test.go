package odoozip

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// filestore makes files as a filestore has them: half of the bytes in pictures,
// the rest in small texts and a large one.
func filestore() (files []file, size int64) {
	for i := range 500 {
		picture := append([]byte("\xff\xd8\xff\xe0"), noise(40_000, uint64(i))...)
		files = append(files, file{fmt.Sprintf("filestore/aa/%04d", i), picture}, file{fmt.Sprintf("filestore/bb/%04d", i), rows(20_000, uint64(i))})
	}
	files = append(files, file{"filestore/cc/large", rows(10_000_000, 1)})
	for _, f := range files {
		size += int64(len(f.text))
	}
	return files, size
}

// BenchmarkWriter has the rate of the text.
func BenchmarkWriter(b *testing.B) {
	files, size := filestore()
	for _, jobs := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				w := newWriter(b, io.Discard, Options{Jobs: jobs})
				for _, f := range files {
					add(b, w, f, true)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReader has the rate of the text.
func BenchmarkReader(b *testing.B) {
	files, size := filestore()
	zip := write(b, files, Options{Jobs: 2}, true)
	b.SetBytes(size)
	b.ReportAllocs()
	buf := make([]byte, 256<<10)
	for b.Loop() {
		r := newReader(b, zip)
		for i := range r.Members {
			src, err := r.Open(&r.Members[i])
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, src, buf); err != nil {
				b.Fatal(err)
			}
			if err := src.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkNewReader reads the directory of 100,000 members.
func BenchmarkNewReader(b *testing.B) {
	var zip bytes.Buffer
	o := newOutput(&zip)
	for i := range 100_000 {
		e := &entry{name: fmt.Sprintf("filestore/%02x/%040x", i%256, i), known: true}
		if err := o.begin(e); err != nil {
			b.Fatal(err)
		}
		o.register(e)
	}
	if err := o.finish(""); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(zip.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if r := newReader(b, zip.Bytes()); len(r.Members) != 100_000 {
			b.Fatal(len(r.Members))
		}
	}
}
