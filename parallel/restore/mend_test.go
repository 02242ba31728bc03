package restore

import (
	"fmt"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

func TestMend(t *testing.T) {
	known := knownRoles{"ann": {Exists: true}, "me": {Exists: true, Become: true, ActFor: true}}
	for _, tt := range []struct{ name, desc, defn, want, lost string }{
		{"all exist", "ACL", "GRANT SELECT ON TABLE t TO ann;\n", "GRANT SELECT ON TABLE t TO ann;\n", ""},
		{"one does not", "ACL", "GRANT SELECT ON TABLE t TO ann;\nGRANT ALL ON TABLE t TO bob;\n",
			"GRANT SELECT ON TABLE t TO ann;\n", "GRANT ALL ON TABLE t TO bob"},
		{"the REVOKE stays", "ACL", "REVOKE ALL ON FUNCTION f() FROM PUBLIC;\nGRANT ALL ON FUNCTION f() TO bob;\n",
			"REVOKE ALL ON FUNCTION f() FROM PUBLIC;\n", "GRANT ALL ON FUNCTION f ( ) TO bob"},
		{"none exists", "ACL", "GRANT ALL ON TABLE t TO bob;\n", "left", "GRANT ALL ON TABLE t TO bob"},
		{"of a role that is not there", "ACL", "SET SESSION AUTHORIZATION bob;\nGRANT ALL ON TABLE t TO ann;\nRESET SESSION AUTHORIZATION;\nGRANT ALL ON TABLE u TO ann;\n",
			"GRANT ALL ON TABLE u TO ann;\n", "GRANT ALL ON TABLE t TO ann"},
		{"of a role that nobody can be", "ACL", "SET SESSION AUTHORIZATION ann;\nGRANT ALL ON TABLE t TO me;\nRESET SESSION AUTHORIZATION;\n", "left", "GRANT ALL ON TABLE t TO me"},
		{"to a role that is not there", "ACL", "SET SESSION AUTHORIZATION me;\nGRANT ALL ON TABLE t TO bob;\nGRANT ALL ON TABLE t TO ann;\nRESET SESSION AUTHORIZATION;\n",
			"SET SESSION AUTHORIZATION me;\nGRANT ALL ON TABLE t TO ann;\nRESET SESSION AUTHORIZATION;\n", "GRANT ALL ON TABLE t TO bob"},
		{"defaults of another", "DEFAULT ACL", "ALTER DEFAULT PRIVILEGES FOR ROLE ann IN SCHEMA s GRANT SELECT ON TABLES TO me;\n", "left",
			"ALTER DEFAULT PRIVILEGES FOR ROLE ann IN SCHEMA s GRANT SELECT ON TABLES TO me"},
		{"defaults of ours", "DEFAULT ACL", "ALTER DEFAULT PRIVILEGES FOR ROLE me IN SCHEMA s GRANT SELECT ON TABLES TO ann;\n",
			"ALTER DEFAULT PRIVILEGES FOR ROLE me IN SCHEMA s GRANT SELECT ON TABLES TO ann;\n", ""},
		{"policy for two", "POLICY", "CREATE POLICY p ON t AS RESTRICTIVE TO ann, bob USING (a);", "CREATE POLICY p ON t AS RESTRICTIVE TO ann USING (a);", "POLICY t"},
		{"policy for none", "POLICY", "CREATE POLICY p ON t TO bob USING (a);", "left", "POLICY t"},
		{"policy for all", "POLICY", "CREATE POLICY p ON t USING (a);", "CREATE POLICY p ON t USING (a);", ""},
		{"mapping", "USER MAPPING", "CREATE USER MAPPING FOR bob SERVER s OPTIONS (password 'secret');", "left", "USER MAPPING t"},
		{"broken", "ACL", "GRANT", "GRANT", ""},
	} {
		toc := &pgarchive.TOC{Entries: []pgarchive.Entry{{ID: 1, Desc: tt.desc, Tag: "t", Defn: pgarchive.Str(tt.defn)}}}
		m := &mender{known: known, changed: map[pgarchive.DumpID]bool{}, left: map[pgarchive.DumpID]bool{}}
		m.mend(toc)
		got := toc.Entries[0].Defn.String
		if m.left[1] {
			got = "left"
		}
		var lost []string
		for _, o := range m.lost {
			lost = append(lost, o.String())
		}
		if got != tt.want || strings.Join(lost, "; ") != tt.lost || m.changed[1] != (got != "left" && got != tt.defn) {
			t.Errorf("%s: %q, lost %q", tt.name, got, lost)
		}
		if strings.Contains(fmt.Sprint(m.lost), "secret") {
			t.Errorf("%s: shows a password", tt.name)
		}
	}
}

func TestMend_ManyGrants(t *testing.T) {
	want := strings.Repeat("GRANT SELECT(a) ON TABLE t TO ann;\n", 200_000)
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{{ID: 1, Desc: "ACL", Tag: "TABLE t", Defn: pgarchive.Str(want + "GRANT ALL ON TABLE t TO bob;\n")}}}
	m := &mender{known: knownRoles{"ann": {Exists: true}}, changed: map[pgarchive.DumpID]bool{}, left: map[pgarchive.DumpID]bool{}}
	if m.mend(toc); toc.Entries[0].Defn.String != want || len(m.lost) != 1 {
		t.Errorf("%d bytes, lost %v", len(toc.Entries[0].Defn.String), m.lost)
	}
}

func TestMend_CommentOnPolicy(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{{ID: 1, Desc: "POLICY", Tag: "t p", Defn: pgarchive.Str("CREATE POLICY p ON t TO bob;")},
		{ID: 2, Desc: "COMMENT", Tag: "POLICY p ON t", Defn: pgarchive.Str("COMMENT ON POLICY p ON t IS 'x';"), Dependencies: []pgarchive.DumpID{1}}}}
	m := &mender{known: knownRoles{}, changed: map[pgarchive.DumpID]bool{}, left: map[pgarchive.DumpID]bool{}}
	m.mend(toc)
	if !m.left[1] || !m.left[2] || len(m.lost) != 2 {
		t.Errorf("%+v", m)
	}
}

func TestApart(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{{ID: 1, Desc: "TABLE"}, {ID: 2, Desc: "POLICY"},
		{ID: 3, Desc: "COMMENT", Dependencies: []pgarchive.DumpID{2}}, {ID: 4, Desc: "ACL"}, {ID: 5, Desc: "ACL"}, {ID: 6, Desc: "TABLE DATA"}}}
	got := apart([]round{{load: true, entries: []pgarchive.DumpID{1, 2, 3}}, {entries: []pgarchive.DumpID{4, 5}}, {last: true, connecting: true, entries: []pgarchive.DumpID{6}}},
		toc, map[pgarchive.DumpID]bool{2: true, 5: true})
	if want := "[{false true false false [1]} {false false true false [2 3]} {false false true false [4 5]} {true false false true [6]}]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestNeedsImmutable(t *testing.T) {
	for _, tt := range []struct {
		desc, defn string
		want       bool
	}{
		{"INDEX", "CREATE INDEX i ON t USING btree (public.unaccent(name))", true},
		{"INDEX", `CREATE INDEX i ON t USING gin ("public"."unaccent" (name))`, true},
		{"INDEX", "CREATE INDEX i ON t USING gin (wrapped.unaccent(name))", false},
		{"INDEX", "CREATE INDEX i ON t USING btree (my_unaccent(name))", false},
		{"TABLE", "CREATE TABLE t (a text DEFAULT unaccent('x'))", false},
		{"TABLE", "CREATE TABLE t (a text GENERATED ALWAYS AS (unaccent(b)) STORED)", true},
		{"FUNCTION", "CREATE FUNCTION f() AS $$SELECT unaccent('x')$$", false},
	} {
		if got := needsImmutable(&pgarchive.Entry{Desc: tt.desc, Defn: pgarchive.Str(tt.defn)}, unaccentCall("public")); got != tt.want {
			t.Errorf("%s: %t", tt.defn, got)
		}
	}
}
