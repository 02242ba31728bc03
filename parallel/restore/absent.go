package restore

import (
	"context"
	"errors"
	"fmt"
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
		if p.left[e.ID] || !isAboutAbsent(e, byID) {
			continue
		}
		refusal, err := try(ctx, s, e)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", entryName(e), err)
		case refusal == nil:
		case e.Desc == pgarchive.DescTableData && len(p.refused) > 0:
			return &ExtensionError{Name: strings.TrimPrefix(p.refused[0].Entry, "EXTENSION "), Err: fmt.Errorf("the dump has rows of its table %s: %w", e.Tag, refusal)}
		case e.Desc == pgarchive.DescTableData:
			return fmt.Errorf("table %s: %w: %w", e.Tag, ErrSuperuser, refusal)
		default:
			p.left[e.ID] = true
			r.report.LeftOut = append(r.report.LeftOut, Omission{Entry: entryName(e), Reason: fmt.Sprintf("the server refuses it (%s)", refusal.Message)})
		}
	}
	return nil
}

// isAboutAbsent tells whether an entry needs an object that no other entry makes.
func isAboutAbsent(e *pgarchive.Entry, byID map[pgarchive.DumpID]*pgarchive.Entry) bool {
	switch e.Desc {
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
