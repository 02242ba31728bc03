package sqlscript

import (
	"strings"
	"testing"

	"odx/dumpfmt/fuzzing"
)

// FuzzParseHeader: each way to read the names in a header gives them all, and
// the one whose kind stands last comes first.
func FuzzParseHeader(f *testing.F) {
	for _, text := range []string{
		"Name: a; Type: TABLE; Schema: public; Owner: -",
		"Data for Name: a; Type: B; Schema: c; Type: TABLE DATA; Schema: public; Owner: x",
		"TOC entry 215 (class 1259 OID 16385)\n-- Dependencies: 3 4\n-- Name: f(text); Type: FUNCTION; Schema: -; Owner: -\n-- File: 7.dat",
		"Name: ; Type: ; Type: ; Type: X; Schema: ",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer fuzzing.Bounded(t, len(text))()
		h, err := ParseHeader([]byte(ruler + "-- " + text + "\n" + ruler + "\n"))
		if err != nil {
			return
		}
		last := len(h.Names)
		for _, r := range h.Readings() {
			if r.Tag+typePart+r.Desc+schemaPart+r.Rest != h.Names || len(r.Tag) >= last {
				t.Fatalf("%q is read as %+v", h.Names, r)
			}
			last = len(r.Tag)
			if r.Desc == "" || strings.ToUpper(r.Desc) != r.Desc {
				t.Fatalf("kind %q", r.Desc)
			}
		}
	})
}
