package pgarchive

import (
	"slices"
	"strings"
)

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
//
// A partitioned table has no data of its own, so what belongs to one waits for
// nothing: its triggers may be made while the partitions are being loaded, and
// fire on restored rows. Foreign keys, checks and the like, too, reach the
// partitions, and lock them. The same goes for tables that others inherit from,
// and for all tables of a partitioned one whose rows are loaded through its
// root, because they may go into any partition.
type families struct {
	isEmpty  bool // there is no table
	children map[DumpID][]DumpID
	parents  map[DumpID][]DumpID
	viaRoot  map[DumpID]bool // tables of a family of which some are loaded through the root
}

// viaRootComment starts the definition of a TABLE DATA entry whose rows are
// loaded through the root of the partitioned table.
const viaRootComment = "-- load via partition root "

func findFamilies(t *TOC) *families {
	f := &families{
		children: make(map[DumpID][]DumpID),
		parents:  make(map[DumpID][]DumpID),
		viaRoot:  make(map[DumpID]bool),
	}
	tables := make(map[DumpID]bool)
	var viaRoot []DumpID
	for i := range t.Entries {
		e := &t.Entries[i]
		switch {
		case isTable(e):
			tables[e.ID] = true
		case e.Desc == DescTableData && isViaRoot(e):
			viaRoot = append(viaRoot, e.first())
		}
	}
	f.isEmpty = len(tables) == 0
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
	for _, table := range viaRoot {
		walk([]DumpID{table}, f.viaRoot, func(id DumpID) [2][]DumpID {
			return [2][]DumpID{f.parents[id], f.children[id]}
		})
	}
	return f
}

// isViaRoot tells whether rows of a table are loaded through the root of the
// partitioned table. Old minor releases say so by the COPY statement only.
func isViaRoot(e *Entry) bool {
	if strings.HasPrefix(e.Defn.String, viaRootComment) {
		return true
	}
	schema, name, ok := e.CopyTarget()
	return ok && (schema != e.Namespace.String || name != e.Tag)
}

// CopyTarget gives the table that the entry's COPY statement names, which is the root
// of the partitioned table for rows that are loaded through it; ok is false if there
// is no such statement or it does not qualify the name.
func (e *Entry) CopyTarget() (schema, name string, ok bool) {
	text, isCopy := strings.CutPrefix(e.CopyStmt.String, "COPY ")
	schema, rest, err := cutIdentifier(text)
	rest, isQualified := strings.CutPrefix(rest, ".")
	if !isCopy || err != nil || !isQualified {
		return "", "", false
	}
	name, _, err = cutIdentifier(rest)
	return schema, name, err == nil
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

// reached gives the tables below those that an entry belongs to, in the order of
// the TOC, as far as they come earlier; of a family that is loaded through its
// root, all of its tables. To pg_restore a table stands for its data, if there
// are any. The steps say how much there was to look at.
func (f *families) reached(t *TOC, e *Entry, at map[DumpID]int) (found []DumpID, steps int) {
	var from []DumpID
	for _, table := range e.Dependencies {
		if len(f.children[table]) > 0 || f.viaRoot[table] {
			from = append(from, table)
		}
	}
	if len(from) == 0 {
		return nil, 0
	}
	seen := make(map[DumpID]bool)
	steps = walk(from, seen, func(id DumpID) [2][]DumpID {
		if f.viaRoot[id] {
			return [2][]DumpID{f.parents[id], f.children[id]}
		}
		return [2][]DumpID{f.children[id]}
	})
	var places []int
	for member := range seen {
		if place, ok := at[member]; ok {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	for _, place := range places {
		found = append(found, t.Entries[place].ID)
	}
	return found, steps
}

// walk adds to seen what can be reached from some tables, and these, but does
// not go on from what is there. It gives the number of steps.
func walk(from []DumpID, seen map[DumpID]bool, ways func(DumpID) [2][]DumpID) (steps int) {
	open := slices.Clone(from)
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		for _, next := range ways(id) {
			open = append(open, next...)
			steps += len(next)
		}
	}
	return steps
}
