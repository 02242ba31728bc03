package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// memorySink keeps the data of each stream and checks how it is used.
type memorySink struct {
	data   map[string]string
	isOpen bool
	fail   error // given by the stream that fails
	where  string
}

type memoryStream struct {
	sink *memorySink
	name string
	bytes.Buffer
}

func (s *memorySink) open(name string) (io.WriteCloser, error) {
	if s.isOpen {
		return nil, errors.New("two streams are open")
	}
	if s.where == "open" {
		return nil, s.fail
	}
	s.isOpen = true
	return &memoryStream{sink: s, name: name}, nil
}

func (s *memorySink) Table(e *pgarchive.Entry, _ int64) (io.WriteCloser, error) {
	return s.open(fmt.Sprintf("table %d", e.ID))
}

func (s *memorySink) LargeObject(blobs pgarchive.DumpID, oid uint32, _ int64) (io.WriteCloser, error) {
	return s.open(fmt.Sprintf("%d of %d", oid, blobs))
}

func (m *memoryStream) Write(p []byte) (int, error) {
	if m.sink.where == "write" {
		return 0, m.sink.fail
	}
	return m.Buffer.Write(p)
}

func (m *memoryStream) Close() error {
	if m.sink.where == "close" {
		return m.sink.fail
	}
	m.sink.isOpen = false
	m.sink.data[m.name] = m.String()
	return nil
}

func TestRead_Sink(t *testing.T) {
	script := unpack(t, "testdata/pg15/cellar.sql.gz")
	s := &memorySink{data: make(map[string]string)}
	res, err := Read(bytes.NewReader(script), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for i := range res.TOC.Entries {
		e := &res.TOC.Entries[i]
		switch {
		case e.Desc == pgarchive.DescTableData && e.Tag == "own_space":
			want[fmt.Sprintf("table %d", e.ID)] = "1\tNaN\tt\t101\n2\t-1.5\t\\N\t\\N\n3\t0\tf\t000\n\\.\n\n\n"
		case e.Desc == pgarchive.DescTableData && e.Tag == "parted_1":
			want[fmt.Sprintf("table %d", e.ID)] = "\\.\n\n\n"
		case e.IsLargeObjects():
			want[fmt.Sprintf("910001 of %d", e.ID)] = "\x00\xff\\'"
			want[fmt.Sprintf("910002 of %d", e.ID)] = "A"
		}
	}
	if len(want) != 4 || len(s.data) != 6 {
		t.Errorf("%d of %d streams: %q", len(want), len(s.data), slices.Sorted(maps.Keys(s.data)))
	}
	for name, data := range want {
		if s.data[name] != data {
			t.Errorf("%s: %q, want %q", name, s.data[name], data)
		}
	}
	if len(res.Lists) != 1 || string(res.Lists[0].Text()) != "910001 blob_910001.dat\n910002 blob_910002.dat\n" {
		t.Errorf("lists: %+v", res.Lists)
	}
}

func TestRead_SinkErrors(t *testing.T) {
	script := unpack(t, "testdata/pg15/cellar.sql.gz")
	full := errors.New("disk is full")
	for _, where := range []string{"open", "write", "close"} {
		s := &memorySink{data: make(map[string]string), fail: full, where: where}
		if _, err := Read(bytes.NewReader(script), s, Options{}); err != full {
			t.Errorf("%s: %v, want the sink's error", where, err)
		}
	}
}

func TestRead_ReaderErrors(t *testing.T) {
	script := unpack(t, "testdata/pg15/cellar.sql.gz")
	for n := 0; n < len(script); n += 53 {
		r := io.MultiReader(bytes.NewReader(script[:n]), failing{})
		if _, err := Read(r, nil, Options{}); err != errDisk {
			t.Errorf("after %d bytes: %v, want the reader's error", n, err)
		}
	}
}

var errDisk = errors.New("broken disk")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errDisk }

func TestRead_Frame(t *testing.T) {
	res, err := Read(bytes.NewReader(unpack(t, "testdata/pg18/cellar-create.sql.gz")), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := res.Frame
	if f.RestrictKey != "kitchen" || f.Connect != "\\connect cellar\n" || f.DropDatabase != "DROP DATABASE IF EXISTS cellar;\n" ||
		f.Verbose || !f.HasOwners || strings.Count(f.Settings, "\n") != 12 {
		t.Errorf("frame: %+v", f)
	}
	res, err = Read(bytes.NewReader(unpack(t, "testdata/pg13/plain-noowner.sql.gz")), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f = res.Frame
	if f.RestrictKey != "" || f.Connect != "" || f.DropDatabase != "" || f.HasOwners {
		t.Errorf("frame: %+v", f)
	}
}

// repeated gives a text over and over.
type repeated struct {
	text string
	left int // bytes
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && r.left > 0 {
		m := copy(p[n:min(len(p), n+r.left)], r.text[r.at:])
		n, r.at, r.left = n+m, (r.at+m)%len(r.text), r.left-m
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestRead_Memory reads much data and allocates little.
func TestRead_Memory(t *testing.T) {
	const size = 64 << 20
	copied := string(unpack(t, "testdata/pg18/cellar.sql.gz"))
	inserted := string(unpack(t, "testdata/pg18/cellar-inserts.sql.gz"))
	for name, c := range map[string]struct{ script, before, text string }{
		"rows":    {copied, "3\t\\\\\n\\.\n", "4\tsome text\n"},
		"one row": {copied, "3\t\\\\\n\\.\n", "xxxxxxxx"},
		"inserts": {inserted, "INSERT INTO public.other_space (id, t) VALUES\n", "INSERT INTO public.other_space (id, t) VALUES\n\t(4, 'some text');\n"},
	} {
		t.Run(name, func(t *testing.T) {
			i := strings.Index(c.script, c.before)
			if i < 0 {
				t.Fatalf("no %q", c.before)
			}
			more := &repeated{text: c.text, left: size / len(c.text) * len(c.text)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := io.MultiReader(strings.NewReader(c.script[:i]), more, strings.NewReader(c.script[i:]))
			if _, err := Read(r, nil, Options{}); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > size/8 {
				t.Errorf("%d bytes allocated for %d bytes of data", got, size)
			}
		})
	}
}
