package restore

import "odx/dumpfmt/pgarchive"

// rounds lists the entries that pg_restore gets, in the archive's order: those
// of its first run, and those of a second one if there has to be one.
//
// In one parallel run, row triggers of a partitioned table could fire on
// restored rows, and a constraint of a table could be made while the tables
// that inherit it are loading, because pg_dump leaves these dependencies out.
// What lacks one waits for the second run, and with it all that depends on it.
// (A mended table of contents would need the data files beside it: recent
// releases of pg_restore follow no links and no paths.)
func rounds(toc *pgarchive.TOC, left map[pgarchive.DumpID]bool) [][]pgarchive.DumpID {
	late := lateEntries(toc)
	var first, second []pgarchive.DumpID
	for i := range toc.Entries {
		switch id := toc.Entries[i].ID; {
		case left[id]:
		case late[id]:
			second = append(second, id)
		default:
			first = append(first, id)
		}
	}
	if len(second) == 0 {
		return [][]pgarchive.DumpID{first}
	}
	return [][]pgarchive.DumpID{first, second}
}

// lateEntries gives the entries that are not safe in a parallel run, and those
// that come after them. The TOC is left with the dependencies that it lacked.
func lateEntries(toc *pgarchive.TOC) map[pgarchive.DumpID]bool {
	before := make([]int, len(toc.Entries))
	for i := range toc.Entries {
		before[i] = len(toc.Entries[i].Dependencies)
	}
	if pgarchive.SafeForParallel(toc) == 0 {
		return nil
	}
	late := map[pgarchive.DumpID]bool{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if len(e.Dependencies) > before[i] || lastPass[e.Desc] || dependsOn(e, late) {
			late[e.ID] = true
		}
	}
	return late
}

// lastPass has the kinds that pg_restore keeps for its very end: an event
// trigger would fire in the second run, and a view may read any table.
var lastPass = map[string]bool{"EVENT TRIGGER": true, "MATERIALIZED VIEW DATA": true}

func dependsOn(e *pgarchive.Entry, set map[pgarchive.DumpID]bool) bool {
	for _, id := range e.Dependencies {
		if set[id] {
			return true
		}
	}
	return false
}
