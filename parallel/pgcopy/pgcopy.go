package pgcopy

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"odx/parallel"
	"odx/parallel/server"
)

// Options say what is copied and how.
type Options struct {
	Server      server.Settings
	Database    string
	Application string // names the sessions
	Snapshot    string // exported by a session that stays until Run returns
	Encoding    string // client encoding of the sessions, as in the archive

	Tables   []Table
	Objects  []uint32 // OIDs of large objects, which come after the tables
	Compress Compression
	Jobs     int   // connections, at least 1
	Rate     int64 // bytes of text a second for all of them, 0 for no limit
	Stretch  int64 // bytes on disk that are copied at one go, 0 for DefaultStretch
	OneByOne bool  // one stream at a time, in the order given

	Sink     Sink
	Progress *parallel.Meter    // counts Table.Bytes, and tables as items
	Begin    func(table *Table) // called before the first rows of a table are asked for; may be nil
}

// Table is a table whose rows are copied. The texts are in the encoding of the
// sessions.
type Table struct {
	OID          uint32
	Schema, Name string
	Columns      string // "(a, b)" with names quoted where needed, "" for none
	Filter       string // "WHERE ...", or "" for all rows
	Bytes        int64  // on disk, TOAST included
	Pages        int64  // of the table without TOAST; 0 if it cannot be cut
}

// A Sink takes what is copied. Its methods are called from several goroutines.
type Sink interface {
	// Table begins the stream of Options.Tables[i].
	Table(i int) (Stream, error)
	// Object begins the stream of a large object.
	Object(oid uint32) (Stream, error)
}

// A Stream takes the pieces of one table or large object in order. Calls do not
// overlap. Either Finish or Abort is called once.
type Stream interface {
	// Append adds a piece, whose data are the caller's after it.
	Append(p Piece) error
	// Finish is called after the last piece.
	Finish() error
	// Abort is called instead when the work has failed.
	Abort()
}

// Piece is compressed text that can be joined to the pieces before it.
type Piece struct {
	Data   []byte
	CRC    uint32 // CRC-32 of the text, for gzip only
	Length int64  // of the text in bytes
}

// EndOfRows ends the text of each table, as pg_dump ends a data file.
const EndOfRows = "\\.\n\n\n"

// Count is what was copied of a table.
type Count struct {
	Rows int64
	Text int64 // bytes of COPY text, without EndOfRows
}

// ErrLockedOut is returned when a table could not be locked at once.
var ErrLockedOut = errors.New("somebody waits for a lock that excludes reading the table")

// run is the copying under way.
type run struct {
	Options
	plan   *plan
	order  *sequencer
	rate   *limiter
	counts []counter
}

// counter is a Count that several stretches add to.
type counter struct{ rows, text atomic.Int64 }

// Run copies everything and returns the counts of the tables, in their order.
// After an error every stream is finished or aborted. The end of the context
// interrupts reading and waiting; it ends the connections and what the server
// does for them.
func Run(ctx context.Context, o Options) ([]Count, error) {
	o.Jobs = max(o.Jobs, 1)
	if o.Progress == nil {
		o.Progress = &parallel.Meter{}
	}
	r := &run{Options: o, plan: newPlan(&o), rate: newLimiter(o.Rate), counts: make([]counter, len(o.Tables))}
	g, gctx := errgroup.WithContext(ctx)
	r.order = newSequencer(gctx, &o)
	for range o.Jobs {
		g.Go(func() error { return r.work(gctx) })
	}
	err := g.Wait()
	r.order.end()
	if err != nil {
		return nil, err
	}
	counts := make([]Count, len(r.counts))
	for i := range r.counts {
		counts[i] = Count{r.counts[i].rows.Load(), r.counts[i].text.Load()}
	}
	return counts, nil
}

// name gives a table's name for people.
func (t *Table) name() string { return fmt.Sprintf("%s.%s", t.Schema, t.Name) }
