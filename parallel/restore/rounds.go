package restore

import (
	"fmt"
	"slices"

	"odx/dumpfmt/pgarchive"
)

// round is one run of pg_restore.
type round struct {
	connecting bool // done as the connecting role, not as the owner
	load       bool // has what takes long, so several jobs pay
	isMended   bool // of a table of contents that odx has changed; see apart
	last       bool // comes after all that odx itself does in the database
	views      bool // of materialized views
	entries    []pgarchive.DumpID
}

// String is what the journal of a restore keeps a digest of, to know its rounds again.
func (r round) String() string {
	return fmt.Sprintf("{%v %v %v %v %v}", r.connecting, r.load, r.isMended, r.last, r.entries)
}

// The rounds, each in the archive's order. Those of the connecting role have
// odd numbers.
//
//	0, 2 …      owner       definitions, up to the first that needs what comes next
//	1, 3 …      connecting  what the owner may not make (see reserved)
//	main        owner       the other definitions, rows, indexes, keys
//	main+2 …    owner       what is not safe in one parallel run with what came before
//	grants      owner       GRANTs
//	views …     owner       rows of materialized views, which may read any table
//	final       connecting  publications, subscriptions, event triggers, GRANTs
//	final+1     owner       subscriptions and event triggers of an owner that may have them
//
// An entry of the owner comes after all of the connecting role that stand
// before it in the archive: a view that needs a cast does not say so. An entry
// of the connecting role comes as early as its dependencies let it, so that
// there are few rounds; in an archive made of a script, which does not know of all
// that an entry depends on, it comes after all of the owner that stand before it.
//
// pg_dump leaves dependencies out that parallel workers need: row triggers of a
// partitioned table, for instance, could fire on restored rows, and a constraint
// of a table could be made while the tables that inherit it are loading. What
// lacks one on an entry waits for a later round than this, and with it all that
// depends on it. (A mended table of contents would need the data files beside
// it: recent releases of pg_restore follow no links and no paths.)
//
// GRANTs come when nothing is left to be done that they could take the right to
// from the owner, and one after the other: one of another role than the owner
// may need the one on its schema.
//
// Event triggers would fire on what odx does, and a database with a
// subscription is hard to drop: they come last.

// stages numbers the rounds of an archive.
type stages struct {
	toc        *pgarchive.TOC
	connecting func(*pgarchive.Entry) bool
	waits      map[pgarchive.DumpID]int // for how many other parallel runs an entry waits
	longest    int                      // the largest of waits
	views      map[pgarchive.DumpID]bool
	number     map[pgarchive.DumpID]int
	main       int
	ordered    bool // the order says more than the dependencies
}

func (s *stages) grants() int { return s.main + 2*s.longest + 2 }
func (s *stages) final() int  { return s.grants() + 2*s.longest + 3 }

// rounds divides the entries that pg_restore gets. The TOC is left with the
// dependencies that it lacked.
func rounds(toc *pgarchive.TOC, left map[pgarchive.DumpID]bool, connecting func(*pgarchive.Entry) bool, ordered bool) (list []round) {
	s := &stages{toc: toc, ordered: ordered, connecting: connecting, views: viewEntries(toc), number: map[pgarchive.DumpID]int{}}
	s.waits, s.longest = parallelWaits(toc)
	s.numberDefinitions(left)
	byNumber := make([][]pgarchive.DumpID, s.final()+2)
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
			list = append(list, round{entries: entries, connecting: n%2 == 1, last: n >= s.final(),
				load: n >= s.main && n < s.final() && n != s.grants(), views: n > s.grants() && n < s.final()})
		}
	}
	return list
}

// numberDefinitions numbers what comes before the load, and with it main.
func (s *stages) numberDefinitions(left map[pgarchive.DumpID]bool) {
	earliest := 1
	for i := range s.toc.Entries {
		e := &s.toc.Entries[i]
		if left[e.ID] || isNote(e.Desc) || isPreamble(e.Desc) || e.Section == pgarchive.SectionPostData {
			continue
		}
		if !s.connecting(e) {
			if e.Section == pgarchive.SectionPreData {
				s.number[e.ID] = s.main
				if s.ordered {
					earliest = s.main + 1
				}
			}
			continue
		}
		n := earliest
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
		return s.final()
	case e.Desc == "EVENT TRIGGER" || e.Desc == "SUBSCRIPTION":
		return s.final() + 1
	case s.views[e.ID]:
		return s.grants() + 2 + 2*s.waits[e.ID]
	case isACL(e.Desc):
		return s.grants()
	}
	return s.main + 2*s.waits[e.ID]
}

// parallelWaits tells for how many parallel runs each entry has to wait, and
// the most that any has to. It gives the TOC the dependencies that it lacked.
func parallelWaits(toc *pgarchive.TOC) (waits map[pgarchive.DumpID]int, longest int) {
	byID := toc.ByID()
	had := make(map[pgarchive.DumpID]int, len(byID))
	for id, e := range byID {
		had[id] = len(e.Dependencies)
	}
	pgarchive.SafeForParallel(toc)
	waits = make(map[pgarchive.DumpID]int, len(toc.Entries))
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if _, isKnown := waits[e.ID]; !isKnown {
			countWaits(e, byID, had, waits)
		}
		longest = max(longest, waits[e.ID])
	}
	return waits, longest
}

// countWaits adds to waits an entry and all that it depends on. It keeps the way
// from the entry down by itself: that may be as long as the archive.
func countWaits(e *pgarchive.Entry, byID map[pgarchive.DumpID]*pgarchive.Entry, had, waits map[pgarchive.DumpID]int) {
	type step struct {
		entry *pgarchive.Entry
		next  int // of its dependencies
		waits int // by those before
	}
	waits[e.ID] = 0
	for path := []step{{entry: e}}; len(path) > 0; {
		now := &path[len(path)-1]
		id, dependencies := now.entry.ID, now.entry.Dependencies
		if now.next == len(dependencies) {
			waits[id] = now.waits
			path = path[:len(path)-1]
			continue
		}
		d := dependencies[now.next]
		after, isKnown := waits[d]
		if of := byID[d]; of != nil && !isKnown {
			waits[d] = 0 // for a file whose dependencies are a circle
			path = append(path, step{entry: of})
			continue
		}
		if now.next >= had[id] {
			after++
		}
		now.waits = max(now.waits, after)
		now.next++
	}
}

// viewEntries gives the entries with the rows of materialized views, and those
// that come after them.
func viewEntries(toc *pgarchive.TOC) map[pgarchive.DumpID]bool {
	views := map[pgarchive.DumpID]bool{}
	for i := range toc.Entries {
		if e := &toc.Entries[i]; e.Desc == descViewData || dependsOn(e, views) {
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
