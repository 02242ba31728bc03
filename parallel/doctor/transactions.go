package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"odx/parallel/server"
)

// LongTransaction is when a transaction is taken for one that somebody has
// forgotten, or that is at work for a long time still.
const LongTransaction = 5 * time.Minute

// Transactions names those of the session's database that have lasted for longer.
// Vacuum removes nothing that they may still see, and a dump adds hours to that.
// What they lock in a way that stops the dump Locks tells.
func Transactions(ctx context.Context, s *server.Session, longer time.Duration) (list []Finding, err error) {
	type transaction struct {
		Who, GID string // GID is that of a prepared one
		IsIdle   bool
		Age      int64 // seconds
	}
	found, err := gather[transaction](ctx, s, "read the transactions", `
		SELECT 'pid ' || a.pid || `+ofSession+`, '',
		       COALESCE(state LIKE 'idle in transaction%', false), extract(epoch FROM clock_timestamp() - xact_start)::bigint AS age
		FROM pg_catalog.pg_stat_activity a
		WHERE datname = current_database() AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'
		      AND xact_start < clock_timestamp() - pg_catalog.make_interval(secs => $1)
		UNION ALL
		SELECT 'a prepared transaction of ' || owner, gid, true, extract(epoch FROM clock_timestamp() - prepared)::bigint
		FROM pg_catalog.pg_prepared_xacts
		WHERE database = current_database() AND prepared < clock_timestamp() - pg_catalog.make_interval(secs => $1)
		ORDER BY age DESC, 1 LIMIT 5`, longer.Seconds())
	if err != nil {
		return nil, err
	}
	for _, x := range found {
		// A session may be a long job; a prepared transaction never ends by itself.
		f := Finding{Check: "transactions", Severity: Note, Do: endSession}
		state := "is in a transaction"
		switch {
		case x.GID != "":
			f.Severity, f.Do, state = Warning, endPrepared(x.GID), "waits to be ended"
		case x.IsIdle:
			state = "sits idle in a transaction"
		}
		f.Text = fmt.Sprintf("%s %s, %d s old: vacuum removes nothing that it may see, nor, for as long as the dump takes, what the dump may see; "+
			"who asks for an exclusive lock on a table that it has used waits for it, and makes the dump wait", x.Who, state, x.Age)
		list = append(list, f)
	}
	return list, nil
}

// ofSession is the SQL that tells people whose session it is, of a row a of
// pg_stat_activity.
const ofSession = `' of ' || COALESCE(a.usename, '?') || COALESCE(' (' || NULLIF(a.application_name, '') || ')', '')`

// endSession says how to end a session's transaction.
const endSession = "wait until it has ended, or end it: SELECT pg_terminate_backend(pid)"

// endPrepared says how to end a prepared transaction.
func endPrepared(gid string) string {
	return fmt.Sprintf("end it with COMMIT PREPARED or ROLLBACK PREPARED '%s'", strings.ReplaceAll(gid, "'", "''"))
}
