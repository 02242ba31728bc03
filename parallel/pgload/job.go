package pgload

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unsafe"

	"github.com/jackc/pgx/v5/pgconn"
)

// job is a piece of data for a worker. Its text may still be on its way.
type job struct {
	target Target
	offset int64 // of the text in the script, -1 if it is in none
	feeder *Feeder
	chunks chan chunk // the text in order; closed when that was all
	object *largeObject
}

// chunk is a part of a job's text.
type chunk struct {
	text []byte
	// used, if not nil, says that the text is no buffer of the feeder: it is
	// closed when the text has been read and, if it is statements, when they
	// have been run.
	used chan struct{}
}

// Target is what data are loaded into.
type Target struct {
	Name   string // for errors
	Copy   string // COPY ... FROM stdin; "" if the text is statements
	Empty  string // statement that empties the table; "" if there is none
	Role   string // statement that makes the session's role the one that may load; "" if any may
	Offset int64  // of the text in the script, -1 if it is in none
}

// load loads the job's text. With a statement that empties the table all of it
// is one transaction.
func (j *job) load(ctx context.Context, c *pgconn.PgConn) error {
	err := j.inTransaction(ctx, c)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // what ended it says more
	}
	if err != nil {
		return &Error{Name: j.target.Name, Offset: j.offset, Err: err}
	}
	return nil
}

func (j *job) inTransaction(ctx context.Context, c *pgconn.PgConn) error {
	if j.target.Empty == "" {
		return j.text(ctx, c)
	}
	if err := run(ctx, c, "BEGIN; "+j.target.Empty); err != nil {
		return err
	}
	if err := j.text(ctx, c); err != nil {
		return err
	}
	return run(ctx, c, "COMMIT")
}

func (j *job) text(ctx context.Context, c *pgconn.PgConn) error {
	if j.target.Copy != "" {
		_, err := c.CopyFrom(ctx, &chunkReader{ctx: ctx, job: j}, j.target.Copy)
		return err
	}
	for {
		part, err := j.next(ctx)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case j.object != nil:
			err = j.object.write(ctx, c, part.text)
		case part.used != nil:
			err = runLong(ctx, c, part.text)
		default:
			err = run(ctx, c, textOf(part.text))
		}
		if err != nil {
			return err
		}
		j.feeder.release(part)
	}
}

// next gives the next chunk, io.EOF after the last. The caller releases it.
func (j *job) next(ctx context.Context) (chunk, error) {
	select {
	case part, more := <-j.chunks:
		if !more {
			return chunk{}, io.EOF
		}
		return part, nil
	case <-ctx.Done():
		return chunk{}, context.Cause(ctx)
	}
}

// textOf gives statements as a string without copying them, which may be long.
// Nobody writes into the chunk before it is released.
func textOf(chunk []byte) string { return unsafe.String(unsafe.SliceData(chunk), len(chunk)) }

// run runs statements without parameters or results.
func run(ctx context.Context, c *pgconn.PgConn, sql string) error {
	return c.Exec(ctx, sql).Close()
}

// chunkReader reads a job's text. At its end the chunks are back with the
// feeder.
type chunkReader struct {
	ctx  context.Context
	job  *job
	part chunk
	rest []byte
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.part.text != nil {
			r.job.feeder.release(r.part)
			r.part = chunk{}
		}
		part, err := r.job.next(r.ctx)
		if err != nil {
			return 0, err
		}
		r.part, r.rest = part, part.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// QualifiedName gives a table's name as it stands in SQL.
func QualifiedName(schema, name string) string {
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	if schema == "" {
		return quote(name)
	}
	return fmt.Sprintf("%s.%s", quote(schema), quote(name))
}
