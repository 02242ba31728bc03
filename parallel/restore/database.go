package restore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// TempPrefix begins the name of every database under construction.
const TempPrefix = "odx-tmp-"

// target is the database under construction, seen from another database of
// the same server.
type target struct {
	admin *server.Session // connected to the maintenance database
	temp  string          // the name while it is under construction
	final string
	owner string
	xid   int64  // of the transaction that gives it its name
	oid   uint32 // of the database, as that transaction sees it
}

// tempName draws a name that tells what the database is.
func tempName() string {
	b := make([]byte, 6)
	rand.Read(b)
	return TempPrefix + hex.EncodeToString(b)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func literal(s string) string {
	if strings.Contains(s, `\`) {
		return ` E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + `'`
	}
	return `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
}

// create makes the database, hidden and closed. CREATE DATABASE cannot run in
// a transaction, so whoever fails after it calls drop.
func (t *target) create(ctx context.Context, l locale, record *Record) error {
	sql := fmt.Sprintf("%s OWNER %s TEMPLATE template0 ENCODING 'UTF8' %s IS_TEMPLATE true",
		creation(t.temp), quote(t.owner), l.clause())
	if err := t.admin.Exec(ctx, sql); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	if err := t.admin.Exec(ctx, fmt.Sprintf("REVOKE ALL ON DATABASE %s FROM PUBLIC", quote(t.temp))); err != nil {
		return fmt.Errorf("hide the new database: %w", err)
	}
	return t.note(ctx, record)
}

func creation(name string) string { return "CREATE DATABASE " + quote(name) }

// DropTemp removes a database under construction, or one that was replaced, and
// ends the sessions in it. Admin is connected to another database of the server.
func DropTemp(ctx context.Context, settings server.Settings, admin *server.Session, name string) error {
	if !strings.HasPrefix(name, TempPrefix) {
		return fmt.Errorf("odx: internal error: %q is no database under construction", name)
	}
	if err := endCreation(ctx, admin, name); err != nil {
		return err
	}
	exists, err := databaseExists(ctx, admin, name)
	if err != nil || !exists {
		return err
	}
	if err := dropSubscriptions(ctx, settings, admin, name); err != nil {
		return err
	}
	if err := closeTemp(ctx, admin, name); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		if err := terminateSessions(ctx, admin, name); err != nil {
			return err
		}
		err := admin.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name))
		if server.SQLState(err) != "55006" || time.Now().After(deadline) { // object_in_use
			return err
		}
	}
}

// endCreation ends a CREATE DATABASE that goes on although its client is gone, and
// waits for its end: until then the database is not there, and it could be
// afterwards.
func endCreation(ctx context.Context, admin *server.Session, name string) error {
	for {
		var ended []bool
		err := admin.Do(func(c *pgx.Conn) error {
			rows, err := c.Query(ctx, `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
				WHERE state = 'active' AND pid <> pg_catalog.pg_backend_pid() AND pg_catalog.pg_has_role(usesysid, 'USAGE')
				AND pg_catalog.left(query, pg_catalog.length($1)) = $1`, creation(name))
			if err != nil {
				return err
			}
			ended, err = pgx.CollectRows(rows, pgx.RowTo[bool])
			return err
		})
		if err != nil || len(ended) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// closeTemp lets nobody connect any more, and makes a template an ordinary
// database, which can be dropped. One whose DROP DATABASE was cut off (by a crash
// of the server, or a full disk) is closed already, and can only be dropped: it
// is marked by this limit of connections and ALTER DATABASE refuses it.
func closeTemp(ctx context.Context, admin *server.Session, name string) error {
	const invalid = -2 // DATCONNLIMIT_INVALID_DB
	var limit int
	err := admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = $1", name).Scan(&limit)
	})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && limit == invalid {
		return nil
	}
	if err != nil {
		return err
	}
	return admin.Exec(ctx, fmt.Sprintf("ALTER DATABASE %[1]s IS_TEMPLATE false; ALTER DATABASE %[1]s ALLOW_CONNECTIONS false", quote(name)))
}

// terminateSessions ends the sessions that this role may end; trying others
// is an error. DROP DATABASE itself ends autovacuum, which belongs to no role.
func terminateSessions(ctx context.Context, admin *server.Session, name string) error {
	return admin.Exec(ctx, `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
		WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid() AND pg_catalog.pg_has_role(usesysid, 'USAGE')`, name)
}

func databaseExists(ctx context.Context, admin *server.Session, name string) (exists bool, err error) {
	err = admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", name).Scan(&exists)
	})
	return exists, err
}

// Leftovers lists databases under construction, and replaced ones, that no odx
// works on: no client is connected to them (autovacuum is none), and no session
// of a restore says that it makes or drops them.
func Leftovers(ctx context.Context, admin *server.Session) ([]Unfinished, error) {
	list, err := underConstruction(ctx, admin)
	return slices.DeleteFunc(list, func(u Unfinished) bool { return u.used }), err
}

// power says whose is what only a superuser may do.
type power uint8

const (
	noSuperuser         power = iota // neither role is one
	superuserOwns                    // the owner is one and does everything
	superuserConnecting              // only the connecting role is one
)

// checkRoles makes sure that the connecting role can do what it is asked to.
func (t *target) checkRoles(ctx context.Context) (power, error) {
	var super, ownerSuper, create, exists, member bool
	var me string
	// To drop the database again, rights of ownership must be inherited; to
	// fill it, SET ROLE must be possible, for which 16 has a word of its own.
	isMember := "pg_catalog.pg_has_role(current_user, o.oid, 'USAGE')"
	if t.admin.Version >= 160000 {
		isMember += " AND pg_catalog.pg_has_role(current_user, o.oid, 'SET')"
	}
	err := t.admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `
			SELECT r.rolname, r.rolsuper, r.rolcreatedb OR r.rolsuper,
			       COALESCE((SELECT o.rolsuper FROM pg_catalog.pg_roles o WHERE o.rolname = $1), false),
			       EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1),
			       COALESCE((SELECT `+isMember+` FROM pg_catalog.pg_roles o WHERE o.rolname = $1), false)
			FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`, t.owner).Scan(&me, &super, &create, &ownerSuper, &exists, &member)
	})
	switch {
	case err != nil:
		return noSuperuser, fmt.Errorf("read the roles: %w", err)
	case !exists:
		return noSuperuser, &RoleError{Role: t.owner, Reason: "does not exist"}
	case !create:
		return noSuperuser, &RoleError{Role: me, Reason: "may not create databases"}
	case !member:
		return noSuperuser, &RoleError{Role: t.owner, Reason: fmt.Sprintf("is to own the database, and %s is no member of it that inherits its rights and may become it", me)}
	case ownerSuper:
		return superuserOwns, nil
	case super:
		return superuserConnecting, nil
	}
	return noSuperuser, nil
}

// RoleError is returned before any work when a role cannot do its part.
type RoleError struct{ Role, Reason string }

func (e *RoleError) Error() string { return fmt.Sprintf("role %q %s", e.Role, e.Reason) }

// LeftoverError is joined to the error of a restore that failed, or was
// interrupted, and could not remove the database under construction.
type LeftoverError struct {
	Database string
	Err      error
}

func (e *LeftoverError) Error() string {
	return fmt.Sprintf("database %q is left over and could not be removed (odx clean does it later; odx restore --resume %s goes on with it, if its tables were made): %v",
		e.Database, strings.TrimPrefix(e.Database, TempPrefix), e.Err)
}

// Unwrap gives what kept it from being removed.
func (e *LeftoverError) Unwrap() error { return e.Err }

// errUnsure says that the server did not answer the commit.
var errUnsure = errors.New("the server did not say whether the database got its name")

// ErrExists is returned before any work when the database or the filestore
// folder to be made exists.
var ErrExists = errors.New("exists already")
