package pgarchive

import "strings"

// SafeForParallel adds the dependencies that pg_dump leaves out and without
// which pg_restore -j can go wrong, and gives their number. It changes
// Dependencies and nothing else; a second call adds nothing.
//
// pg_restore runs what comes after the data when the data of the tables that it
// depends on are loaded, and runs no two entries together of which one locks a
// table that both depend on. Not enough for it are in pg_dump's archives:
//
//   - What belongs to a table with partitions or heirs, and reaches them; see
//     families.
//   - Constraints of domains, which depend on the domain only. Rows may break
//     one that is NOT VALID, and could then not be loaded any more; checking
//     one that is valid locks the tables that use the domain, whichever these
//     are. They wait for the data of all tables.
//   - Two indexes of a table that are followed by CLUSTER ON and by REPLICA
//     IDENTITY. Indexes of a table are made together, but each of these
//     statements waits for the other's index: a deadlock. One waits for the
//     other.
//   - Indexes attached to those of partitioned tables; see indexTrees.
//   - An ACL with what another role than the owner granted. It is granted in
//     that role's name, which has to be allowed to use the schema: it waits for
//     the schema's ACL.
//   - ACLs of columns, as earlier minor releases write them. Those of the table
//     take away what its columns grant, so they have to come first.
//   - Statistics of a table. Loading it forgets how many rows and pages it has,
//     as does a refresh for indexes of a materialized view.
//
// Only entries that come earlier in the TOC are added, so no circle arises; but
// for those of an INDEX ATTACH, which come from below it in a tree.
//
// Where the archive has no tables, because the dump was limited to the sections
// after them, pg_dump leaves out the dependencies on them. Then all that comes
// after the data waits for all data: the first of it for the data, the rest for
// the first. Which tables it locks is not known then: a deadlock is possible.
//
// Where many entries wait for many tables, their product is added. Beyond maxSteps
// the rest of them waits for all data in the same way, and statistics of indexes
// for no refresh.
//
// Functions in indexes and constraints that read other tables are not seen.
func SafeForParallel(t *TOC) int { return safeForParallel(t, maxSteps) }

func safeForParallel(t *TOC, steps int) int {
	s := &safety{
		steps:     steps,
		toc:       t,
		families:  findFamilies(t),
		indexes:   findIndexTrees(t),
		at:        make(map[DumpID]int, len(t.Entries)),
		loads:     make(map[DumpID]DumpID),
		altering:  make(map[string]DumpID),
		schemaACL: make(map[string]DumpID),
		wholeACL:  make(map[DumpID]DumpID),
	}
	added := 0
	for i := range t.Entries {
		e := &t.Entries[i]
		before := len(e.Dependencies)
		s.wait(e)
		s.remember(e, i)
		added += len(e.Dependencies) - before
	}
	return added
}

// maxSteps bounds what SafeForParallel looks at for entries that wait for many:
// enough for 2,800 triggers of a table with as many partitions, or for constraints
// of 800 domains where there are 10,000 tables.
const maxSteps = 8 << 20

// safety is what SafeForParallel knows of the entries so far.
type safety struct {
	toc      *TOC
	families *families
	indexes  *indexTrees
	steps    int // that are left of maxSteps

	at        map[DumpID]int    // index of an entry
	data      []DumpID          // the TABLE DATA entries
	barrier   DumpID            // the entry that waits for all of these
	loads     map[DumpID]DumpID // what fills a table or materialized view, by its entry
	altering  map[string]DumpID // the last INDEX that also alters its table, by the table's name in SQL
	schemaACL map[string]DumpID
	wholeACL  map[DumpID]DumpID // of a table and the like, not of its columns, by its entry
}

// wait gives an entry the dependencies that it lacks.
func (s *safety) wait(e *Entry) {
	switch e.Desc {
	case "ACL":
		s.waitACL(e)
	case "INDEX":
		e.waitFor(s.altering[alteredTable(e.Defn.String)])
	case DescIndexAttach:
		e.waitFor(s.indexes.before(e)...)
	case "STATISTICS DATA":
		s.waitStatistics(e)
	}
	if e.Section != SectionPostData || isLatePass(e.Desc) {
		return
	}
	isDomain, isPassedOn, isTooMuch := strings.HasPrefix(e.Defn.String, "ALTER DOMAIN "), passedOn(e.Desc), s.steps < 0
	if isDomain && !isTooMuch {
		s.steps -= len(s.data)
		e.waitFor(s.data...)
	}
	if isPassedOn && !isTooMuch {
		found, steps := s.families.reached(s.toc, e, s.at)
		s.steps -= steps
		e.waitFor(found...)
	}
	if s.families.isEmpty || isTooMuch && (isDomain || isPassedOn) {
		s.waitForAll(e)
	}
}

// waitForAll makes the first entry wait for all data, and others for the first.
func (s *safety) waitForAll(e *Entry) {
	if s.barrier == 0 && len(s.data) > 0 {
		e.waitFor(s.data...)
		s.barrier = e.ID
	}
	e.waitFor(s.barrier)
}

// isLatePass tells whether pg_restore keeps entries of this kind, if they come
// after the data, until all others are done.
func isLatePass(desc string) bool {
	switch desc {
	case "DEFAULT ACL", "EVENT TRIGGER", "MATERIALIZED VIEW DATA", "STATISTICS DATA":
		return true
	}
	return false
}

// remember keeps what later entries may have to wait for.
func (s *safety) remember(e *Entry, index int) {
	s.at[e.ID] = index
	switch e.Desc {
	case DescTableData:
		s.data = append(s.data, e.ID)
		s.loads[e.first()] = e.ID
	case "MATERIALIZED VIEW DATA":
		s.loads[e.first()] = e.ID
	case "INDEX":
		if table := alteredTable(e.Defn.String); table != "" {
			s.altering[table] = e.ID
		}
	case "ACL":
		if schema, ok := grantedSchema(e); ok {
			s.schemaACL[schema] = e.ID
		}
		if !strings.HasPrefix(e.Tag, "COLUMN ") && s.wholeACL[e.first()] == 0 {
			s.wholeACL[e.first()] = e.ID
		}
	}
}

// first gives the entry's first dependency: the table of its data, the object of
// an ACL. It is 0 if there is none.
func (e *Entry) first() DumpID {
	if len(e.Dependencies) == 0 {
		return 0
	}
	return e.Dependencies[0]
}

// waitFor adds dependencies that the entry does not have. 0 stands for none.
func (e *Entry) waitFor(ids ...DumpID) {
	var have map[DumpID]bool
	for _, id := range ids {
		if id == 0 || id == e.ID {
			continue
		}
		if have == nil {
			have = make(map[DumpID]bool, len(e.Dependencies)+len(ids))
			for _, d := range e.Dependencies {
				have[d] = true
			}
		}
		if !have[id] {
			have[id] = true
			e.Dependencies = append(e.Dependencies, id)
		}
	}
}

// grantorText is how an ACL goes on with what another role than the owner
// granted.
const grantorText = "SET SESSION AUTHORIZATION "

func (s *safety) waitACL(e *Entry) {
	if object := e.first(); object != 0 {
		e.waitFor(s.wholeACL[object])
	}
	if strings.Contains(e.Defn.String, grantorText) {
		e.waitFor(s.schemaACL[e.Namespace.String])
	}
}

// grantedSchema gives the schema that an ACL is about, if it is one's.
func grantedSchema(e *Entry) (string, bool) {
	text, ok := strings.CutPrefix(e.Tag, "SCHEMA ")
	if !ok {
		return "", false
	}
	name, rest, err := cutIdentifier(text)
	return name, err == nil && rest == ""
}

// alteredTable gives the table that is altered behind the index of an INDEX
// entry, with CLUSTER ON or REPLICA IDENTITY, as it is named there; "" if none
// is. Text in the index that looks the same does no harm: at worst an entry
// waits that need not.
func alteredTable(defn string) string {
	for rest, ok := defn, true; ok; {
		if _, rest, ok = strings.Cut(rest, ";\n\nALTER TABLE "); !ok {
			break
		}
		rest = strings.TrimPrefix(rest, "ONLY ")
		table, after, err := cutName(rest)
		if err == nil && (strings.HasPrefix(after, " CLUSTER ON ") || strings.HasPrefix(after, " REPLICA IDENTITY ")) {
			return table
		}
	}
	return ""
}

// waitStatistics makes the statistics of a table wait for its data, and those
// of an index of a materialized view for its refresh.
func (s *safety) waitStatistics(e *Entry) {
	var loads []DumpID
	for _, id := range e.Dependencies {
		loads = append(loads, s.loads[id])
		at, ok := s.at[id]
		if !ok || s.toc.Entries[at].Desc != "INDEX" || s.steps < 0 {
			continue
		}
		s.steps -= len(s.toc.Entries[at].Dependencies)
		for _, on := range s.toc.Entries[at].Dependencies {
			if load, ok := s.at[s.loads[on]]; ok && s.toc.Entries[load].Desc != DescTableData {
				loads = append(loads, s.loads[on])
			}
		}
	}
	e.waitFor(loads...)
}
