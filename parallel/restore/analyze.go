package restore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"odx/parallel/server"
)

// analyze gathers statistics of every table, the largest first, on several
// connections. Without it the first queries on the new database are slow.
func (r *run) analyze(ctx context.Context) error {
	var tables []string
	err := r.session.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT format('%I.%I', n.nspname, c.relname)
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
			  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
			ORDER BY pg_catalog.pg_relation_size(c.oid) DESC`)
		if err != nil {
			return err
		}
		tables, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return fmt.Errorf("list the tables to analyze: %w", err)
	}
	r.Progress.Objects.Start(int64(len(tables)))
	queue := make(chan string, len(tables))
	for _, t := range tables {
		queue <- t
	}
	close(queue)
	g, gctx := errgroup.WithContext(ctx)
	for range r.Jobs {
		g.Go(func() error { return r.analyzeFrom(gctx, queue) })
	}
	return g.Wait()
}

func (r *run) analyzeFrom(ctx context.Context, queue <-chan string) error {
	s, err := r.openTarget(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	for t := range queue {
		err := s.Exec(ctx, "ANALYZE "+t)
		switch {
		case err == nil:
		case server.SQLState(err) != "" && ctx.Err() == nil && s.Exec(ctx, "SELECT 1") == nil:
			// A foreign server that does not answer, statistics of an expression that
			// fails: the database is no less whole.
			r.warn("no statistics of %s: %v", t, err)
		default:
			return fmt.Errorf("analyze %s: %w", t, err)
		}
		r.Progress.Objects.Add(1)
	}
	return nil
}
