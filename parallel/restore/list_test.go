package restore

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

var versions = []string{"pg13", "pg15", "pg17", "pg18"}

func kitchen(t testing.TB, version string) *pgarchive.TOC {
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

// onlyOwner has the owner do everything.
func onlyOwner(*pgarchive.Entry) bool { return false }

func TestRounds_Kitchen(t *testing.T) {
	for _, v := range versions {
		toc := kitchen(t, v)
		left := map[pgarchive.DumpID]bool{toc.Entries[5].ID: true}
		got := rounds(toc, left, onlyOwner, false)
		var loads, last []bool
		for _, r := range got {
			loads, last = append(loads, r.load), append(last, r.last)
		}
		if kinds := fmt.Sprint(loads, last); kinds != "[true true true false true false] [false false false false false true]" {
			t.Fatalf("%s: rounds %s", v, kinds)
		}
		if n := count(got); n != len(toc.Entries)-1 {
			t.Errorf("%s: %d of %d entries", v, n, len(toc.Entries))
		}
		second := names(toc, got[1].entries)
		for _, want := range []string{"TRIGGER by_range parted", "INDEX ATTACH by_list_b0_pkey", "INDEX ATTACH by_list_b1_pkey"} {
			if !slices.Contains(second, want) {
				t.Errorf("%s: %s is not in the second round: %q", v, want, second)
			}
		}
		third := names(toc, got[2].entries)
		for _, want := range []string{"INDEX ATTACH by_list_b_pkey", "FK CONSTRAINT refers_to_list refers_to_list_id_kind_fkey"} {
			if !slices.Contains(third, want) {
				t.Errorf("%s: %s is not in the third round: %q", v, want, third)
			}
		}
		for _, name := range second {
			if strings.HasPrefix(name, "TABLE") || strings.HasPrefix(name, "SEQUENCE") {
				t.Errorf("%s: %s is in the second round", v, name)
			}
		}
		if grants := names(toc, got[3].entries); !slices.Contains(grants, "ACL SCHEMA public") {
			t.Errorf("%s: grants are %q", v, grants)
		}
		if views := names(toc, got[4].entries); !slices.Contains(views, "MATERIALIZED VIEW DATA mv_a") {
			t.Errorf("%s: views are %q", v, views)
		}
		if final := names(toc, got[5].entries); !slices.Contains(final, "EVENT TRIGGER ddl_off") {
			t.Errorf("%s: last come %q", v, final)
		}
		wantOrder(t, v, toc, got)
	}
}

// TestRounds_KitchenOfTwo has a superuser and an owner who is none.
func TestRounds_KitchenOfTwo(t *testing.T) {
	for _, v := range versions {
		toc := kitchen(t, v)
		mappingsNeedServers(toc)
		who := newReserved(toc, "plain")
		got := rounds(toc, nil, func(e *pgarchive.Entry) bool { return who.doer(e) != byOwner }, false)
		if n := count(got); n != len(toc.Entries) {
			t.Errorf("%s: %d of %d entries", v, n, len(toc.Entries))
		}
		if len(got) > 14 {
			t.Errorf("%s: %d rounds", v, len(got))
		}
		wantOrder(t, v, toc, got)
		var connecting []string
		for _, now := range got {
			if now.connecting {
				connecting = append(connecting, names(toc, now.entries)...)
			}
		}
		for _, want := range []string{"PROCEDURAL LANGUAGE pl Pantry", "FUNCTION base_int_in(cstring)", "TYPE base_int", "SHELL TYPE base_int", "TYPE shell_only",
			"EVENT TRIGGER ddl_off", "AGGREGATE disc(double precision, anyelement)", "ACCESS METHOD pantry_heap",
			"OPERATOR CLASS int_backwards", "TEXT SEARCH PARSER prs", "SERVER pantry server", "PUBLICATION pub_all",
			"USER MAPPING USER MAPPING public SERVER pantry server", "ACL FUNCTION pg_ls_dir(text)", "ACL FUNCTION show_limit()"} {
			if !slices.Contains(connecting, want) {
				t.Errorf("%s: %s is left to the owner", v, want)
			}
		}
		for _, want := range []string{"FUNCTION touch()", "TYPE mood", "TABLE other_heap", "PUBLICATION pub; some", "ACL TYPE mood", "AGGREGATE total(integer)"} {
			if slices.Contains(connecting, want) {
				t.Errorf("%s: %s is not left to the owner", v, want)
			}
		}
	}
}

func count(rounds []round) (n int) {
	for _, now := range rounds {
		n += len(now.entries)
	}
	return n
}

// wantOrder fails the test if something comes before what it depends on.
func wantOrder(t *testing.T, name string, toc *pgarchive.TOC, got []round) {
	t.Helper()
	number := map[pgarchive.DumpID]int{}
	for i, now := range got {
		for _, id := range now.entries {
			number[id] = i
		}
	}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		for _, d := range e.Dependencies {
			if number[d] > number[e.ID] {
				t.Errorf("%s: %s %s comes before what it needs", name, e.Desc, e.Tag)
			}
		}
	}
}

func TestRounds_One(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{
		{ID: 3, Desc: "TABLE", Section: pgarchive.SectionPreData},
		{ID: 1, Desc: "TABLE DATA", Section: pgarchive.SectionData, Dependencies: []pgarchive.DumpID{3}},
		{ID: 4, Desc: "ACL", Section: pgarchive.SectionNone, Dependencies: []pgarchive.DumpID{3}},
		{ID: 2, Desc: "INDEX", Section: pgarchive.SectionPostData},
	}}
	if got := fmt.Sprint(rounds(toc, nil, onlyOwner, false)); got != "[{false true false false [3 1 2]} {false false false false [4]}]" {
		t.Error(got)
	}
}

// TestRounds_Chain has an entry that lacks a dependency on one that lacks one,
// for a table and for a materialized view.
func TestRounds_Chain(t *testing.T) {
	index := func(id, of pgarchive.DumpID, relation, then string) pgarchive.Entry {
		return pgarchive.Entry{ID: id, Desc: "INDEX", Section: pgarchive.SectionPostData, Dependencies: []pgarchive.DumpID{of},
			Defn: pgarchive.Str(fmt.Sprintf("CREATE INDEX i%d ON s.%s USING btree (a);\n\nALTER TABLE %s %s i%[1]d;\n", id, relation, "s."+relation, then))}
	}
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{
		{ID: 1, Desc: "TABLE", Section: pgarchive.SectionPreData},
		{ID: 2, Desc: "MATERIALIZED VIEW", Section: pgarchive.SectionPreData},
		{ID: 3, Desc: "TABLE DATA", Section: pgarchive.SectionData, Dependencies: []pgarchive.DumpID{1}},
		index(4, 1, "t", "CLUSTER ON"),
		index(5, 1, "t", "REPLICA IDENTITY USING INDEX"),
		index(6, 1, "t", "CLUSTER ON"),
		{ID: 7, Desc: "MATERIALIZED VIEW DATA", Section: pgarchive.SectionPostData, Dependencies: []pgarchive.DumpID{2}},
		index(8, 7, "m", "CLUSTER ON"),
		index(9, 7, "m", "CLUSTER ON"),
		{ID: 10, Desc: "ACL", Dependencies: []pgarchive.DumpID{1}},
		{ID: 11, Desc: "EVENT TRIGGER", Section: pgarchive.SectionPostData},
	}}
	var got [][]pgarchive.DumpID
	for _, r := range rounds(toc, nil, onlyOwner, false) {
		got = append(got, r.entries)
	}
	if text := fmt.Sprint(got); text != "[[1 2 3 4] [5] [6] [10] [7 8] [9] [11]]" {
		t.Error(text)
	}
}

// TestRounds_LongChain has an entry that waits for all others, each of which waits
// for the next one.
func TestRounds_LongChain(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(4 << 20))
	toc := &pgarchive.TOC{Entries: make([]pgarchive.Entry, 100_000)}
	for i := range toc.Entries {
		id := pgarchive.DumpID(i + 1)
		toc.Entries[i] = pgarchive.Entry{ID: id, Desc: "VIEW", Section: pgarchive.SectionPreData, Dependencies: []pgarchive.DumpID{id + 1}}
	}
	if n := count(rounds(toc, nil, onlyOwner, false)); n != len(toc.Entries) {
		t.Errorf("%d of %d entries", n, len(toc.Entries))
	}
}

func TestMakePlan_Kitchen(t *testing.T) {
	for _, v := range versions {
		toc := kitchen(t, v)
		p := makePlan(toc)
		if len(p.extensions) == 0 || !p.publicACL {
			t.Errorf("%s: %+v", v, p)
		}
		for _, x := range p.extensions {
			if x.schema == "" || !strings.HasPrefix(x.comment, "COMMENT ON EXTENSION") {
				t.Errorf("%s: extension %+v", v, x)
			}
		}
		if lost, err := p.leaveReserved(toc, newReserved(toc, "plain")); err == nil {
			t.Errorf("%s: rows of other_heap are left out, and no error: %q", v, lost)
		}
		toc.Entries = slices.DeleteFunc(toc.Entries, func(e pgarchive.Entry) bool {
			return e.Desc == pgarchive.DescTableData
		})
		p = makePlan(toc)
		lost, err := p.leaveReserved(toc, newReserved(toc, "plain"))
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
		{ID: 6, Desc: "ACCESS METHOD", Tag: "am"},
		{ID: 7, Desc: "TABLE", Tag: "t", Dependencies: []pgarchive.DumpID{6}},
	}}
	p := makePlan(toc)
	if fmt.Sprint(p.extensions) != `[{3 uuid-ossp od"d COMMENT 1}]` || fmt.Sprint(p.schemas) != `[od"d]` || p.publicACL {
		t.Errorf("%+v", p)
	}
	if lost, err := p.leaveReserved(toc, newReserved(toc, "plain")); err != nil || fmt.Sprint(lost) != "[ACCESS METHOD am TABLE t]" {
		t.Errorf("%q, %v", lost, err)
	}
	toc.Entries = append(toc.Entries, pgarchive.Entry{ID: 8, Desc: pgarchive.DescTableData, Tag: "t", Dependencies: []pgarchive.DumpID{7}})
	p = makePlan(toc)
	if lost, err := p.leaveReserved(toc, newReserved(toc, "plain")); err == nil {
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
		{`CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'und' ICU_RULES = '&a < ''';`, "{icu C C und}&a < '"},
		{`CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8';`, "{builtin C C C.UTF-8}"},
	} {
		got, ok := parseLocale(tt.defn)
		if text := fmt.Sprintf("{%s %s %s %s}", got.provider, got.collate, got.ctype, got.locale) + got.rules; !ok || text != tt.want {
			t.Errorf("%s: %s, want %s", tt.defn, text, tt.want)
		}
	}
	if _, ok := parseLocale("CREATE DATABASE x"); ok {
		t.Error("a locale was found where none is")
	}
}
