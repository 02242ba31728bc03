package restore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// InUseError is returned before anything is made when another odx restores into
// a database of the same name.
type InUseError struct {
	Database string
	By       string // application_name of the other's session, with its process
	PID      int    // of the server's process
	Since    string // the session's age; "" if this role may not see it
}

func (e *InUseError) Error() string {
	text := fmt.Sprintf("database %q is being restored by another odx: session %d (%s)", e.Database, e.PID, e.By)
	if e.Since != "" {
		text += " since " + e.Since
	}
	return text
}

// claimPatience is how long a claim is waited for; overridden in tests.
var claimPatience = 2 * time.Second

// claimKey is the advisory lock of who makes or removes a database of that name.
func claimKey(database string) int64 {
	sum := sha256.Sum256([]byte("odx restore " + database))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// claim makes sure that no other odx works on a database of this name, for as
// long as the session lives. The advisory lock holds among those who use the same
// maintenance database; what others make is seen by the records of the databases
// under construction.
func claim(ctx context.Context, admin *server.Session, database, own string) error {
	key := claimKey(database)
	// The session of one that has just ended may take a moment to go.
	for end := time.Now().Add(claimPatience); ; {
		var got bool
		if err := admin.Scan(ctx, fmt.Sprintf("SELECT pg_catalog.pg_try_advisory_lock(%d)", key), &got); err != nil {
			return fmt.Errorf("claim the name of the database: %w", err)
		}
		if got {
			break
		}
		if time.Now().After(end) {
			return holder(ctx, admin, database, key)
		}
		if err := admin.Exec(ctx, "SELECT pg_catalog.pg_sleep(0.05)"); err != nil {
			return err
		}
	}
	list, err := underConstruction(ctx, admin)
	for _, u := range list {
		if u.by != "" && u.Name != own && u.Record != nil && u.Record.Database == database {
			err = &InUseError{Database: database, By: u.by, PID: u.pid, Since: u.since}
		}
	}
	if err != nil {
		return errors.Join(err, release(context.WithoutCancel(ctx), admin, database))
	}
	return nil
}

// release gives a claim back.
func release(ctx context.Context, admin *server.Session, database string) error {
	return admin.Exec(ctx, fmt.Sprintf("SELECT pg_catalog.pg_advisory_unlock(%d)", claimKey(database)))
}

// holder names who has an advisory lock.
func holder(ctx context.Context, admin *server.Session, database string, key int64) error {
	e := &InUseError{Database: database, By: "it has just ended"}
	err := admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT a.pid, `+whoAndSince+`
			FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
			WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
			  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
			  AND (l.classid::bigint << 32) | l.objid::bigint = $1`, key).Scan(&e.PID, &e.By, &e.Since)
	})
	if err != nil && err != pgx.ErrNoRows {
		return fmt.Errorf("look who restores database %q: %w", database, err)
	}
	return e
}

// whoAndSince describes a session of pg_stat_activity a.
const whoAndSince = `pg_catalog.concat_ws(', ', NULLIF(a.application_name, ''), 'role ' || a.usename, 'from ' || pg_catalog.host(a.client_addr)),
	COALESCE(pg_catalog.to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), '')`

// process names this process for others, in ASCII.
func process() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("pid %d on %s", os.Getpid(), strings.ToValidUTF8(host, "?"))
}

// announce is the application name of the session that holds the claim: it says
// which process that is, as far as the name is long enough.
func (r *run) announce() string {
	name := r.application() + " " + process()
	return strings.ToValidUTF8(name[:min(len(name), maxName)], "")
}

// now is the time as records have it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
