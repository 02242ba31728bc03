package pgarchive

import (
	"fmt"
	"slices"
	"testing"
)

// TestSafeForParallel_Many has tables of contents of which each entry could wait
// for each other one, many times over.
func TestSafeForParallel_Many(t *testing.T) {
	const many = 50_000
	attachIndex := func(id int, parent, child string) Entry {
		return Entry{ID: DumpID(id), Desc: DescIndexAttach, Section: SectionPostData,
			Defn: Str("ALTER INDEX " + parent + " ATTACH PARTITION " + child + ";\n")}
	}
	post := func(id int, desc string, deps ...DumpID) Entry {
		return Entry{ID: DumpID(id), Desc: desc, Section: SectionPostData, Dependencies: deps}
	}
	table := func(id int) Entry { return Entry{ID: DumpID(id), Desc: DescTable, Section: SectionPreData} }
	same := func(id DumpID) []DumpID { return slices.Repeat([]DumpID{id}, many) }

	tests := []struct {
		name    string
		entries func(add func(Entry))
	}{
		{"index attached again and again", func(add func(Entry)) {
			for i := range many {
				add(attachIndex(i+1, "s.r", "s.p"))
				add(attachIndex(many+i+1, "s.p", "s.c"))
			}
		}},
		{"chain of indexes", func(add func(Entry)) {
			for i := range 4 * many {
				add(attachIndex(i+1, fmt.Sprintf("s.i%d", i), fmt.Sprintf("s.i%d", i+1)))
			}
		}},
		{"circle of indexes", func(add func(Entry)) {
			for i := range 4 * many {
				add(attachIndex(i+1, fmt.Sprintf("s.i%d", i), fmt.Sprintf("s.i%d", (i+1)%(4*many))))
			}
		}},
		{"domains", func(add func(Entry)) {
			add(table(1))
			for i := range many {
				add(Entry{ID: DumpID(2 + i), Desc: DescTableData, Section: SectionData, Dependencies: []DumpID{1}})
			}
			for i := range many {
				e := post(2+many+i, "CHECK CONSTRAINT")
				e.Defn = Str("ALTER DOMAIN d ADD CONSTRAINT c CHECK (true);\n")
				add(e)
			}
		}},
		{"triggers of partitions", func(add func(Entry)) {
			add(table(1))
			for i := range many {
				add(table(2 + i))
				add(Entry{ID: DumpID(2 + many + i), Desc: DescTableAttach, Dependencies: []DumpID{DumpID(2 + i), 1}})
			}
			for i := range many {
				add(post(2+2*many+i, "TRIGGER", 1))
			}
		}},
		{"trigger that depends on its table again and again", func(add func(Entry)) {
			add(table(1))
			add(table(2))
			for i := range many {
				add(Entry{ID: DumpID(3 + i), Desc: DescTableAttach, Dependencies: []DumpID{2, 1}})
			}
			add(post(3+many, "TRIGGER", same(1)...))
		}},
		{"trigger of a chain of tables", func(add func(Entry)) {
			deps := make([]DumpID, many)
			for i := range many {
				deps[i] = DumpID(1 + i)
				add(table(1 + i))
				add(Entry{ID: DumpID(1 + many + i), Desc: DescTableAttach, Dependencies: []DumpID{DumpID(2 + i), DumpID(1 + i)}})
			}
			add(post(1+2*many, "TRIGGER", deps...))
		}},
		{"statistics", func(add func(Entry)) {
			add(table(1))
			add(Entry{ID: 2, Desc: DescTableData, Section: SectionData, Dependencies: []DumpID{1}})
			add(post(3, "INDEX", same(1)...))
			for i := range 100 {
				add(Entry{ID: DumpID(4 + i), Desc: "STATISTICS DATA", Section: SectionPostData, Dependencies: append(same(3), 1)})
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			toc := &TOC{}
			tt.entries(func(e Entry) { toc.Entries = append(toc.Entries, e) })
			if added := SafeForParallel(toc); added > maxSteps+4*len(toc.Entries) {
				t.Errorf("%d dependencies added", added)
			}
			if again := SafeForParallel(toc); again != 0 {
				t.Errorf("%d dependencies added again", again)
			}
		})
	}
}

// TestSafeForParallel_Rest has more triggers than can wait for each partition:
// the last ones wait for all data in another way.
func TestSafeForParallel_Rest(t *testing.T) {
	const partitions, triggers, steps = 200, 10, 1000
	toc := &TOC{Entries: []Entry{{ID: 1, Desc: DescTable}}}
	add := func(desc string, section Section, deps ...DumpID) DumpID {
		id := DumpID(len(toc.Entries) + 1)
		toc.Entries = append(toc.Entries, Entry{ID: id, Desc: desc, Section: section, Dependencies: deps})
		return id
	}
	var data []DumpID
	for range partitions {
		table := add(DescTable, SectionPreData)
		add(DescTableAttach, SectionPreData, table, 1)
		data = append(data, add(DescTableData, SectionData, table))
	}
	for range triggers {
		add("TRIGGER", SectionPostData, 1)
	}
	safeForParallel(toc, steps)
	list := toc.Entries[len(toc.Entries)-triggers:]
	first := slices.IndexFunc(list, func(e Entry) bool { return slices.Contains(e.Dependencies, data[0]) })
	if want := steps/partitions + 1; first != want {
		t.Fatalf("the first that waits for all data is %d, want %d", first, want)
	}
	if got := list[first-1].Dependencies; len(got) != 1+partitions {
		t.Errorf("the one before waits for %d entries, want the table and its partitions", len(got))
	}
	if got := list[first].Dependencies; !slices.Equal(got[1:], data) {
		t.Errorf("it waits for %d entries, want all %d with data", len(got)-1, len(data))
	}
	if got := list[triggers-1].Dependencies; !slices.Equal(got, []DumpID{1, list[first].ID}) {
		t.Errorf("the last one waits for %d, want %d", got, []DumpID{1, list[first].ID})
	}
}
