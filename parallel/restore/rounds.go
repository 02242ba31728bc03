package restore

import (
	"slices"

	"odx/dumpfmt/pgarchive"
)

// rounds lists the entries that pg_restore gets, in the archive's order: one
// list for each of its runs, one after another. One is enough for most archives.
//
// pg_dump leaves dependencies out that parallel workers need: of triggers of
// partitioned tables, for instance, which would fire on restored rows. What
// lacks one on an entry goes into a later run than this, and with it all that
// depends on it. (A mended table of contents would need the data files beside
// it: recent releases of pg_restore follow no links and no paths.)
func rounds(toc *pgarchive.TOC, left map[pgarchive.DumpID]bool) [][]pgarchive.DumpID {
	before := make([]int, len(toc.Entries))
	for i := range toc.Entries {
		before[i] = len(toc.Entries[i].Dependencies)
	}
	pgarchive.SafeForParallel(toc)
	// What comes last anyway comes in the last run: an event trigger would fire
	// in later ones, and a view may read any table.
	_, last := roundOf(toc, before, 0)
	of, last := roundOf(toc, before, last)
	all := make([][]pgarchive.DumpID, last+1)
	for i := range toc.Entries {
		if id := toc.Entries[i].ID; !left[id] {
			all[of[id]] = append(all[of[id]], id)
		}
	}
	return slices.DeleteFunc(all, func(ids []pgarchive.DumpID) bool { return len(ids) == 0 })
}

// lastPass has the kinds that pg_restore keeps for its very end.
var lastPass = map[string]bool{"EVENT TRIGGER": true, "MATERIALIZED VIEW DATA": true}

// roundOf numbers the runs from 0 on and gives those of all entries, and the
// last one. Before has the number of dependencies that each entry had in the
// archive; what comes last is not in an earlier run than atLeast.
func roundOf(toc *pgarchive.TOC, before []int, atLeast int) (of map[pgarchive.DumpID]int, last int) {
	of = make(map[pgarchive.DumpID]int, len(toc.Entries))
	for i := range toc.Entries {
		e := &toc.Entries[i]
		round := 0
		if lastPass[e.Desc] {
			round = atLeast
		}
		for j, id := range e.Dependencies {
			after := of[id]
			if j >= before[i] {
				after++
			}
			round = max(round, after)
		}
		of[e.ID] = round
		last = max(last, round)
	}
	return of, last
}
