package restore

import (
	"slices"

	"odx/dumpfmt/pgarchive"
)

// round is one run of pg_restore.
type round struct {
	connecting bool // done as the connecting role, not as the owner
	load       bool // has what takes long, so several jobs pay
	last       bool // comes after all that odx itself does in the database
	entries    []pgarchive.DumpID
}

// The rounds, each in the archive's order. Those of the connecting role have
// odd numbers.
//
//	0, 2 …   owner       definitions, up to the first that needs what comes next
//	1, 3 …   connecting  what the owner may not make (see reserved)
//	main     owner       the other definitions, rows, indexes, keys
//	main+2   owner       what is not safe in main's parallel run
//	main+4   owner       GRANTs
//	main+6   owner       rows of materialized views, which may read any table
//	main+7   connecting  publications, subscriptions, event triggers, GRANTs
//	main+8   owner       subscriptions and event triggers of an owner that may have them
//
// An entry of the owner comes after all of the connecting role that stand
// before it in the archive: a view that needs a cast does not say so. An entry
// of the connecting role comes as early as its dependencies let it, so that
// there are few rounds.
//
// In one parallel run, row triggers of a partitioned table could fire on
// restored rows, and a constraint of a table could be made while the tables
// that inherit it are loading, because pg_dump leaves these dependencies out.
// What lacks one waits for the next round, and with it all that depends on it.
// (A mended table of contents would need the data files beside it: recent
// releases of pg_restore follow no links and no paths.)
//
// GRANTs come when nothing is left to be done that they could take the right to
// from the owner, and one after the other: one of another role than the owner
// may need the one on its schema.
//
// Event triggers would fire on what odx does, and a database with a
// subscription is hard to drop: they come last.
const (
	lateRound           = 2
	grantsRound         = 4
	viewsRound          = 6
	lastConnectingRound = 7
	lastOwnerRound      = 8
)

// stages numbers the rounds of an archive.
type stages struct {
	toc        *pgarchive.TOC
	connecting func(*pgarchive.Entry) bool
	late       map[pgarchive.DumpID]bool
	views      map[pgarchive.DumpID]bool
	number     map[pgarchive.DumpID]int
	main       int
}

// rounds divides the entries that pg_restore gets. The TOC is left with the
// dependencies that it lacked.
func rounds(toc *pgarchive.TOC, left map[pgarchive.DumpID]bool, connecting func(*pgarchive.Entry) bool) (list []round) {
	s := &stages{toc: toc, connecting: connecting,
		late: lateEntries(toc), views: viewEntries(toc), number: map[pgarchive.DumpID]int{}}
	s.numberDefinitions(left)
	byNumber := make([][]pgarchive.DumpID, s.main+lastOwnerRound+1)
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if left[e.ID] {
			continue
		}
		if _, ok := s.number[e.ID]; !ok {
			s.number[e.ID] = s.of(e)
		}
		n := s.number[e.ID]
		byNumber[n] = append(byNumber[n], e.ID)
	}
	for n, entries := range byNumber {
		if len(entries) > 0 {
			list = append(list, round{entries: entries, connecting: n%2 == 1, last: n >= s.main+lastConnectingRound,
				load: n == s.main || n == s.main+lateRound || n == s.main+viewsRound})
		}
	}
	return list
}

// numberDefinitions numbers what comes before the load, and with it main.
func (s *stages) numberDefinitions(left map[pgarchive.DumpID]bool) {
	for i := range s.toc.Entries {
		e := &s.toc.Entries[i]
		if left[e.ID] || isNote(e.Desc) || isPreamble(e.Desc) || e.Section == pgarchive.SectionPostData {
			continue
		}
		if !s.connecting(e) {
			if e.Section == pgarchive.SectionPreData {
				s.number[e.ID] = s.main
			}
			continue
		}
		n := 1
		for _, d := range e.Dependencies {
			if of, ok := s.number[d]; ok {
				n = max(n, of+(of+1)%2) // the owner's number, or the next odd one
			}
		}
		s.number[e.ID] = n
		s.main = max(s.main, n+1)
	}
}

// isPreamble tells whether pg_restore takes the entry into every run.
func isPreamble(desc string) bool {
	return slices.Contains([]string{"ENCODING", "STDSTRINGS", "SEARCHPATH"}, desc)
}

// of numbers an entry that does not come before the load.
func (s *stages) of(e *pgarchive.Entry) int {
	if isNote(e.Desc) && !isACL(e.Desc) {
		for _, d := range e.Dependencies {
			if n, ok := s.number[d]; ok {
				return n
			}
		}
	}
	switch {
	case s.connecting(e):
		return s.main + lastConnectingRound
	case e.Desc == "EVENT TRIGGER" || e.Desc == "SUBSCRIPTION":
		return s.main + lastOwnerRound
	case s.views[e.ID]:
		return s.main + viewsRound
	case isACL(e.Desc):
		return s.main + grantsRound
	case s.late[e.ID]:
		return s.main + lateRound
	}
	return s.main
}

// lateEntries gives the entries that are not safe in a parallel run, and those
// that come after them.
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
		if len(e.Dependencies) > before[i] || dependsOn(e, late) {
			late[e.ID] = true
		}
	}
	return late
}

// viewEntries gives the entries with the rows of materialized views, and those
// that come after them.
func viewEntries(toc *pgarchive.TOC) map[pgarchive.DumpID]bool {
	views := map[pgarchive.DumpID]bool{}
	for i := range toc.Entries {
		if e := &toc.Entries[i]; e.Desc == "MATERIALIZED VIEW DATA" || dependsOn(e, views) {
			views[e.ID] = true
		}
	}
	return views
}

func dependsOn(e *pgarchive.Entry, set map[pgarchive.DumpID]bool) bool {
	for _, id := range e.Dependencies {
		if set[id] {
			return true
		}
	}
	return false
}
