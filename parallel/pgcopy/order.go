package pgcopy

import (
	"bytes"
	"context"
	"sync"

	"odx/parallel"
)

// heldPerJob bounds the pieces that wait for their turn, in bytes for each job.
const heldPerJob = 12 << 20

// lane is an order of stretches: those of one stream, or of all.
type lane struct {
	given  int              // turns given out; the plan's
	next   int              // whose turn it is
	done   map[int]*stretch // that are complete before their turn
	stream Stream           // nil between two; it belongs to whose turn it is
}

func newLane() *lane { return &lane{done: map[int]*stretch{}} }

// sequencer writes the pieces of stretches that are copied at the same time in
// the order of their turns.
type sequencer struct {
	ctx   context.Context
	sink  Sink
	bound int64 // of what is held
	stop  func() bool

	tables *parallel.Meter // counts tables that are complete

	mu    sync.Mutex
	moved sync.Cond // a turn has passed on, something held was written, or the context is done
	held  int64     // bytes
	open  map[Stream]bool
}

func newSequencer(ctx context.Context, o *Options) *sequencer {
	q := &sequencer{ctx: ctx, sink: o.Sink, bound: int64(o.Jobs) * heldPerJob, tables: o.Progress, open: map[Stream]bool{}}
	q.moved.L = &q.mu
	q.stop = context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.moved.Broadcast()
	})
	return q
}

// end aborts the streams that are not finished. Nobody may use the sequencer
// any more.
func (q *sequencer) end() {
	q.stop()
	for s := range q.open {
		s.Abort()
	}
}

// put writes a piece of a stretch if it has the turn, or else holds a copy of
// it, as soon as there is room.
func (q *sequencer) put(s *stretch, p Piece) error {
	if mine, err := q.hold(s, &p); !mine || err != nil {
		return err
	}
	if err := q.flush(s); err != nil {
		return err
	}
	return s.lane.stream.Append(p)
}

// hold waits for the turn of a stretch or for room to hold the piece.
func (q *sequencer) hold(s *stretch, p *Piece) (mine bool, err error) {
	size := int64(len(p.Data))
	q.mu.Lock()
	defer q.mu.Unlock()
	for s.lane.next != s.turn && q.held > 0 && q.held+size > q.bound {
		if q.ctx.Err() != nil {
			return false, context.Cause(q.ctx)
		}
		q.moved.Wait()
	}
	if q.ctx.Err() != nil {
		return false, context.Cause(q.ctx)
	}
	if s.lane.next == s.turn {
		return true, nil
	}
	q.held += size
	s.held = append(s.held, Piece{Data: bytes.Clone(p.Data), CRC: p.CRC, Length: p.Length})
	return false, nil
}

// flush begins the stream if the stretch is the first of it, and writes what is
// held. The stretch must have the turn.
func (q *sequencer) flush(s *stretch) (err error) {
	if s.lane.stream == nil {
		if err := q.begin(s); err != nil {
			return err
		}
	}
	var size int64
	for _, p := range s.held {
		if err := s.lane.stream.Append(p); err != nil {
			return err
		}
		size += int64(len(p.Data))
	}
	s.held = nil
	if size > 0 {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.held -= size
		q.moved.Broadcast()
	}
	return nil
}

func (q *sequencer) begin(s *stretch) (err error) {
	if s.table < 0 {
		s.lane.stream, err = q.sink.Object(s.object)
	} else {
		s.lane.stream, err = q.sink.Table(s.table)
	}
	if err != nil {
		s.lane.stream = nil
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open[s.lane.stream] = true
	return nil
}

// finish says that a stretch is complete. If it has the turn, its rest and all
// complete stretches after it are written, and the turn passes on.
func (q *sequencer) finish(s *stretch) error {
	if !q.mayPass(s) {
		return nil
	}
	for s != nil {
		if err := q.flush(s); err != nil {
			return err
		}
		if s.last {
			if err := q.finishStream(s); err != nil {
				return err
			}
		}
		s = q.pass(s.lane)
	}
	return nil
}

// mayPass tells whether the stretch has the turn. Otherwise it is left to who
// has it.
func (q *sequencer) mayPass(s *stretch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.lane.next == s.turn {
		return true
	}
	s.lane.done[s.turn] = s
	return false
}

func (q *sequencer) finishStream(s *stretch) error {
	stream := s.lane.stream
	s.lane.stream = nil
	q.mu.Lock()
	delete(q.open, stream)
	q.mu.Unlock()
	if s.table >= 0 {
		q.tables.Item()
	}
	return stream.Finish()
}

// pass gives the turn to the next stretch, and returns it if it is complete.
func (q *sequencer) pass(l *lane) *stretch {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.next++
	next := l.done[l.next]
	delete(l.done, l.next)
	q.moved.Broadcast()
	return next
}
