package doctor

import (
	"context"
	"fmt"

	"odx/parallel/server"
)

// Locks names who holds, or waits for, a lock that keeps a dump from a table of
// the session's database: the dump waits for them. Prepared transactions hold
// theirs until somebody ends them.
func Locks(ctx context.Context, s *server.Session) (list []Finding, err error) {
	type holder struct {
		Who, Table string
		Granted    bool
		Age        int64
		GID        string // of a prepared transaction
		IsIdle     bool
	}
	holders, err := gather[holder](ctx, s, "read the locks", `
		SELECT COALESCE('pid ' || l.pid || `+ofSession+`, 'a prepared transaction of ' || p.owner, 'a prepared transaction'),
		       l.relation::regclass::text, l.granted,
		       COALESCE(extract(epoch FROM now() - COALESCE(a.xact_start, p.prepared)), 0)::bigint,
		       COALESCE(p.gid, ''), COALESCE(a.state LIKE 'idle in transaction%', false)
		FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		LEFT JOIN pg_catalog.pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid' AND x.virtualtransaction = l.virtualtransaction
		LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
		JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'S')
		WHERE l.mode = 'AccessExclusiveLock' AND l.relation >= 16384
		      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		ORDER BY 4 DESC, 1, 2 LIMIT 5`)
	if err != nil {
		return nil, err
	}
	for _, h := range holders {
		verb := "holds"
		if !h.Granted {
			verb = "waits for"
		}
		do := endSession
		idle := ""
		if h.IsIdle {
			idle = " that does nothing"
		}
		if h.GID != "" {
			do = endPrepared(h.GID)
		}
		list = append(list, Finding{Check: "locks", Severity: Warning, Do: do,
			Text: fmt.Sprintf("%s %s an exclusive lock on table %s, in a transaction of %d s%s: the dump has to wait for it", h.Who, verb, h.Table, h.Age, idle)})
	}
	return list, nil
}

// LockTable makes sure that the server's table of locks has room for one lock on
// every table.
func LockTable(ctx context.Context, s *server.Session) ([]Finding, error) {
	var tables, room int64
	err := s.Scan(ctx, `SELECT (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384),
		current_setting('max_locks_per_transaction')::bigint
		* (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)`, &tables, &room)
	if err != nil {
		return nil, fmt.Errorf("read the number of tables: %w", err)
	}
	if tables < room {
		return nil, nil
	}
	return []Finding{{Check: "locks", Severity: Warning,
		Text: fmt.Sprintf("the database has %d tables, which are locked all at once, and the server has room for about %d locks", tables, room),
		Do:   "raise max_locks_per_transaction"}}, nil
}
