package pgcopy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/parallel"
)

// TestPlan reads the stretches of tables of any size: together they are every
// page once, and the table's share of the progress.
func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		table Table
		want  int // stretches
	}{
		{Table{Columns: "(a)", Bytes: 0, Pages: 0}, 1},
		{Table{Columns: "(a)", Bytes: 4*DefaultStretch - 1, Pages: 4095}, 1},
		{Table{Columns: "(a)", Bytes: 4 * DefaultStretch, Pages: 4096}, 4},
		{Table{Columns: "(a)", Bytes: 5*DefaultStretch + 77, Pages: 4097}, 5},
		{Table{Columns: "(a)", Bytes: 1000 * DefaultStretch, Pages: 3}, 3},
		{Table{Columns: "(a)", Bytes: 1000 * DefaultStretch, Pages: 1}, 1},
		{Table{Columns: "(a)", Bytes: 1000 * DefaultStretch, Pages: 0}, 1},
		{Table{Columns: "", Bytes: 1000 * DefaultStretch, Pages: 1000}, 1},
		{Table{Columns: "(a)", Filter: "WHERE a", Bytes: 1000 * DefaultStretch, Pages: 1000}, 1},
		{Table{Columns: "(a)", Bytes: 1 << 50, Pages: 1 << 20}, 1 << 20},
	} {
		p := newPlan(&Options{Tables: []Table{tt.table}, Objects: []uint32{9}})
		n, next, share := 0, int64(0), int64(0)
		for s := p.next(nil); s != nil && s.table >= 0; s = p.next(s) {
			if s.turn != n || s.first != (n == 0) || s.from != next {
				t.Fatalf("%+v: stretch %d is %+v", tt.table, n, s)
			}
			n, next, share = n+1, s.to, share+s.share
			if s.last != (s.to == 0) {
				t.Fatalf("%+v: stretch %d ends at %d, last %t", tt.table, n, s.to, s.last)
			}
		}
		if n != tt.want || share != tt.table.Bytes || p.next(nil) != nil {
			t.Errorf("%+v: %d stretches with %d bytes, want %d", tt.table, n, share, tt.want)
		}
	}
}

// TestPlan_OwnTable has three workers ask in turn: each goes on with its table as
// long as it has stretches, then begins another, then helps where most is left.
// With one order for everything they share a table from the start.
func TestPlan_OwnTable(t *testing.T) {
	cut := func(n int64) Table { return Table{Columns: "(a)", Bytes: n * DefaultStretch, Pages: 1000} }
	tables := []Table{cut(12), cut(4), cut(4), {Columns: "(a)"}}
	for _, tt := range []struct {
		oneByOne bool
		want     []string // tables that each worker is given
	}{
		{false, []string{"0 0 0 0 0 0 0", "1 1 1 1 3 0 0", "2 2 2 2 0 0 0"}},
		{true, []string{"0 0 0 0 1 1 2", "0 0 0 0 1 2 2", "0 0 0 0 1 2 3"}},
	} {
		p := newPlan(&Options{Tables: tables, OneByOne: tt.oneByOne})
		last, given := make([]*stretch, 3), make([][]string, 3)
		for n := 0; ; n++ {
			i := n % len(last)
			s := p.next(last[i])
			if s == nil {
				break
			}
			if tt.oneByOne && s.turn != n {
				t.Errorf("one by one: stretch %d has turn %d", n, s.turn)
			}
			last[i], given[i] = s, append(given[i], fmt.Sprint(s.table))
		}
		for i, want := range tt.want {
			if got := strings.Join(given[i], " "); got != want {
				t.Errorf("one by one %t, worker %d: tables %s, want %s", tt.oneByOne, i, got, want)
			}
		}
	}
}

func TestCopyStatement(t *testing.T) {
	table := Table{Schema: "s", Name: `a"b`, Columns: `(id, "x y")`}
	const lock = `LOCK TABLE ONLY "s"."a""b" IN ACCESS SHARE MODE NOWAIT; `
	for _, tt := range []struct {
		s            stretch
		filter, want string
	}{
		{stretch{first: true, last: true}, "", `COPY "s"."a""b" (id, "x y") TO STDOUT`},
		{stretch{first: true, to: 7}, "", `SET LOCAL enable_seqscan = off; COPY (SELECT id, "x y" FROM ONLY "s"."a""b" WHERE ctid >= '(0,0)' AND ctid < '(7,0)') TO STDOUT`},
		{stretch{last: true, from: 7}, "", `SET LOCAL enable_seqscan = off; COPY (SELECT id, "x y" FROM ONLY "s"."a""b" WHERE ctid >= '(7,0)') TO STDOUT`},
		{stretch{first: true, last: true}, "WHERE id > 3", `SET LOCAL enable_seqscan = on; COPY (SELECT id, "x y" FROM "s"."a""b" WHERE id > 3) TO STDOUT`},
	} {
		table.Filter = tt.filter
		if got := copyStatement(&table, &tt.s); got != lock+tt.want {
			t.Errorf("%+v: %s", tt.s, got)
		}
	}
}

// memorySink keeps what it gets, and fails a test whose streams overlap.
type memorySink struct {
	t       *testing.T
	mu      sync.Mutex
	streams map[string]*memoryStream
	order   []string
	fail    string // the stream whose Append fails
	open    atomic.Int64
	most    atomic.Int64
}

type memoryStream struct {
	sink *memorySink
	name string
	busy atomic.Bool
	data bytes.Buffer
	end  string
}

func (m *memorySink) begin(name string) (Stream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams == nil {
		m.streams = map[string]*memoryStream{}
	}
	s := &memoryStream{sink: m, name: name}
	m.streams[name] = s
	m.order = append(m.order, name)
	m.most.Store(max(m.most.Load(), m.open.Add(1)))
	return s, nil
}

func (m *memorySink) Table(i int) (Stream, error)       { return m.begin(fmt.Sprint("table ", i)) }
func (m *memorySink) Object(oid uint32) (Stream, error) { return m.begin(fmt.Sprint("object ", oid)) }

func (s *memoryStream) Append(p Piece) error {
	if !s.busy.CompareAndSwap(false, true) || s.end != "" {
		s.sink.t.Errorf("%s: a piece while there is another, or after its end", s.name)
	}
	defer s.busy.Store(false)
	if s.name == s.sink.fail {
		return errors.New("disk full")
	}
	s.data.Write(p.Data)
	return nil
}

func (s *memoryStream) Finish() error { s.end = "finished"; s.sink.open.Add(-1); return nil }
func (s *memoryStream) Abort()        { s.end = "aborted"; s.sink.open.Add(-1) }

// play gives stretches to several goroutines, as Run does, with pieces that
// name their stretch.
func play(t *testing.T, o Options, jobs, pieces int, bound int64) (*memorySink, error) {
	sink := &memorySink{t: t}
	if o.Sink != nil {
		sink = o.Sink.(*memorySink)
	}
	o.Sink, o.Jobs, o.Progress = sink, jobs, &parallel.Meter{}
	plan := newPlan(&o)
	g, ctx := errgroup.WithContext(t.Context())
	q := newSequencer(ctx, &o)
	q.bound = bound
	for range jobs {
		g.Go(func() error {
			for s := plan.next(nil); s != nil; s = plan.next(s) {
				for i := range pieces {
					if rand.IntN(3) == 0 {
						time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond) // shuffles, no more
					}
					text := []byte(fmt.Sprintf("%d/%d;", s.turn, i))
					if err := q.put(s, Piece{Data: text, Length: int64(len(text))}); err != nil {
						return err
					}
				}
				if err := q.finish(s); err != nil {
					return err
				}
				q.mu.Lock()
				if q.held > bound {
					t.Errorf("%d bytes are held, and the bound is %d", q.held, bound)
				}
				q.mu.Unlock()
			}
			return nil
		})
	}
	err := g.Wait()
	q.end()
	if err == nil && q.held != 0 {
		t.Errorf("%d bytes are still held", q.held)
	}
	return sink, err
}

var manyTables = Options{Stretch: 1, Objects: []uint32{5, 6}, Tables: []Table{
	{Columns: "(a)", Bytes: 60, Pages: 60}, {Columns: "(a)", Bytes: 1, Pages: 1}, {Columns: "(a)", Bytes: 25, Pages: 25}}}

func TestSequencer(t *testing.T) {
	for _, oneByOne := range []bool{false, true} {
		for _, jobs := range []int{1, 2, 7} {
			o := manyTables
			o.OneByOne = oneByOne
			sink, err := play(t, o, jobs, 5, 64)
			if err != nil {
				t.Fatal(err)
			}
			turn := 0
			for _, name := range []string{"table 0", "table 1", "table 2", "object 5", "object 6"} {
				stretches := map[string]int{"table 0": 60, "table 2": 25}[name]
				var want strings.Builder
				if !oneByOne {
					turn = 0
				}
				for range max(stretches, 1) {
					for i := range 5 {
						fmt.Fprintf(&want, "%d/%d;", turn, i)
					}
					turn++
				}
				s := sink.streams[name]
				if s.data.String() != want.String() || s.end != "finished" {
					t.Errorf("%d jobs, %s (%s): %s", jobs, name, s.end, s.data.String())
				}
			}
			if most := sink.most.Load(); oneByOne && most != 1 {
				t.Errorf("%d streams at a time", most)
			}
		}
	}
}

// TestSequencer_Fails has a stream fail: whoever waits is woken, every stream
// comes to an end.
func TestSequencer_Fails(t *testing.T) {
	for _, jobs := range []int{1, 2, 7} {
		o := manyTables
		o.Sink = &memorySink{t: t, fail: "table 2"}
		sink, err := play(t, o, jobs, 5, 64)
		if err == nil || err.Error() != "disk full" {
			t.Errorf("%d jobs: %v", jobs, err)
		}
		for name, s := range sink.streams {
			if s.end == "" {
				t.Errorf("%d jobs: %s was neither finished nor aborted", jobs, name)
			}
		}
	}
}

func TestLimiter(t *testing.T) {
	now := time.Now()
	l := newLimiter(1000)
	for i, tt := range []struct {
		at   time.Duration
		n    int
		want time.Duration
	}{{0, 500, 500 * time.Millisecond}, {0, 500, time.Second}, {10 * time.Second, 100, 10100 * time.Millisecond}} {
		if got := l.reserve(now.Add(tt.at), tt.n).Sub(now); got != tt.want {
			t.Errorf("%d: %s, want %s", i, got, tt.want)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := l.wait(ctx, 1<<40); err == nil || err.Error() != "enough" {
		t.Errorf("wait: %v", err)
	}
	if err := newLimiter(0).wait(ctx, 1<<40); err != nil {
		t.Errorf("no limit: %v", err)
	}
}
