package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
	"odx/dumpfmt/odoozip"
)

// FuzzMembers: the names in a list of members lead nowhere else, and what is read
// of a list is read again of the list that is written of it.
func FuzzMembers(f *testing.F) {
	f.Add([]byte("\"dump.sql\"\n\"manifest.json\"\n\"filestore/b1/b15835fdac8df7a502d7203681ca1b44866be2ce\"\n"))
	f.Add([]byte(`["odd\u00e9","extra/member-3"]` + "\n" + `["filestore/",""]` + "\n"))
	f.Add([]byte(`["../x","/etc/passwd"]` + "\nnull\n{}\n"))
	f.Add([]byte(`"./"` + "\n" + `"./dump.sql"` + "\n" + `["./a","extra/a"]` + "\n" + `["././a","./a"]`))
	f.Add([]byte(`{"name":"6Q==","file":"ZXh0cmEv6Q=="}` + "\n" + `{"name":"Li4v6Q==","file":"6Q=="}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		defer fuzzing.Bounded(t, len(text))()
		list, err := membersOf(bytes.NewReader(text))
		if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
			t.Fatalf("not a format error: %v", err)
		}
		var again bytes.Buffer
		e := json.NewEncoder(&again)
		for _, k := range list {
			for _, name := range []string{k.name, k.file} {
				if err := odoozip.CheckName(strings.TrimPrefix(name, "./")); err != nil && name != "./" {
					t.Fatalf("%q passes: %v", name, err)
				}
			}
			if err := e.Encode(k.line()); err != nil {
				t.Fatal(err)
			}
		}
		second, err := membersOf(&again)
		if err != nil || !slices.Equal(second, list) {
			t.Fatalf("%q became %q, %v", list, second, err)
		}
	})
}

// membersOf reads a list up to its end or an error.
func membersOf(r io.Reader) (list []keptMember, err error) {
	err = parseMembers(r, dumpfmt.KeptMembers, func(k keptMember, _ error) bool {
		list = append(list, k)
		return true
	})
	return list, err
}

// endless gives the same byte for ever, and counts.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.n += int64(len(p))
	return len(p), nil
}

// TestMembers_Endless has a list of one line that does not end, as a small gzip
// file can hold it: it is refused, and little of it is read.
func TestMembers_Endless(t *testing.T) {
	line := &endless{}
	_, err := membersOf(io.MultiReader(bytes.NewReader([]byte("\"dump.sql\"\n\"")), line))
	if !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("error %v, want a format error", err)
	}
	if line.n > 2*maxMemberLine {
		t.Errorf("%d bytes were read", line.n)
	}
}
