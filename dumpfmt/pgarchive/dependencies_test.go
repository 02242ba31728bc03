package pgarchive

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// dataOf gives the ID of the table's TABLE DATA.
func dataOf(t testing.TB, a *Archive, table string) DumpID {
	t.Helper()
	return entryOf(t, a, DescTableData, table).ID
}

func TestSafeForParallel(t *testing.T) {
	for _, v := range []string{"pg13", "pg15", "pg17", "pg18"} {
		a := mustOpen(t, filepath.Join("testdata", v, "kitchen.dump"))
		before := len(entryOf(t, a, "TRIGGER", "by_range parted").Dependencies)
		if added := SafeForParallel(a.TOC); added < 6 {
			t.Errorf("%s: %d dependencies added", v, added)
		}
		trigger := entryOf(t, a, "TRIGGER", "by_range parted")
		var want []DumpID
		for _, table := range []string{"by_range_2019", "by_range_2020", "by_range_rest"} {
			want = append(want, dataOf(t, a, table))
		}
		if got := trigger.Dependencies[before:]; !slices.Equal(got, want) {
			t.Errorf("%s: trigger waits for %d, want %d", v, got, want)
		}
		fk := entryOf(t, a, "FK CONSTRAINT", "refers_to_list refers_to_list_id_kind_fkey")
		for _, table := range []string{"by_list_a", "by_list_b0", "by_list_b1"} { // two levels
			if !slices.Contains(fk.Dependencies, dataOf(t, a, table)) {
				t.Errorf("%s: foreign key does not wait for %s", v, table)
			}
		}
		if added := SafeForParallel(a.TOC); added != 0 {
			t.Errorf("%s: %d dependencies added again", v, added)
		}
	}
}

// TestSafeForParallel_Earlier makes sure that in every archive only entries
// that come earlier are added, and that nothing else changes.
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
				if !seen[id] {
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
	attach := func(id, child, parent DumpID) Entry {
		return Entry{ID: id, Desc: DescTableAttach, Section: SectionPreData, Dependencies: []DumpID{child, parent}}
	}
	post := func(id DumpID, desc string, deps ...DumpID) Entry {
		return Entry{ID: id, Desc: desc, Section: SectionPostData, Dependencies: deps}
	}
	root := viaRootComment + "public.p"
	tests := []struct {
		name    string
		entries []Entry
		want    []DumpID // dependencies of the last entry
	}{
		{"no partitions", []Entry{table(1, ""), data(2, 1, ""), post(3, "TRIGGER", 1)}, []DumpID{1}},
		{"attached", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), data(4, 2, ""), post(5, "TRIGGER", 1)}, []DumpID{1, 4}},
		{"its own partition only", []Entry{table(1, ""), table(2, ""), table(3, ""), attach(4, 2, 1), attach(5, 3, 1),
			data(6, 2, ""), data(7, 3, ""), post(8, "TRIGGER", 2)}, []DumpID{2}},
		{"inherits", []Entry{table(1, ""), table(2, "CREATE TABLE c (\n)\nINHERITS (p);\n", 1), data(3, 1, ""), data(4, 2, ""),
			post(5, "CHECK CONSTRAINT", 1)}, []DumpID{1, 4}},
		{"loaded through the root", []Entry{table(1, ""), table(2, ""), table(3, ""), attach(4, 2, 1), attach(5, 3, 1),
			data(6, 2, root), data(7, 3, root), post(8, "TRIGGER", 2)}, []DumpID{2, 6, 7}},
		{"data later", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), post(4, "TRIGGER", 1), data(5, 2, "")}, []DumpID{2}},
		{"circle", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), attach(4, 1, 2), data(5, 2, ""), post(6, "RULE", 1)}, []DumpID{1, 5}},
		{"index", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), data(4, 2, ""), post(5, "INDEX", 1)}, []DumpID{1}},
		{"before the data", []Entry{table(1, ""), table(2, ""), attach(3, 2, 1), data(4, 2, ""),
			{ID: 5, Desc: "RULE", Section: SectionPreData, Dependencies: []DumpID{1}}}, []DumpID{1}},
	}
	for _, tt := range tests {
		SafeForParallel(&TOC{Entries: tt.entries})
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
