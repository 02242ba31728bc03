package restore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// publish puts filestore and database in place. The folder is renamed when
// the database lacks nothing but the commit.
func (r *run) publish(ctx context.Context) error {
	r.Progress.SetPhase("putting it in place")
	if r.files != nil {
		// So that little is left to be written inside the transaction.
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
			// The folder stays: a database may need it.
			return errors.Join(err, askErr, r.oldFilesAt())
		}
	}
	if err != nil {
		err = errors.Join(err, r.takeFilesBack())
	}
	return err
}

// transact does these steps in one transaction; the error of any undoes them
// all. An error that matches errUnsure leaves open whether the commit took
// place, which xid tells.
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
		if err := tx.QueryRow(ctx, "SELECT pg_catalog.txid_current()").Scan(&t.xid); err != nil {
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

// isPublished asks, in a new session, what became of the transaction. The server
// may still be at work on it: what it says is waited for.
func (r *run) isPublished() (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin, err := r.Server.Open(ctx, r.Maint, r.application())
	if err != nil {
		return false, err
	}
	defer admin.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var status string
		err := admin.Scan(ctx, fmt.Sprintf("SELECT pg_catalog.txid_status(%d)", r.target.xid), &status)
		if err != nil || status != "in progress" {
			return status == "committed", err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-tick.C:
		}
	}
}
