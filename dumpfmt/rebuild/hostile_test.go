package rebuild

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// each writes a text for every number below n.
func each(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.NewReplacer("NN", fmt.Sprint(i), "MM", fmt.Sprint(i+1)).Replace(format))
	}
	return b.String()
}

const (
	tableNN  = "--\n-- Name: tNN; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE public.tNN (\n    id integer NOT NULL\n);\n\n\n"
	heirMM   = "--\n-- Name: tMM; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE public.tMM (\n)\nINHERITS (public.tNN, public.tNN);\n\n\n"
	uniqueNN = "--\n-- Name: t0 uNN; Type: CONSTRAINT; Schema: public; Owner: -\n--\n\nALTER TABLE ONLY public.t0\n    ADD CONSTRAINT uNN UNIQUE (id);\n\n\n"
	attachNN = "--\n-- Name: uMM; Type: INDEX ATTACH; Schema: public; Owner: -\n--\n\nALTER INDEX public.uNN ATTACH PARTITION public.uMM;\n\n\n"
	circle   = "--\n-- Name: u0; Type: INDEX ATTACH; Schema: public; Owner: -\n--\n\nALTER INDEX public.u0 ATTACH PARTITION public.u0;\n\n\n"
	fkNN     = "--\n-- Name: t0 fNN; Type: FK CONSTRAINT; Schema: public; Owner: -\n--\n\nALTER TABLE ONLY public.t0\n" +
		"    ADD CONSTRAINT fNN FOREIGN KEY (id) REFERENCES public.t0(id);\n\n\n"
)

func switchOff(table string) string {
	return "--\n-- Name: " + table + " g; Type: TRIGGER; Schema: public; Owner: -\n--\n\nALTER TABLE public." + table + " DISABLE TRIGGER g;\n\n\n"
}

// TestRead_Hostile has scripts that are small and whose dependencies, names or
// large objects are made to take all time or memory.
func TestRead_Hostile(t *testing.T) {
	table, unique, fk := strings.ReplaceAll(tableNN, "NN", "0"), strings.ReplaceAll(uniqueNN, "NN", "0"), strings.ReplaceAll(fkNN, "NN", "0")
	for name, tc := range map[string]struct{ items, want string }{
		"table that inherits from itself twice": {strings.NewReplacer("NN", "0", "MM", "0").Replace(heirMM) + switchOff("t0"), ""},
		"many ways to one parent":               {table + each(60, heirMM) + switchOff("t60"), ""},
		"index attached to itself twice":        {table + unique + circle + circle + fk, ""},
		"many ways to one index":                {table + unique + each(60, attachNN+attachNN) + fk, ""},
		"long chain of indexes":                 {table + unique + each(20_000, attachNN) + fk, ""},
		"keys by foreign keys":                  {table + each(3000, uniqueNN) + each(3000, fkNN), ""},
		"triggers by heirs":                     {table + each(3000, heirMM) + strings.Repeat(switchOff("t3000"), 3000), "in more than 4194304 ways"},
		"owner of large objects": {"--\n-- Name: 1..100000; Type: BLOB METADATA; Schema: -; Owner: x\n--\n\n" + each(100_000, "SELECT pg_catalog.lo_create('MM');\n") +
			"\nALTER LARGE OBJECT 1 OWNER TO \"" + strings.Repeat("x", 1<<20) + "\";\n\n", "owner"},
		"kinds in a header":  {"--\n-- Name: " + strings.Repeat("; Type: ", 400_000) + "\n--\n\n", "header"},
		"owners in a header": {"--\n-- Name: t0; Type: TABLE; Schema: s" + strings.Repeat("; Owner: ", 400_000) + "\n--\n\nCREATE TABLE public.t0 (\n);\n\n\n", "header"},
		"data of a table with owners in its header": {table + "--\n-- Data for Name: t0" + strings.Repeat("; Type: TABLE DATA; Schema: x", 64) +
			strings.Repeat("; Owner: ", 100_000) + "\n--\n\nSELECT 1;\n\n\n", ""},
		"operator": {"--\n-- Name: +; Type: OPERATOR; Schema: public; Owner: -\n--\n\nCREATE OPERATOR public." + strings.Repeat("++++++++", 100_000) + " (\n);\n\n\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkRead(t, scriptOf(t, tc.items))
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			t.Logf("%.200v", err)
		})
	}
}

// TestRead_ManyKeys has so many foreign keys to a table with so many unique
// indexes, as partitions give it, that each of the later ones waits for the first.
func TestRead_ManyKeys(t *testing.T) {
	const n = 3000
	script := scriptOf(t, strings.ReplaceAll(tableNN, "NN", "0")+each(n, uniqueNN)+each(n, fkNN))
	result, err := Read(bytes.NewReader(script), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var keys []*pgarchive.Entry
	for i := range result.TOC.Entries {
		if e := &result.TOC.Entries[i]; e.Desc == "FK CONSTRAINT" {
			keys = append(keys, e)
		}
	}
	first, last := keys[0], keys[n-1]
	if len(first.Dependencies) != n+1 {
		t.Errorf("the first has %d dependencies", len(first.Dependencies))
	}
	if len(last.Dependencies) > 2 || !slices.Contains(last.Dependencies, first.ID) {
		t.Errorf("the last depends on %v, and the first is %d", last.Dependencies, first.ID)
	}
}
