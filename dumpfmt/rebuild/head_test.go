package rebuild

import (
	"bytes"
	"io"
	"path/filepath"
	"reflect"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// TestReadHead reads the head of each script: its entries are those that Read
// gives, and little more of the script is read.
func TestReadHead(t *testing.T) {
	paths, err := filepath.Glob("testdata/pg*/*.sql.gz")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		script := unpack(t, path)
		whole, err := Read(bytes.NewReader(script), nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		in := bytes.NewReader(script)
		head, err := ReadHead(in, Options{})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		entries := whole.TOC.ByID()
		before := 0
		for i := range head.TOC.Entries {
			got := head.TOC.Entries[i]
			if got.TableOID == 0 && got.OID == 0 && (got.Desc == "ENCODING" || got.Desc == "STDSTRINGS" || got.Desc == "SEARCHPATH") {
				continue // numbered last
			}
			before++
			if want := entries[got.ID]; want == nil || !reflect.DeepEqual(got, *want) {
				t.Errorf("%s: entry %+v, want %+v", path, got, want)
			}
			if got.HadDumper {
				t.Errorf("%s: data of %s", path, got.Tag)
			}
		}
		for i := range whole.TOC.Entries {
			if e := &whole.TOC.Entries[i]; e.Section == pgarchive.SectionPreData && e.Desc != "ENCODING" && e.Desc != "STDSTRINGS" && e.Desc != "SEARCHPATH" {
				before--
			}
		}
		if before < 0 {
			t.Errorf("%s: %d entries before the data are missing", path, -before)
		}
	}
}

type countedReader struct {
	r io.Reader
	n int
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// TestReadHead_StopsAtData meets damage behind the first data only when it is
// there that it looks.
func TestReadHead_StopsAtData(t *testing.T) {
	script := unpack(t, "testdata/pg15/cellar.sql.gz")
	at := bytes.Index(script, []byte(" FROM stdin;\n"))
	cut := append(bytes.Clone(script[:at+len(" FROM stdin;\n")]), "\x00 nothing that pg_dump writes"...)
	in := &countedReader{r: io.MultiReader(bytes.NewReader(cut), bytes.NewReader(make([]byte, 1<<20)))}
	if _, err := ReadHead(in, Options{}); err != nil {
		t.Error(err)
	}
	if in.n > len(cut)+1<<18 {
		t.Errorf("read %d bytes", in.n)
	}
	if _, err := ReadHead(bytes.NewReader(script[:at/2]), Options{}); err == nil {
		t.Error("a head that is cut off: no error")
	}
}
