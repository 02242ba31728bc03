package deflate

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt"
)

// writeFile gives what Writer makes of a text, and its layout.
func writeFile(tb testing.TB, text []byte, opts Options) ([]byte, Layout) {
	tb.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, opts)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes(), w.Layout()
}

func newJoiner(tb testing.TB, w io.Writer, opts Options) *Joiner {
	tb.Helper()
	j, err := NewJoiner(w, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(j.Abort)
	return j
}

// members walks a gzip file.
func members(tb testing.TB, file []byte) (all []Member) {
	tb.Helper()
	for w := NewWalker(bytes.NewReader(file)); ; {
		m, err := w.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, m)
	}
}

// A source is a gzip file to be joined.
type source struct {
	name string
	text []byte
	file []byte
}

// sources are all texts as deflated by all encoders, with data that ends at
// every bit of a byte among them.
func sources(t *testing.T) (all []source) {
	t.Helper()
	for name, text := range texts() {
		for _, d := range deflaters(t) {
			all = append(all, source{name + "/" + d.name, text, gzipped(t, d.raw(text), text)})
		}
	}
	for before := range 8 {
		text := []byte("ends anywhere\n")
		all = append(all, source{fmt.Sprintf("bit %d", before), text, gzipped(t, fixedDeflate(text, before), text)})
	}
	return all
}

// checkJoined holds a joined stream against the text that it should have.
func checkJoined(t *testing.T, j *Joiner, stream, want []byte) {
	t.Helper()
	text, used, err := inflate(stream)
	if err != nil || used != int64(len(stream)) || !bytes.Equal(text, want) {
		t.Fatalf("%d bytes of text in %d of %d (%v), want %d", len(text), used, len(stream), err, len(want))
	}
	if j.Size() != int64(len(stream)) || j.Length() != int64(len(want)) || j.CRC() != crc32.ChecksumIEEE(want) {
		t.Errorf("size %d, length %d, CRC-32 %08x, want %d, %d, %08x",
			j.Size(), j.Length(), j.CRC(), len(stream), len(want), crc32.ChecksumIEEE(want))
	}
}

// TestJoiner_Members joins the files of all encoders, text in between, and cuts
// each out again.
func TestJoiner_Members(t *testing.T) {
	var stream, want bytes.Buffer
	j := newJoiner(t, &stream, Options{})
	all, ends := sources(t), map[int64]bool{}
	parts := make([]Part, len(all))
	for i, s := range all {
		m := members(t, s.file)[0]
		ends[m.Bits%8] = true
		text := fmt.Appendf(nil, "\n-- %s\n", s.name)
		if i%3 == 0 { // some directly behind another
			if _, err := j.Write(text); err != nil {
				t.Fatal(err)
			}
			want.Write(text)
		}
		var err error
		if parts[i], err = j.JoinMember(bytes.NewReader(s.file), m); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		want.Write(s.text)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	checkJoined(t, j, stream.Bytes(), want.Bytes())
	if len(ends) != 8 {
		t.Errorf("data ended in %d places of a byte only", len(ends))
	}
	const before = 7 // as a zip's header
	file := append(make([]byte, before), stream.Bytes()...)
	for i, s := range all {
		var got bytes.Buffer
		if err := Cut(&got, bytes.NewReader(file), before, parts[i]); err != nil {
			t.Fatal(err)
		}
		m := members(t, s.file)[0]
		if !bytes.Equal(got.Bytes(), s.file[m.Data():m.Data()+m.DataLen()]) {
			t.Errorf("%s: other data is cut out", s.name)
		}
	}
}

// TestJoiner_Padding keeps what stands in the last byte above the last bit.
func TestJoiner_Padding(t *testing.T) {
	text := []byte("text\n")
	for before := range 8 {
		raw := fixedDeflate(text, before)
		_, end, _, err := walkRaw(raw)
		if err != nil {
			t.Fatal(err)
		}
		if used := end % 8; used > 0 {
			raw[len(raw)-1] |= 0xff << used
		}
		file := gzipped(t, raw, text)
		var stream, got bytes.Buffer
		j := newJoiner(t, &stream, Options{})
		part, err := j.JoinMember(bytes.NewReader(file), members(t, file)[0])
		if err = errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		checkJoined(t, j, stream.Bytes(), text)
		if err := Cut(&got, bytes.NewReader(stream.Bytes()), 0, part); err != nil || !bytes.Equal(got.Bytes(), raw) {
			t.Errorf("%d blocks before: %x is cut out, want %x (%v)", before, got.Bytes(), raw, err)
		}
	}
}

// TestJoiner_Pieces joins what Writer has written, at any number of jobs.
func TestJoiner_Pieces(t *testing.T) {
	var first []byte
	for _, jobs := range []int{1, 2, 8} {
		opts := Options{Jobs: jobs, PieceSize: 20_000}
		var stream, want bytes.Buffer
		j := newJoiner(t, &stream, opts)
		for _, name := range []string{"rows", "empty", "noise", "one", "mixed", "zeros"} {
			text := texts()[name]
			file, l := writeFile(t, text, opts)
			if read, err := ReadLayout(bytes.NewReader(file), int64(len(file))); err != nil || read != l {
				t.Fatalf("%s: layout %+v, %v, want %+v", name, read, err, l)
			}
			head := bytes.Repeat([]byte(name+" "), 5000)
			if _, err := io.Copy(j, bytes.NewReader(head)); err != nil {
				t.Fatal(err)
			}
			part, err := j.JoinPieces(bytes.NewReader(file), l)
			if err != nil {
				t.Fatal(err)
			}
			want.Write(head)
			want.Write(text)
			var got bytes.Buffer
			got.Write(l.Header())
			if err := Cut(&got, bytes.NewReader(stream.Bytes()), 0, part); err != nil {
				t.Fatal(err)
			}
			got.Write(l.Tail())
			if !bytes.Equal(got.Bytes(), file) {
				t.Errorf("%s: another file is cut out", name)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		checkJoined(t, j, stream.Bytes(), want.Bytes())
		if first == nil {
			first = stream.Bytes()
		}
		if !bytes.Equal(stream.Bytes(), first) {
			t.Errorf("%d jobs: other bytes", jobs)
		}
	}
}

// TestJoiner_Files has the system copy from file to file.
func TestJoiner_Files(t *testing.T) {
	rows := copyText(2_000_000, 21)
	foreign := gzipped(t, stdDeflate(t, rows, 6), rows)
	ours, l := writeFile(t, rows, Options{})
	dir := t.TempDir()
	open := func(name string, content []byte) *os.File {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	dst := open("stream", nil)
	j := newJoiner(t, dst, Options{})
	a, err := j.JoinMember(open("foreign", foreign), members(t, foreign)[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := j.JoinPieces(open("ours", ours), l)
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	stream, err := os.ReadFile(dst.Name())
	if err != nil {
		t.Fatal(err)
	}
	checkJoined(t, j, stream, append(bytes.Clone(rows), rows...))
	for _, cut := range []struct {
		part Part
		want []byte
	}{{a, foreign[10 : len(foreign)-8]}, {b, ours[l.HeaderLen : l.HeaderLen+l.BodyLen]}} {
		out := open("cut", nil)
		if err := Cut(out, dst, 0, cut.part); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out.Name()); err != nil || !bytes.Equal(got, cut.want) {
			t.Errorf("%d other bytes are cut out (%v)", len(got), err)
		}
	}
}

// TestJoiner_Changed joins files that are not what was walked.
func TestJoiner_Changed(t *testing.T) {
	rows := copyText(5000, 22)
	file := gzipped(t, stdDeflate(t, rows, 6), rows)
	m := members(t, file)[0]
	at := m.Data() + m.Last/8
	other := bytes.Clone(file)
	other[at] &^= 1 << (m.Last % 8)
	tests := map[string]struct {
		file []byte
		m    Member
		want error
	}{
		"no last block": {other, m, errNotLast},
		"cut short":     {file[:at+3], m, io.ErrUnexpectedEOF},
		"cut before":    {file[:at], m, io.ErrUnexpectedEOF},
		"negative":      {file, Member{Last: -1, Bits: m.Bits}, errNotLast},
		"beyond":        {file, Member{Last: m.Bits, Bits: m.Bits}, errNotLast},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stream bytes.Buffer
			j := newJoiner(t, &stream, Options{})
			if _, err := j.JoinMember(bytes.NewReader(test.file), test.m); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err := j.Close(); !errors.Is(err, test.want) {
				t.Errorf("close: %v, want %v", err, test.want)
			}
		})
	}
}

func TestCut_NotAPart(t *testing.T) {
	data := make([]byte, 100)
	for _, p := range []Part{
		{Offset: -1, Size: 10, Bits: 80, Last: -1}, {Size: 10, Bits: 81, Last: -1}, {Size: 10, Bits: -1, Last: -1},
		{Size: 10, Bits: 80, Last: 75}, {Size: 10, Bits: 75, Last: 0, Padding: 1}, {Size: 10, Bits: 80, Last: 0, Padding: 0x80},
	} {
		if err := Cut(io.Discard, bytes.NewReader(data), 0, p); err != errPart {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := Cut(io.Discard, bytes.NewReader(data), 0, Part{Size: 101, Bits: 808, Last: -1}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("beyond the file: %v", err)
	}
}

func TestCombineCRC32(t *testing.T) {
	rows := copyText(100_000, 23)
	for _, n := range []int{0, 1, 2, 255, 65536, 99_999, 100_000} {
		got := CombineCRC32(crc32.ChecksumIEEE(rows[:n]), crc32.ChecksumIEEE(rows[n:]), int64(len(rows)-n))
		if want := crc32.ChecksumIEEE(rows); got != want {
			t.Errorf("cut at %d: %08x, want %08x", n, got, want)
		}
	}
}

// TestReadLayout_Broken changes the head and the tail of a file in every way:
// what is accepted must have the bytes of a layout.
func TestReadLayout_Broken(t *testing.T) {
	file, l := writeFile(t, copyText(3000, 24), Options{PieceSize: 1000})
	for n := range file {
		if got, err := ReadLayout(bytes.NewReader(file[:n]), int64(n)); err == nil {
			t.Errorf("cut to %d: %+v", n, got)
		} else if !errors.Is(err, dumpfmt.ErrFormat) && err != ErrNotPieces {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	for bit := range 8 * len(file) {
		if at := int64(bit / 8); at >= l.HeaderLen && at < l.HeaderLen+l.BodyLen-4 {
			continue
		}
		broken := bytes.Clone(file)
		broken[bit/8] ^= 1 << (bit % 8)
		got, err := ReadLayout(bytes.NewReader(broken), int64(len(broken)))
		if err != nil {
			continue
		}
		end := got.HeaderLen + got.BodyLen
		if whole := append(append(got.Header(), broken[got.HeaderLen:end]...), got.Tail()...); !bytes.Equal(whole, broken) {
			t.Errorf("bit %d: %+v makes another file", bit, got)
		}
	}
}

// TestLayout_Long has a text whose length takes more than 32 bits.
func TestLayout_Long(t *testing.T) {
	for _, length := range []int64{longText - 1, longText, 5 << 30} {
		body := append(make([]byte, length/1000), syncEnd...)
		l := NewLayout(int64(len(body)), 0x12345678, length)
		file := append(append(l.Header(), body...), l.Tail()...)
		if got, err := ReadLayout(bytes.NewReader(file), int64(len(file))); err != nil || got != l {
			t.Errorf("got %+v, %v, want %+v", got, err, l)
		}
	}
}
