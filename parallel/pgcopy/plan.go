package pgcopy

import (
	"cmp"
	"sync"
)

// DefaultStretch is what a stretch has on disk, in bytes: some 30 ms of copying.
const DefaultStretch = 8 << 20

// cutFrom is how many stretches a table must have to be cut.
const cutFrom = 4

// stretch is a part of a table, a whole one, or a large object.
type stretch struct {
	lane *lane
	turn int

	table    int    // index of the table, -1 for a large object
	object   uint32 // its OID
	from, to int64  // pages, to being the first that is not meant; 0 is no bound
	share    int64  // part of the table's bytes on disk
	first    bool   // of its stream
	last     bool   // of its stream

	// held are pieces that wait for their turn. They are the compressor's until
	// the stretch is done, then whoever's turn it is.
	held []Piece
}

// cut tells whether the stretch is less than its table.
func (s *stretch) cut() bool { return !s.first || !s.last }

// plan gives out stretches one after the other. It makes them as they are
// asked for: there may be millions.
type plan struct {
	mu       sync.Mutex
	tables   []Table
	objects  []uint32
	oneByOne bool
	size     int64 // of a stretch

	lane    *lane // of the stream under way
	turn    int
	table   int // next
	stretch int // next of that table
	object  int // next
}

func newPlan(o *Options) *plan {
	return &plan{tables: o.Tables, objects: o.Objects, oneByOne: o.OneByOne, size: cmp.Or(o.Stretch, DefaultStretch)}
}

// next gives the next stretch, nil after the last.
func (p *plan) next() *stretch {
	p.mu.Lock()
	defer p.mu.Unlock()
	var s *stretch
	switch {
	case p.table < len(p.tables):
		s = p.ofTable()
	case p.object < len(p.objects):
		s = &stretch{table: -1, object: p.objects[p.object], first: true, last: true}
		p.object++
	default:
		return nil
	}
	if p.lane == nil || s.first && !p.oneByOne {
		p.lane, p.turn = newLane(), 0
	}
	s.lane, s.turn = p.lane, p.turn
	p.turn++
	return s
}

// ofTable gives the next stretch of the next table.
func (p *plan) ofTable() *stretch {
	t := &p.tables[p.table]
	n, pages := cutting(t, p.size)
	i := int64(p.stretch)
	s := &stretch{table: p.table, share: t.Bytes / n, first: i == 0, last: i == n-1}
	if n > 1 {
		s.from, s.to = i*pages, (i+1)*pages
	}
	p.stretch++
	if s.last {
		s.to = 0 // whatever the size was when it was asked for
		s.share = t.Bytes - (n-1)*(t.Bytes/n)
		p.table, p.stretch = p.table+1, 0
	}
	return s
}

// cutting says into how many stretches a table is cut, and of how many pages.
func cutting(t *Table, size int64) (n, pages int64) {
	if t.Bytes/size < cutFrom || t.Pages < 2 || t.Filter != "" || t.Columns == "" {
		return 1, 0
	}
	n = min(t.Bytes/size, t.Pages)
	pages = (t.Pages + n - 1) / n
	return (t.Pages + pages - 1) / pages, pages
}
