package restore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// dropSubscriptions removes the subscriptions of a database under
// construction, which would keep it from being dropped. They were never
// connected, so the publisher has nothing to be told.
func dropSubscriptions(ctx context.Context, settings server.Settings, admin *server.Session, database string) error {
	var names []string
	err := admin.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT s.subname FROM pg_catalog.pg_subscription s
			JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1`, database)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || len(names) == 0 {
		return err
	}
	s, err := settings.Open(ctx, database, "odx restore "+database)
	if err != nil {
		return err
	}
	defer s.Close()
	// The database's own event triggers are not to fire, nor its settings to
	// hold this up.
	if err := s.Exec(ctx, "SET session_replication_role = replica; SET default_transaction_read_only = off"); err != nil {
		return err
	}
	for _, name := range names {
		for _, sql := range []string{"ALTER SUBSCRIPTION %s DISABLE", "ALTER SUBSCRIPTION %s SET (slot_name = NONE)", "DROP SUBSCRIPTION %s"} {
			if err := s.Exec(ctx, fmt.Sprintf(sql, quote(name))); err != nil {
				return fmt.Errorf("drop subscription %q: %w", name, err)
			}
		}
	}
	return nil
}
