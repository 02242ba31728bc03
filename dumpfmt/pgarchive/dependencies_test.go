package pgarchive

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSafeForParallel(t *testing.T) {
	for _, v := range []string{"pg13", "pg15", "pg17", "pg18"} {
		a := mustOpen(t, filepath.Join("testdata", v, "kitchen.dump"))
		before := len(entryOf(t, a, "TRIGGER", "by_range parted").Dependencies)
		if added := SafeForParallel(a.TOC); added < 6 {
			t.Errorf("%s: %d dependencies added", v, added)
		}
		low, middle := entryOf(t, a, "INDEX ATTACH", "by_list_b1_pkey"), entryOf(t, a, "INDEX ATTACH", "by_list_b_pkey")
		if !slices.Contains(middle.Dependencies, low.ID) {
			t.Errorf("%s: %d does not wait for %d", v, middle.ID, low.ID)
		}
		trigger := entryOf(t, a, "TRIGGER", "by_range parted")
		var want []DumpID
		for _, table := range []string{"by_range_2019", "by_range_2020", "by_range_rest"} {
			want = append(want, entryOf(t, a, DescTable, table).ID)
		}
		if got := trigger.Dependencies[before:]; !slices.Equal(got, want) {
			t.Errorf("%s: trigger waits for %d, want %d", v, got, want)
		}
		fk := entryOf(t, a, "FK CONSTRAINT", "refers_to_list refers_to_list_id_kind_fkey")
		for _, table := range []string{"by_list_a", "by_list_b0", "by_list_b1"} { // two levels
			if !slices.Contains(fk.Dependencies, entryOf(t, a, DescTable, table).ID) {
				t.Errorf("%s: foreign key does not wait for %s", v, table)
			}
		}
		if added := SafeForParallel(a.TOC); added != 0 {
			t.Errorf("%s: %d dependencies added again", v, added)
		}
	}
}

// TestSafeForParallel_Earlier makes sure that in every archive only entries
// that come earlier are added, those of trees of indexes aside, and that nothing
// else changes.
func TestSafeForParallel_Earlier(t *testing.T) {
	for _, path := range tocFiles(t) {
		p := readFile(t, path)
		toc, err := ReadTOC(bytes.NewReader(p), path, int64(len(p)))
		if err != nil {
			t.Fatal(err)
		}
		old := make([]int, len(toc.Entries))
		for i := range toc.Entries {
			old[i] = len(toc.Entries[i].Dependencies)
		}
		SafeForParallel(toc)
		seen := make(map[DumpID]bool)
		for i := range toc.Entries {
			e := &toc.Entries[i]
			for _, id := range e.Dependencies[old[i]:] {
				if !seen[id] && e.Desc != DescIndexAttach {
					t.Errorf("%s: %s waits for %d, which comes later", path, e.describe(), id)
				}
			}
			seen[e.ID] = true
			e.Dependencies = e.Dependencies[:old[i]]
		}
		if !bytes.Equal(encode(t, toc), p) {
			t.Errorf("%s: more than dependencies changed", path)
		}
	}
}

func TestSafeForParallel_Shapes(t *testing.T) {
	table := func(id DumpID, defn string, deps ...DumpID) Entry {
		return Entry{ID: id, Desc: DescTable, Section: SectionPreData, Defn: Str(defn), Dependencies: deps}
	}
	data := func(id, table DumpID, defn string) Entry {
		return Entry{ID: id, Desc: DescTableData, Section: SectionData, HadDumper: true,
			Defn: NullString{String: defn, Valid: defn != ""}, Dependencies: []DumpID{table}}
	}
	copied := func(id, table DumpID, tag, stmt string) Entry {
		e := data(id, table, "")
		e.Namespace, e.Tag, e.CopyStmt = Str("public"), tag, Str(stmt)
		return e
	}
	attach := func(id, child, parent DumpID) Entry {
		return Entry{ID: id, Desc: DescTableAttach, Section: SectionPreData, Dependencies: []DumpID{child, parent}}
	}
	post := func(id DumpID, desc string, deps ...DumpID) Entry {
		return Entry{ID: id, Desc: desc, Section: SectionPostData, Dependencies: deps}
	}
	sql := func(id DumpID, desc, tag, defn string, deps ...DumpID) Entry {
		section := SectionPostData
		if desc == "ACL" {
			section = SectionNone
		}
		return Entry{ID: id, Desc: desc, Tag: tag, Namespace: Str("od d"), Section: section, Defn: Str(defn), Dependencies: deps}
	}
	const (
		clustered = "CREATE INDEX a ON \"od d\".t USING btree (a);\n\nALTER TABLE \"od d\".t CLUSTER ON a;\n"
		identity  = "CREATE UNIQUE INDEX b ON \"od d\".t USING btree (b);\n\nALTER TABLE ONLY \"od d\".t REPLICA IDENTITY USING INDEX b;\n"
		granted   = "GRANT SELECT ON TABLE \"od d\".t TO a;\nSET SESSION AUTHORIZATION a;\nGRANT SELECT ON TABLE \"od d\".t TO b;\n"
	)
	root := viaRootComment + "public.p"
	joined := func(id DumpID, parent, child string) Entry {
		return sql(id, "INDEX ATTACH", child, "ALTER INDEX "+parent+" ATTACH PARTITION "+child+";\n", 9)
	}
	tests := []struct {
		name    string
		entries []Entry
		want    []DumpID // dependencies of the last entry
	}{
		{"no partitions", []Entry{table(1, ""), data(2, 1, ""), post(3, "TRIGGER", 1)}, []DumpID{1}},
		{"attached", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), data(4, 2, ""), post(5, "TRIGGER", 1)}, []DumpID{1, 2}},
		{"its own partition only", []Entry{table(1, ""), table(2, ""), table(3, ""), attach(4, 2, 1), attach(5, 3, 1),
			data(6, 2, ""), data(7, 3, ""), post(8, "TRIGGER", 2)}, []DumpID{2}},
		{"inherits", []Entry{table(1, ""), table(2, "CREATE TABLE c (\n)\nINHERITS (p);\n", 1), data(3, 1, ""), data(4, 2, ""),
			post(5, "CHECK CONSTRAINT", 1)}, []DumpID{1, 2}},
		{"loaded through the root", []Entry{table(1, ""), table(2, ""), table(3, ""), attach(4, 2, 1), attach(5, 3, 1),
			data(6, 2, root), data(7, 3, root), post(8, "TRIGGER", 2)}, []DumpID{2, 1, 3}},
		{"loaded through the root, by the statement", []Entry{table(1, ""), table(2, ""), table(3, ""), attach(4, 2, 1), attach(5, 3, 1),
			copied(6, 2, "b", "COPY public.a (id) FROM stdin;\n"), copied(7, 3, "c", "COPY public.c (id) FROM stdin;\n"),
			post(8, "TRIGGER", 3)}, []DumpID{3, 1, 2}},
		{"loaded into itself", []Entry{table(1, ""), table(2, ""), table(3, ""), attach(4, 2, 1), attach(5, 3, 1),
			copied(6, 2, "b b", "COPY public.\"b b\" (id) FROM stdin;\n"), post(8, "TRIGGER", 3)}, []DumpID{3}},
		{"table later", []Entry{table(1, ""), attach(3, 2, 1), post(4, "TRIGGER", 1), table(2, "")}, nil},
		{"circle", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), attach(4, 1, 2), data(5, 2, ""), post(6, "RULE", 1)}, []DumpID{1, 2}},
		{"index", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), data(4, 2, ""), post(5, "INDEX", 1)}, []DumpID{1}},
		{"before the data", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), data(4, 2, ""),
			{ID: 5, Desc: "RULE", Section: SectionPreData, Dependencies: []DumpID{1}}}, []DumpID{1}},
		{"domain", []Entry{table(1, ""), table(2, ""), data(3, 1, ""), data(4, 2, ""),
			sql(5, "CHECK CONSTRAINT", "d c", "ALTER DOMAIN public.d\n    ADD CONSTRAINT c CHECK ((VALUE > 0)) NOT VALID;\n", 9)}, []DumpID{9, 3, 4}},
		{"no domain", []Entry{table(1, ""), data(3, 1, ""),
			sql(5, "CHECK CONSTRAINT", "d c", "ALTER TABLE public.d\n    ADD CONSTRAINT c CHECK ((a > 0)) NOT VALID;\n", 9)}, []DumpID{9}},
		{"two indexes that alter", []Entry{table(1, ""), sql(2, "INDEX", "a", clustered, 1), sql(3, "INDEX", "b", identity, 1)}, []DumpID{1, 2}},
		{"of another table", []Entry{table(1, ""), table(4, ""), sql(2, "INDEX", "a", clustered, 1),
			sql(3, "INDEX", "b", strings.ReplaceAll(identity, "od d", "d"), 4)}, []DumpID{4}},
		{"an index that does not alter", []Entry{table(1, ""), sql(2, "INDEX", "a", clustered, 1),
			sql(3, "INDEX", "b", "CREATE INDEX b ON \"od d\".t USING btree (b);\n\nALTER INDEX \"od d\".b ALTER COLUMN 1 SET STATISTICS 5;\n", 1)}, []DumpID{1}},
		{"what is attached comes first", []Entry{joined(1, `s."b;"`, "s.c"), joined(2, "s.top", "s.a"), joined(4, `s."b;"`, "s.d"),
			joined(3, "s.top", `s."b;"`)}, []DumpID{9, 1, 4}},
		{"attached to the same", []Entry{joined(1, "s.top", "s.b"), joined(2, "s.top", "s.c")}, []DumpID{9}},
		{"attached to what is attached", []Entry{joined(1, "s.top", "s.b"), joined(2, "s.b", "s.c")}, []DumpID{9}},
		{"attached in a circle", []Entry{joined(1, "s.a", "s.b"), joined(2, "s.b", "s.a")}, []DumpID{9}},
		{"attached below a circle", []Entry{joined(1, "s.a", "s.b"), joined(2, "s.b", "s.a"), joined(4, "s.d", "s.e"), joined(3, "s.a", "s.d")}, []DumpID{9}},
		{"no name of an index", []Entry{joined(1, "s.b", "s.c"), joined(2, "s.a", "")}, []DumpID{9}},
		{"another grantor", []Entry{table(1, ""), sql(2, "ACL", `SCHEMA "od d"`, "GRANT USAGE ON SCHEMA \"od d\" TO a;\n", 9),
			sql(3, "ACL", "TABLE t", granted, 1)}, []DumpID{1, 2}},
		{"another grantor, schema without quotes", []Entry{table(1, ""), sql(2, "ACL", "SCHEMA d", "GRANT USAGE ON SCHEMA d TO a;\n", 9),
			{ID: 3, Desc: "ACL", Tag: "TABLE t", Namespace: Str("d"), Section: SectionNone, Defn: Str(granted), Dependencies: []DumpID{1}}}, []DumpID{1, 2}},
		{"another grantor, another schema", []Entry{table(1, ""), sql(2, "ACL", "SCHEMA d", "GRANT USAGE ON SCHEMA d TO a;\n", 9),
			sql(3, "ACL", "TABLE t", granted, 1)}, []DumpID{1}},
		{"the owner grants", []Entry{table(1, ""), sql(2, "ACL", `SCHEMA "od d"`, "GRANT USAGE ON SCHEMA \"od d\" TO a;\n", 9),
			sql(3, "ACL", "TABLE t", "GRANT SELECT ON TABLE \"od d\".t TO a;\n", 1)}, []DumpID{1}},
		{"columns", []Entry{table(1, ""), sql(2, "ACL", "TABLE t", "", 1), sql(3, "ACL", "COLUMN t.a", "", 1), sql(4, "ACL", "COLUMN t.b", "", 1)}, []DumpID{1, 2}},
		{"columns only", []Entry{table(1, ""), sql(3, "ACL", "COLUMN t.a", "", 1), sql(4, "ACL", "COLUMN t.b", "", 1)}, []DumpID{1}},
		{"statistics", []Entry{table(1, ""), data(2, 1, ""), {ID: 3, Desc: "STATISTICS DATA", Section: SectionData, Dependencies: []DumpID{1}}}, []DumpID{1, 2}},
		{"statistics of an index of a view", []Entry{{ID: 1, Desc: "MATERIALIZED VIEW"}, post(2, "MATERIALIZED VIEW DATA", 1), post(3, "INDEX", 1),
			post(4, "STATISTICS DATA", 3)}, []DumpID{3, 2}},
		{"statistics of an index of a table", []Entry{table(1, ""), data(2, 1, ""), post(3, "INDEX", 1), post(4, "STATISTICS DATA", 3)}, []DumpID{3}},
		{"no tables, the first", []Entry{data(1, 8, ""), data(2, 9, ""), post(3, "EVENT TRIGGER"), post(4, "INDEX")}, []DumpID{1, 2}},
		{"no tables, the second", []Entry{data(1, 8, ""), data(2, 9, ""), post(3, "INDEX"), post(4, "FK CONSTRAINT", 3), post(5, "TRIGGER")}, []DumpID{3}},
		{"no tables, no data", []Entry{post(3, "INDEX"), post(4, "INDEX")}, nil},
		{"no tables, later pass", []Entry{data(1, 8, ""), post(3, "INDEX"), post(4, "MATERIALIZED VIEW DATA")}, nil},
	}
	for _, tt := range tests {
		toc := &TOC{Entries: tt.entries}
		SafeForParallel(toc)
		if again := SafeForParallel(toc); again != 0 {
			t.Errorf("%s: %d dependencies added again", tt.name, again)
		}
		if got := tt.entries[len(tt.entries)-1].Dependencies; !slices.Equal(got, tt.want) {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// rewriteTOC puts toc in the place of the TOC of the archive in dir.
func rewriteTOC(t testing.TB, dir string, toc *TOC) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, tocName), encode(t, toc), fs.FileMode(0o644)); err != nil {
		t.Fatal(err)
	}
}
