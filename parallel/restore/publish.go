package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// publish puts filestore and database in place. The folder is renamed when
// the database lacks nothing but the commit.
func (r *run) publish(ctx context.Context) error {
	r.Progress.SetPhase("putting it in place")
	if r.files != nil {
		// Now, and not inside the transaction.
		if err := r.files.Sync(); err != nil {
			return fmt.Errorf("write the filestore to disk: %w", err)
		}
	}
	r.session.Close()
	if err := evict(ctx, r.target.admin, r.target.temp); err != nil { // somebody who looks around in it would be in the way
		return err
	}
	if err := r.beginPlacing(ctx); err != nil {
		return err
	}
	err := r.target.transact(ctx, r.moveOldDatabase, r.target.publish, r.restoreProperties, r.placeFiles)
	if errors.Is(err, errUnsure) {
		if named, askErr := r.isPublished(); named {
			return nil
		} else if askErr != nil {
			r.unsure = &UnsureError{Final: r.Database, Database: r.target.temp}
			if r.old.database && !r.KeepOld {
				r.unsure.Old = r.old.temp
			}
			r.step("unsure")
			return errors.Join(err, askErr, r.unsure, r.oldFilesAt())
		}
	}
	if err == nil {
		return nil
	}
	if backErr := r.takeFilesBack(); backErr != nil {
		return errors.Join(err, backErr)
	}
	if r.keep() != nil {
		r.endPlacing()
	}
	return err
}

// transact does these steps in one transaction; the error of any undoes them
// all. An error that matches errUnsure leaves open whether the commit took
// place; see isPublished.
func (t *target) transact(ctx context.Context, steps ...func(context.Context, pgx.Tx) error) error {
	return t.admin.Do(func(c *pgx.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx))
		// What is called restored must outlive a crash of the server, and the
		// filestore is in place already: a lost commit would part the two.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = on"); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT pg_catalog.txid_current(), COALESCE((SELECT oid FROM pg_catalog.pg_database WHERE datname = $1), 0)", t.temp).Scan(&t.xid, &t.oid); err != nil {
			return err
		}
		for _, step := range steps {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		if err := tx.Commit(ctx); err != nil {
			return fmt.Errorf("%w: %w", errUnsure, err)
		}
		return nil
	})
}

// publish gives the database its name and opens it, as far as its properties,
// which come after that, let it.
func (t *target) publish(ctx context.Context, tx pgx.Tx) error {
	name := quote(t.final)
	for _, sql := range []string{
		fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", quote(t.temp), name),
		fmt.Sprintf("ALTER DATABASE %s IS_TEMPLATE false", name),
		fmt.Sprintf("GRANT CONNECT, TEMPORARY ON DATABASE %s TO PUBLIC", name), // as a new one has it
		fmt.Sprintf("COMMENT ON DATABASE %s IS NULL", name),
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("rename the database: %w", err)
		}
	}
	return nil
}

// UnsureError is joined to the error of a restore of which nobody knows whether it
// took place: the server went away at the commit, and did not come back soon.
// Everything is left as it is, with the record that tells what belongs where.
type UnsureError struct {
	Final    string // name that the database has if it took place
	Database string // its name if it did not
	Old      string // then the name of the database that it has replaced; "" if there was none, or it is kept
}

func (e *UnsureError) Error() string {
	left := fmt.Sprintf("if there is a database %q, the restore has not taken place", e.Database)
	if e.Old != "" {
		left += fmt.Sprintf("; if there is %q, it has", e.Old)
	}
	return fmt.Sprintf("whether database %q is the restored one is not known, and all is left as it is: once the server is back, odx clean --yes puts the folders back or removes what was replaced (%s)",
		e.Final, left)
}

// isPublished asks, in new sessions, what became of the transaction. A server that
// crashed may not be back yet, or still be at work on it: that is waited for.
func (r *run) isPublished() (bool, error) {
	r.Progress.SetPhase("asking the server whether it is in place")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ended, name, err := r.outcome(ctx)
		if err == nil && ended {
			return name == r.target.final, nil
		}
		select {
		case <-ctx.Done():
			return false, cmp.Or(err, ctx.Err())
		case <-tick.C:
		}
	}
}

// outcome tells whether the transaction has ended, and the name of the database
// then. A crash may have lost all of it; its number belongs to another one then, or
// to none yet.
func (r *run) outcome(ctx context.Context) (ended bool, name string, err error) {
	admin, err := r.Server.Open(ctx, r.Maint, r.application())
	if err != nil {
		return false, "", err
	}
	defer admin.Close()
	var inProgress bool
	err = admin.Scan(ctx, fmt.Sprintf("SELECT COALESCE(pg_catalog.txid_status(%d) = 'in progress', false)", r.target.xid), &inProgress)
	if err != nil && server.SQLState(err) != "22023" || inProgress { // invalid_parameter_value: in the future
		return false, "", err
	}
	err = admin.Scan(ctx, fmt.Sprintf("SELECT datname FROM pg_catalog.pg_database WHERE oid = %d", r.target.oid), &name)
	return true, name, err
}
