package doctor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// Pooler finds a pooler that gives each transaction another session of the
// server, by two sessions of ours at once: locks, snapshots and settings do not
// last beyond a transaction there.
func Pooler(ctx context.Context, settings server.Settings, database, application string) ([]Finding, error) {
	isPooled, err := probePooler(ctx, settings, database, application)
	switch server.SQLState(err) {
	case "26000", "42P05": // a prepared statement is another session's
		isPooled, err = true, nil
	}
	if err != nil || !isPooled {
		return nil, err
	}
	return []Finding{{Check: "pooler", Severity: Blocking,
		Text: fmt.Sprintf("%s is a transaction pooler: what a session sets, locks or exports does not last there", settings.Address()),
		Do:   "connect to the server directly, not through the pooler: --host, --port"}}, nil
}

// probePooler has a second session hold a transaction open while the first one
// begins its next: a pooler has to give that another session of the server.
func probePooler(ctx context.Context, settings server.Settings, database, application string) (bool, error) {
	first, err := settings.Open(ctx, database, application)
	if err != nil {
		return false, err
	}
	defer first.Close()
	before, err := simple(ctx, first, "SELECT set_config('odx.doctor', 'set', false), pg_backend_pid()")
	if err != nil {
		return false, err
	}
	second, err := settings.Open(ctx, database, application)
	if err != nil {
		return false, err
	}
	defer second.Close()
	held, err := simple(ctx, second, "BEGIN; SELECT 'set', pg_backend_pid()")
	if err != nil {
		return false, err
	}
	after, err := simple(ctx, first, "SELECT coalesce(current_setting('odx.doctor', true), ''), pg_backend_pid()")
	return before != after || held == before, err
}

// simple runs statements in the simple protocol, which needs no prepared one, and
// gives the two values of the last as one text.
func simple(ctx context.Context, s *server.Session, sql string) (values string, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		results, err := c.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil {
			return err
		}
		if last := results[len(results)-1]; len(last.Rows) == 1 && len(last.Rows[0]) == 2 {
			values = string(last.Rows[0][0]) + " " + string(last.Rows[0][1])
		}
		return nil
	})
	return values, err
}
