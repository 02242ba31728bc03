package pgcopy

import (
	"cmp"
	"slices"
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

	of       *cutting // the table's; nil for a large object
	table    int      // index of the table, -1 for a large object
	object   uint32   // its OID
	from, to int64    // pages, to being the first that is not meant; 0 is no bound
	share    int64    // part of the table's bytes on disk
	first    bool     // of its stream
	last     bool     // of its stream

	// held are pieces that wait for their turn. They are the compressor's until
	// the stretch is done, then whoever's turn it is.
	held []Piece
}

// cut tells whether the stretch is less than its table.
func (s *stretch) cut() bool { return !s.first || !s.last }

// cutting is a table that is being given out.
type cutting struct {
	lane     *lane
	table    int
	bytes    int64 // of the table
	n, pages int64 // stretches, and the pages of each
	given    int64 // stretches given out
}

// left gives how many bytes of the table have not been given out.
func (c *cutting) left() int64 { return c.bytes / c.n * (c.n - c.given) }

// take gives the next stretch.
func (c *cutting) take() *stretch {
	i := c.given
	c.given++
	s := &stretch{lane: c.lane, of: c, table: c.table, share: c.bytes / c.n, first: i == 0, last: i == c.n-1}
	if c.n > 1 {
		s.from, s.to = i*c.pages, (i+1)*c.pages
	}
	if s.last {
		s.to = 0 // whatever the size was when it was asked for
		s.share = c.bytes - (c.n-1)*(c.bytes/c.n)
	}
	return s
}

// plan gives out stretches one after the other. It makes them as they are
// asked for: there may be millions.
type plan struct {
	mu       sync.Mutex
	tables   []Table
	objects  []uint32
	size     int64 // of a stretch
	oneByOne *lane // the one order for everything, if there is one

	begun  []*cutting // tables with stretches left
	table  int        // next to begin
	object int        // next
}

func newPlan(o *Options) *plan {
	p := &plan{tables: o.Tables, objects: o.Objects, size: cmp.Or(o.Stretch, DefaultStretch)}
	if o.OneByOne {
		p.oneByOne = newLane()
	}
	return p
}

// next gives the stretch that comes after one, nil for the first that somebody
// asks for. It is nil after the last.
//
// Who has begun a table goes on with it: what nobody else copies at the same time
// is written at once and need not be held. A table is shared when there is none
// left to begin, or there is one order for everything.
func (p *plan) next(after *stretch) *stretch {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.ofTable(after)
	if s == nil && p.object < len(p.objects) {
		s = &stretch{lane: p.newLane(), table: -1, object: p.objects[p.object], first: true, last: true}
		p.object++
	}
	if s != nil {
		s.turn = s.lane.given
		s.lane.given++
	}
	return s
}

// ofTable gives the next stretch of a table.
func (p *plan) ofTable(after *stretch) *stretch {
	var c *cutting
	switch {
	case after != nil && after.of != nil && after.of.given < after.of.n:
		c = after.of
	case p.table < len(p.tables) && (p.oneByOne == nil || len(p.begun) == 0):
		c = p.begin()
	case len(p.begun) > 0:
		c = slices.MaxFunc(p.begun, func(a, b *cutting) int { return cmp.Compare(a.left(), b.left()) })
	default:
		return nil
	}
	s := c.take()
	if s.last {
		p.begun = slices.DeleteFunc(p.begun, func(b *cutting) bool { return b == c })
	}
	return s
}

// begin cuts the next table.
func (p *plan) begin() *cutting {
	t := &p.tables[p.table]
	n, pages := cut(t, p.size)
	c := &cutting{lane: p.newLane(), table: p.table, bytes: t.Bytes, n: n, pages: pages}
	p.table++
	p.begun = append(p.begun, c)
	return c
}

// newLane gives the order of a stream.
func (p *plan) newLane() *lane {
	if p.oneByOne != nil {
		return p.oneByOne
	}
	return newLane()
}

// cut says into how many stretches a table is cut, and of how many pages.
func cut(t *Table, size int64) (n, pages int64) {
	if t.Bytes/size < cutFrom || t.Pages < 2 || t.Filter != "" || t.Columns == "" {
		return 1, 0
	}
	n = min(t.Bytes/size, t.Pages)
	pages = (t.Pages + n - 1) / n
	return (t.Pages + pages - 1) / pages, pages
}
