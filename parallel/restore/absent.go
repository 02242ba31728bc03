package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgload"
	"odx/parallel/server"
)

// leaveAbsent takes off the list what is about objects that are not in the
// archive, since an extension makes them or initdb, and that the server refuses:
// without the extension the object is not there, and without a superuser it may
// not be the role's. Told only at the end of the load, that would cost all of it.
// It is an error if rows would be left out.
func (r *run) leaveAbsent(ctx context.Context, s *server.Session, p *plan) error {
	if len(p.refused) == 0 && r.power != noSuperuser {
		return nil
	}
	if r.power != superuserConnecting {
		owner, err := r.openTarget(ctx)
		if err != nil {
			return err
		}
		defer owner.Close()
		s = owner
	}
	toc := r.source.toc
	byID := toc.ByID()
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if p.left[e.ID] || !isAboutAbsent(e, byID) || e.Desc == pgarchive.DescTableData && !r.knowsNeeds() { // which is loaded by now
			continue
		}
		refusal, err := try(ctx, s, e)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", entryName(e), err)
		case refusal == nil:
		case e.Desc == pgarchive.DescTableData:
			if err := r.leaveRows(e, p, refusal); err != nil {
				return err
			}
		default:
			p.left[e.ID] = true
			r.report.LeftOut = append(r.report.LeftOut, Omission{Entry: entryName(e), Reason: fmt.Sprintf("%s (%s)", refusedIt, refusal.Message)})
		}
	}
	return nil
}

// leaveRows takes the rows of a table off the list that the server refuses. pg_dump has
// an entry for them where there are none, too: such is spatial_ref_sys of PostGIS.
func (r *run) leaveRows(e *pgarchive.Entry, p *plan, refusal *pgconn.PgError) error {
	hasRows, err := r.source.hasRows(e)
	switch {
	case err != nil:
		return err
	case !hasRows:
	case len(p.refused) > 0:
		return &ExtensionError{Name: strings.TrimPrefix(p.refused[0].Entry, "EXTENSION "), Err: fmt.Errorf("the dump has rows of its table %s: %w", e.Tag, refusal)}
	default:
		return fmt.Errorf("table %s: %w: %w", e.Tag, ErrSuperuser, refusal)
	}
	p.left[e.ID] = true
	return nil
}

// hasRows tells whether an entry of a table's rows has any.
func (s *source) hasRows(e *pgarchive.Entry) (bool, error) {
	if s.archive == nil {
		return slices.ContainsFunc(s.script.places, func(t tablePlace) bool { return t.entry.ID == e.ID && t.place.TextLength() > int64(len(noRows)) }), nil
	}
	text, err := s.archive.Text(e)
	if err != nil {
		return false, err
	}
	begin := make([]byte, len(noRows))
	_, err = io.ReadFull(text, begin)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return string(begin) != noRows, errors.Join(err, text.Close())
}

// noRows is the text of a table that has none.
const noRows = "\\.\n\n\n"

// leaveLabels takes security labels off the list whose provider the new database does
// not have: it is a library that the source's sessions had loaded.
func (r *run) leaveLabels(ctx context.Context, s *server.Session, p *plan) error {
	refusals := map[string]*pgconn.PgError{}
	for i := range r.source.toc.Entries {
		e := &r.source.toc.Entries[i]
		w := firstWords(e.Defn.String, 4)
		if e.Desc != "SECURITY LABEL" || p.left[e.ID] || !matches(w, "SECURITY", "LABEL", "FOR", "") {
			continue
		}
		refusal, known := refusals[w[3]]
		if !known {
			var err error
			if refusal, err = trySQL(ctx, s, "SECURITY LABEL FOR "+w[3]+" ON DATABASE "+quote(r.target.temp)+" IS NULL"); err != nil {
				return fmt.Errorf("%s: %w", entryName(e), err)
			}
			refusals[w[3]] = refusal
		}
		if refusal != nil && refusal.Code == "22023" { // no such provider
			p.left[e.ID] = true
			r.report.LeftOut = append(r.report.LeftOut, Omission{Entry: entryName(e), Reason: fmt.Sprintf("%s (%s)", refusedIt, refusal.Message)})
		}
	}
	return nil
}

// isAboutAbsent tells whether an entry needs an object that no other entry makes.
func isAboutAbsent(e *pgarchive.Entry, byID map[pgarchive.DumpID]*pgarchive.Entry) bool {
	switch e.Desc {
	case "COMMENT": // before 15 the schema is the first superuser's
		return e.Tag == "SCHEMA public"
	case "ACL", "SECURITY LABEL", "POLICY", "ROW SECURITY", pgarchive.DescTableData, "SEQUENCE SET":
	default:
		return false
	}
	if strings.HasPrefix(e.Tag, "DATABASE ") || strings.HasPrefix(e.Tag, "LARGE OBJECT") {
		return false
	}
	return !slices.ContainsFunc(e.Dependencies, func(id pgarchive.DumpID) bool { return byID[id] != nil })
}

// try gives the server's refusal of an entry. Nothing stays of it: a transaction is
// rolled back, and what does not follow those is only planned.
func try(ctx context.Context, s *server.Session, e *pgarchive.Entry) (refusal *pgconn.PgError, err error) {
	sql := e.Defn.String
	switch e.Desc {
	case pgarchive.DescTableData:
		sql = "EXPLAIN INSERT INTO " + pgload.QualifiedName(e.Namespace.String, e.Tag) + " DEFAULT VALUES"
	case "SEQUENCE SET":
		sql = "EXPLAIN " + sql
	}
	return trySQL(ctx, s, sql)
}

// trySQL gives the server's refusal of a statement, and rolls it back.
func trySQL(ctx context.Context, s *server.Session, sql string) (refusal *pgconn.PgError, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sql)
		if errors.As(err, &refusal) {
			err = nil
		}
		return errors.Join(err, tx.Rollback(ctx))
	})
	return refusal, err
}
