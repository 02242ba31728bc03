package restore

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/server"
)

const descViewData = "MATERIALIZED VIEW DATA"

// loadViews does a round of materialized views after pg_restore has failed with it. A
// view whose query fails, because another server that it asks does not answer for
// example, is left without rows and named: the database is no less whole. Unless the
// server refuses one, what made pg_restore fail is something else, and stands.
func (r *run) loadViews(ctx context.Context, i int, now round, failure error) error {
	s, err := r.openTarget(ctx)
	if err != nil {
		return failure
	}
	defer s.Close()
	// As pg_restore does it.
	if err := s.Exec(ctx, "SELECT pg_catalog.set_config('search_path', '', false); SET row_security = off; SET synchronous_commit = off"); err != nil {
		return failure
	}
	byID := r.source.toc.ByID()
	refused := 0
	var others []pgarchive.DumpID
	for _, id := range now.entries {
		e := byID[id]
		if e.Desc != descViewData {
			others = append(others, id)
			continue
		}
		switch err := s.Exec(ctx, e.Defn.String); {
		case err == nil:
		case isOfQuery(server.SQLState(err)) && ctx.Err() == nil && s.Exec(ctx, "SELECT 1") == nil:
			refused++
			r.report.LeftOut = append(r.report.LeftOut, Omission{Entry: entryName(e), Reason: err.Error()})
			r.warn("%s has no rows, refresh it when that can be done: %v", entryName(e), err)
		default:
			return failure
		}
	}
	if refused == 0 {
		return failure
	}
	if len(others) == 0 {
		return nil
	}
	now.entries = others
	path := filepath.Join(r.work.Path(), fmt.Sprintf("views-%d.list", i))
	if err := writeList(path, others); err != nil {
		return fmt.Errorf("write the list of entries: %w", err)
	}
	return r.pgRestore(ctx, i, now, true, path)
}

// isOfQuery tells whether a server's refusal may be the query's own: no lack of disk,
// memory or connections, no intervention, no deadlock, nothing broken.
func isOfQuery(state string) bool {
	return state != "" && !slices.ContainsFunc([]string{"40", "53", "57", "58", "F0", "XX"}, func(class string) bool { return strings.HasPrefix(state, class) })
}
