package pgcopy

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odx/parallel/server"
)

// sessionSettings are pg_dump's. The last one keeps queries from reading
// through views that somebody has put in a table's place, in servers that have
// it; what is below it is for stretches: rows must come in the order of pages.
const sessionSettings = `
SELECT pg_catalog.set_config('search_path', '', false);
SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3;
SET synchronize_seqscans = off; SET row_security = off;
SELECT pg_catalog.set_config(name, 'view, foreign-table', false)
	FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind';
SET max_parallel_workers_per_gather = 0;`

// openSession connects and imports the snapshot.
func (w *worker) openSession(ctx context.Context) (*server.Session, error) {
	s, err := w.Server.OpenReading(ctx, w.Database, w.Application, func(src io.Reader) io.Reader {
		w.messages = newMessages(src)
		return w.messages
	})
	if err != nil {
		return nil, err
	}
	// In one message they would be one transaction, whose snapshot is taken.
	for _, sql := range []string{
		sessionSettings + "SET client_encoding = " + literal(w.Encoding),
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		"SET TRANSACTION SNAPSHOT " + literal(w.Snapshot),
	} {
		if err = s.Exec(ctx, sql); err != nil {
			break
		}
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("import the snapshot: %w", err)
	}
	return s, nil
}

// literal quotes a text that has no backslash to speak of.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// copyRows copies a stretch of a table into out.
func (w *worker) copyRows(ctx context.Context, s *stretch, out *textWriter) error {
	t := &w.Tables[s.table]
	if s.first && w.Begin != nil {
		w.Begin(t)
	}
	var tag pgconn.CommandTag
	err := w.session.Do(func(c *pgx.Conn) (err error) {
		w.messages.text = out
		defer func() { w.messages.text = nil }()
		tag, err = c.PgConn().CopyTo(ctx, out, copyStatement(t, s))
		return err
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case server.SQLState(err) == "55P03":
		return fmt.Errorf("%w: %s: %w", ErrLockedOut, t.name(), err)
	case err != nil:
		return fmt.Errorf("copy table %s: %w", t.name(), err)
	}
	w.counts[s.table].rows.Add(tag.RowsAffected())
	w.counts[s.table].text.Add(out.all)
	if s.last {
		_, err = out.Write([]byte(EndOfRows))
	}
	return err
}

// copyStatement locks the table and copies a stretch of it, at one go. For
// stretches the planner has to take the scan of a range of pages.
func copyStatement(t *Table, s *stretch) string {
	name := pgx.Identifier{t.Schema, t.Name}.Sanitize()
	lock := "LOCK TABLE ONLY " + name + " IN ACCESS SHARE MODE NOWAIT; "
	columns := strings.TrimSuffix(strings.TrimPrefix(t.Columns, "("), ")")
	switch {
	case t.Filter != "":
		if columns == "" {
			columns = "*"
		}
		return lock + fmt.Sprintf("SET LOCAL enable_seqscan = on; COPY (SELECT %s FROM %s %s) TO STDOUT", columns, name, t.Filter)
	case !s.cut():
		return lock + fmt.Sprintf("COPY %s %s TO STDOUT", name, t.Columns)
	}
	where := fmt.Sprintf("ctid >= '(%d,0)'", s.from)
	if s.to > 0 {
		where += fmt.Sprintf(" AND ctid < '(%d,0)'", s.to)
	}
	return lock + fmt.Sprintf("SET LOCAL enable_seqscan = off; COPY (SELECT %s FROM ONLY %s WHERE %s) TO STDOUT", columns, name, where)
}

// objectRead is how much of a large object is asked for at once.
const objectRead = 1 << 20

// copyObject copies a large object into out.
func (w *worker) copyObject(ctx context.Context, oid uint32, out *textWriter) error {
	for offset := int64(0); ; {
		var data []byte
		err := w.session.Do(func(c *pgx.Conn) error {
			return c.QueryRow(ctx, "SELECT pg_catalog.lo_get($1, $2, $3)", oid, offset, int32(objectRead)).Scan(&data)
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("read large object %d: %w", oid, err)
		}
		if _, err := out.Write(data); err != nil {
			return err
		}
		if offset += int64(len(data)); len(data) < objectRead {
			return nil
		}
	}
}
