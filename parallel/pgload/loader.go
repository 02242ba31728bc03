package pgload

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odx/parallel/server"
)

// Options say how data are loaded.
type Options struct {
	// Ordered keeps the order of rows.
	Ordered bool
	// Open opens a session that may load the data, with the settings that the
	// dump wants. Each worker has one.
	Open func(context.Context) (*server.Session, error)
}

// Loader hands pieces from feeders to workers. When a worker or a feeder fails,
// the context of all of them must end: they share an errgroup.
type Loader struct {
	opts Options
	work chan *job
}

// queueLength is how many jobs may wait for a worker. What really bounds them is
// the feeders' buffers.
const queueLength = 64

// New makes a loader. Nothing is loaded before workers run.
func New(o Options) *Loader { return &Loader{opts: o, work: make(chan *job, queueLength)} }

// Close ends the workers when they have loaded what there is. It is called once,
// when all feeders are done.
func (l *Loader) Close() { close(l.work) }

// Work loads pieces over one connection, until Close or an error. An error of
// the server is an *Error.
func (l *Loader) Work(ctx context.Context) error {
	s, err := l.opts.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Do(func(c *pgx.Conn) error {
		role := ""
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case j, more := <-l.work:
				if !more {
					return nil
				}
				if to := j.target.Role; to != "" && to != role {
					if err := run(ctx, c.PgConn(), to); err != nil {
						return &Error{Name: j.target.Name, Offset: -1, Err: err}
					}
					role = to
				}
				if err := j.load(ctx, c.PgConn()); err != nil {
					return err
				}
			}
		}
	})
}

// submit hands a job to the next free worker.
func (l *Loader) submit(ctx context.Context, j *job) error {
	select {
	case l.work <- j:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Error is an error of the server about some of the data.
type Error struct {
	Name   string // what was loaded, such as "public.res_partner"
	Offset int64  // of the piece's text in the script; -1 if it is in none
	Err    error
}

func (e *Error) Error() string {
	where := ""
	if e.Offset >= 0 {
		where = fmt.Sprintf(" (from byte %d of the script)", e.Offset)
	}
	text := e.Err.Error()
	if pg := (*pgconn.PgError)(nil); errors.As(e.Err, &pg) && pg.Where != "" {
		text += "; " + pg.Where // counts from the piece's first row
	}
	return fmt.Sprintf("load %s%s: %s", e.Name, where, text)
}

// Unwrap gives the server's error.
func (e *Error) Unwrap() error { return e.Err }
