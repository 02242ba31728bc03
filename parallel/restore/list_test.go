package restore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

var versions = []string{"pg13", "pg15", "pg17", "pg18"}

func kitchen(t *testing.T, version string) *pgarchive.TOC {
	t.Helper()
	a, err := pgarchive.Open(filepath.Join("../../dumpfmt/pgarchive/testdata", version, "kitchen.dump"))
	if err != nil {
		t.Fatal(err)
	}
	return a.TOC
}

// names lists entries as pg_restore -l does, without schemas and owners.
func names(toc *pgarchive.TOC, ids []pgarchive.DumpID) (list []string) {
	for i := range toc.Entries {
		if e := &toc.Entries[i]; slices.Contains(ids, e.ID) {
			list = append(list, e.Desc+" "+e.Tag)
		}
	}
	return list
}

func TestRounds_Kitchen(t *testing.T) {
	for _, v := range versions {
		toc := kitchen(t, v)
		left := map[pgarchive.DumpID]bool{toc.Entries[5].ID: true}
		got := rounds(toc, left)
		if len(got) != 2 {
			t.Fatalf("%s: %d rounds", v, len(got))
		}
		if n := len(got[0]) + len(got[1]); n != len(toc.Entries)-1 {
			t.Errorf("%s: %d of %d entries", v, n, len(toc.Entries))
		}
		second := names(toc, got[1])
		for _, want := range []string{"TRIGGER by_range parted", "FK CONSTRAINT refers_to_list refers_to_list_id_kind_fkey",
			"EVENT TRIGGER ddl_off", "MATERIALIZED VIEW DATA mv_a"} {
			if !slices.Contains(second, want) {
				t.Errorf("%s: %s is not in the second round: %q", v, want, second)
			}
		}
		for _, name := range second {
			if strings.HasPrefix(name, "TABLE") || strings.HasPrefix(name, "SEQUENCE") {
				t.Errorf("%s: %s is in the second round", v, name)
			}
		}
		wantOrder(t, v, toc, got)
	}
}

// wantOrder fails the test if something comes before what it depends on.
func wantOrder(t *testing.T, name string, toc *pgarchive.TOC, got [][]pgarchive.DumpID) {
	t.Helper()
	round := map[pgarchive.DumpID]int{}
	for i, ids := range got {
		for _, id := range ids {
			round[id] = i
		}
	}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		for _, d := range e.Dependencies {
			if round[d] > round[e.ID] {
				t.Errorf("%s: %s %s comes before what it needs", name, e.Desc, e.Tag)
			}
		}
	}
}

func TestRounds_One(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{
		{ID: 3, Desc: "TABLE"}, {ID: 1, Desc: "TABLE DATA", Dependencies: []pgarchive.DumpID{3}},
		{ID: 2, Desc: "EVENT TRIGGER", Section: pgarchive.SectionPostData},
	}}
	if got := fmt.Sprint(rounds(toc, nil)); got != "[[3 1 2]]" {
		t.Error(got)
	}
}

func TestMakePlan_Kitchen(t *testing.T) {
	for _, v := range versions {
		toc := kitchen(t, v)
		p := makePlan(toc)
		if len(p.extensions) == 0 || !p.publicACL || p.unaccent {
			t.Errorf("%s: %+v", v, p)
		}
		for _, x := range p.extensions {
			if x.schema == "" || !strings.HasPrefix(x.comment, "COMMENT ON EXTENSION") {
				t.Errorf("%s: extension %+v", v, x)
			}
		}
		if lost, err := p.leaveSuperuserEntries(toc); err == nil {
			t.Errorf("%s: rows of other_heap are left out, and no error: %q", v, lost)
		}
		toc.Entries = slices.DeleteFunc(toc.Entries, func(e pgarchive.Entry) bool {
			return e.Desc == pgarchive.DescTableData
		})
		p = makePlan(toc)
		lost, err := p.leaveSuperuserEntries(toc)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"EVENT TRIGGER ddl_off", "FOREIGN DATA WRAPPER pantry fdw", `COMMENT FOREIGN DATA WRAPPER "pantry fdw"`, "PUBLICATION pub_all"} {
			if !slices.Contains(lost, want) {
				t.Errorf("%s: %s is not left out: %q", v, want, lost)
			}
		}
		if slices.Contains(lost, "PUBLICATION pub; some") {
			t.Errorf("%s: left out: %q", v, lost)
		}
		for i := range toc.Entries {
			e := &toc.Entries[i]
			if e.Desc == "EXTENSION" && !p.left[e.ID] || e.Desc == "FK CONSTRAINT" && p.left[e.ID] {
				t.Errorf("%s: %s %s", v, e.Desc, e.Tag)
			}
		}
	}
}

// TestMakePlan_Shapes has what the kitchen has not.
func TestMakePlan_Shapes(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{
		{ID: 1, Desc: "SCHEMA", Tag: `od"d`}, {ID: 2, Desc: "SCHEMA", Tag: "other"},
		{ID: 3, Desc: "EXTENSION", Tag: "uuid-ossp", Defn: pgarchive.Str(`CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA "od""d";`)},
		{ID: 4, Desc: "COMMENT", Tag: `EXTENSION "uuid-ossp"`, Defn: pgarchive.Str("COMMENT 1")},
		{ID: 5, Desc: "INDEX", Tag: "i", Defn: pgarchive.Str("CREATE INDEX i ON t USING btree (public.unaccent(name))")},
		{ID: 6, Desc: "ACCESS METHOD", Tag: "am"},
		{ID: 7, Desc: "TABLE", Tag: "t", Dependencies: []pgarchive.DumpID{6}},
	}}
	p := makePlan(toc)
	if fmt.Sprint(p.extensions) != `[{uuid-ossp od"d COMMENT 1}]` || fmt.Sprint(p.schemas) != `[od"d]` || !p.unaccent || p.publicACL {
		t.Errorf("%+v", p)
	}
	if lost, err := p.leaveSuperuserEntries(toc); err != nil || fmt.Sprint(lost) != "[ACCESS METHOD am TABLE t]" {
		t.Errorf("%q, %v", lost, err)
	}
	toc.Entries = append(toc.Entries, pgarchive.Entry{ID: 8, Desc: pgarchive.DescTableData, Tag: "t", Dependencies: []pgarchive.DumpID{7}})
	if lost, err := p.leaveSuperuserEntries(toc); err == nil {
		t.Errorf("rows are left out, and no error: %q", lost)
	}
}

func TestWriteList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if err := writeList(path, []pgarchive.DumpID{12, 7}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "12;\n7;\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestParseLocale(t *testing.T) {
	for _, tt := range []struct{ defn, want string }{
		{`CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';`, "{ C.UTF-8 C.UTF-8 }"},
		{`CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'C' LC_CTYPE = 'en_US.UTF-8';`, "{ C en_US.UTF-8 }"},
		{`CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'it''s';`, "{libc it's it's }"},
		{`CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'de-DE';`, "{icu C C de-DE}"},
		{`CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8';`, "{builtin C C C.UTF-8}"},
	} {
		got, ok := parseLocale(tt.defn)
		if text := fmt.Sprintf("{%s %s %s %s}", got.provider, got.collate, got.ctype, got.locale); !ok || text != tt.want {
			t.Errorf("%s: %s, want %s", tt.defn, text, tt.want)
		}
	}
	if _, ok := parseLocale("CREATE DATABASE x"); ok {
		t.Error("a locale was found where none is")
	}
}
