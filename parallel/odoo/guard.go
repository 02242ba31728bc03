package odoo

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// GuardLock is the statement that keeps Odoo's garbage collection of files
// away, for as long as its transaction lasts. The collection
// (ir.attachment _gc_file_store, run by the daily autovacuum) deletes a file
// only under a SHARE lock on ir_attachment, which it awaits for 10 s, before Odoo 14
// for ever; the lock here conflicts with that one, and with nothing that Odoo's users
// do. While it is awaited they wait behind it: see GuardWaiters.
//
// It needs the right to write the table, and cannot be taken on a standby.
const GuardLock = `LOCK TABLE public.ir_attachment IN ROW EXCLUSIVE MODE`

// The four modes are those that conflict with ROW EXCLUSIVE. While one of them
// is awaited, every writer of attachments queues behind.
const selectGuardWaiters = `
SELECT pg_catalog.format('pid %s (%s, %s) wants %s', l.pid, coalesce(a.usename::text, '?'),
         coalesce(nullif(a.application_name, ''), 'no application name'), l.mode)
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE NOT l.granted AND l.locktype = 'relation'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.relation = 'public.ir_attachment'::pg_catalog.regclass
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids(l.pid))
ORDER BY l.pid`

// GuardWaiters names the sessions that wait for a lock on ir_attachment which
// the asking session keeps from them, such as "pid 4711 (odoo, odoo-4700)
// wants ShareLock". It is to be asked in the session that holds GuardLock.
// The text of one wait stays the same for as long as it lasts.
func GuardWaiters(ctx context.Context, q Querier) ([]string, error) {
	rows, err := q.Query(ctx, selectGuardWaiters)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
