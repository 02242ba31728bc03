package pgarchive

import (
	"slices"
	"strings"
)

// SafeForParallel adds the dependencies that pg_dump leaves out and without
// which pg_restore -j can go wrong, and gives their number. It changes
// Dependencies and nothing else; a second call adds nothing.
//
// pg_restore runs an entry of the last section when the data of the tables
// that it depends on are loaded. A partitioned table has no data of its own, so
// what belongs to one waits for nothing: its triggers may be made while the
// partitions are being loaded, and fire on restored rows. Such an entry gets
// the TABLE DATA of all partitions below its table as dependencies. The same
// goes for foreign keys, checks and the like, which PostgreSQL passes on to the
// partitions, for tables that others inherit from, and for all tables of a
// partitioned one whose rows are loaded through its root, because they may go
// into any partition.
//
// Only entries that come earlier in the TOC are added, so no circle arises.
func SafeForParallel(t *TOC) int {
	f := findFamilies(t)
	if len(f.children) == 0 {
		return 0
	}
	added := 0
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Section == SectionPostData && passedOn(e.Desc) {
			added += f.complete(t, i)
		}
	}
	return added
}

// passedOn tells whether entries of this kind reach the tables below the one
// that they belong to, and must not do so before these have their data.
func passedOn(desc string) bool {
	switch desc {
	case "TRIGGER", "RULE", "POLICY", "ROW SECURITY", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT":
		return true
	}
	return false
}

// families says which tables are partitions of, or inherit from, which.
type families struct {
	children map[DumpID][]DumpID
	parents  map[DumpID][]DumpID
	data     map[DumpID][]int // indices of the TABLE DATA entries of a table
	viaRoot  map[DumpID]bool  // tables whose rows are loaded through their root
}

// viaRootComment starts the definition of a TABLE DATA entry whose rows are
// loaded through the root of the partitioned table.
const viaRootComment = "-- load via partition root "

func findFamilies(t *TOC) *families {
	f := &families{
		children: make(map[DumpID][]DumpID),
		parents:  make(map[DumpID][]DumpID),
		data:     make(map[DumpID][]int),
		viaRoot:  make(map[DumpID]bool),
	}
	tables := make(map[DumpID]bool)
	for i := range t.Entries {
		e := &t.Entries[i]
		switch {
		case isTable(e):
			tables[e.ID] = true
		case e.Desc == DescTableData && len(e.Dependencies) > 0:
			table := e.Dependencies[0]
			f.data[table] = append(f.data[table], i)
			if strings.HasPrefix(e.Defn.String, viaRootComment) {
				f.viaRoot[table] = true
			}
		}
	}
	for i := range t.Entries {
		switch e := &t.Entries[i]; {
		case e.Desc == DescTableAttach && len(e.Dependencies) >= 2:
			f.join(e.Dependencies[0], e.Dependencies[1])
		case isTable(e) && namesParent(e.Defn.String):
			for _, id := range e.Dependencies {
				if tables[id] {
					f.join(e.ID, id)
				}
			}
		}
	}
	return f
}

func isTable(e *Entry) bool { return e.Desc == DescTable || e.Desc == "FOREIGN TABLE" }

// namesParent tells whether a table's definition may say what it inherits
// from. Until PostgreSQL 13 that includes partitions. A text in a default that
// looks the same does no harm: at worst an entry waits that need not.
func namesParent(defn string) bool {
	return strings.Contains(defn, "ATTACH PARTITION ") || strings.Contains(defn, "\nINHERITS (")
}

func (f *families) join(child, parent DumpID) {
	f.children[parent] = append(f.children[parent], child)
	f.parents[child] = append(f.parents[child], parent)
}

// complete adds to the entry at index what it must wait for.
func (f *families) complete(t *TOC, index int) int {
	e := &t.Entries[index]
	var data []int
	for _, table := range e.Dependencies {
		for member := range f.below(table) {
			data = append(data, f.data[member]...)
		}
	}
	if len(data) == 0 {
		return 0
	}
	slices.Sort(data)
	have := make(map[DumpID]bool)
	for _, id := range e.Dependencies {
		have[id] = true
	}
	added := 0
	for _, i := range data {
		if id := t.Entries[i].ID; i < index && !have[id] {
			e.Dependencies = append(e.Dependencies, id)
			have[id] = true
			added++
		}
	}
	return added
}

// below gives the tables below one, without itself; of a family that is loaded
// through its root, all of its tables.
func (f *families) below(table DumpID) map[DumpID]bool {
	if len(f.children[table]) == 0 && len(f.parents[table]) == 0 {
		return nil
	}
	if len(f.viaRoot) > 0 {
		family := reach(reach(map[DumpID]bool{table: true}, f.parents), f.children)
		for member := range family {
			if f.viaRoot[member] {
				return family
			}
		}
	}
	found := reach(map[DumpID]bool{table: true}, f.children)
	delete(found, table)
	return found
}

// reach adds to a set all that can be reached from its members.
func reach(set map[DumpID]bool, next map[DumpID][]DumpID) map[DumpID]bool {
	var open []DumpID
	for id := range set {
		open = append(open, id)
	}
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		for _, n := range next[id] {
			if !set[n] {
				set[n] = true
				open = append(open, n)
			}
		}
	}
	return set
}
