package odoo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errLockTimeout is what Odoo's garbage collection gives up with.
var errLockTimeout = errors.New("lock not available")

// collectGarbage does what ir.attachment's _gc_file_store does: under a SHARE
// lock that it awaits no longer than wait, it removes the files named in
// checklist/ that no attachment names, and their entries.
func collectGarbage(ctx context.Context, c *pgx.Conn, filestore string, wait time.Duration) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout TO %d", wait.Milliseconds())); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "LOCK ir_attachment IN SHARE MODE")
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" {
		return errLockTimeout
	}
	if err != nil {
		return err
	}
	checklist := filepath.Join(filestore, "checklist")
	err = filepath.WalkDir(checklist, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(checklist, path)
		if err != nil {
			return err
		}
		var used bool
		err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ir_attachment WHERE store_fname = $1)", filepath.ToSlash(name)).Scan(&used)
		if err != nil {
			return err
		}
		if !used {
			err = os.Remove(filepath.Join(filestore, name))
		}
		return errors.Join(err, os.Remove(path))
	})
	return errors.Join(err, tx.Commit(ctx))
}

// writeFile makes a file of a filestore and its entry in the checklist.
func writeFile(t *testing.T, filestore, name string) {
	t.Helper()
	for _, path := range []string{filepath.Join(filestore, name), filepath.Join(filestore, "checklist", name)} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// waitFor asks again and again, and fails the test after half a minute.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestGuard(t *testing.T) {
	holder := open(t, moduleTable)
	database := holder.Config().Database
	filestore := t.TempDir()
	writeFile(t, filestore, "ab/unused")
	writeFile(t, filestore, "cd/used")
	user := connect(t, database, "")
	execute(t, user, `INSERT INTO ir_attachment (store_fname) VALUES ('cd/used')`)

	guard, err := holder.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guard.Exec(t.Context(), GuardLock); err != nil {
		t.Fatal(err)
	}
	waiters := func() []string {
		list, err := GuardWaiters(t.Context(), guard)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}

	// Users go on, and a collection that comes too early gives up.
	execute(t, user, `INSERT INTO ir_attachment (store_fname) VALUES ('ef/new'); DELETE FROM ir_attachment WHERE store_fname = 'ef/new'`)
	if list := waiters(); len(list) > 0 {
		t.Errorf("waiters %q, want none", list)
	}
	collector := connect(t, database, "")
	execute(t, collector, `SET application_name = 'odoo-99'`)
	if err := collectGarbage(t.Context(), collector, filestore, 50*time.Millisecond); !errors.Is(err, errLockTimeout) {
		t.Errorf("the collection ended with %v, want a time-out", err)
	}
	if _, err := os.Stat(filepath.Join(filestore, "ab/unused")); err != nil {
		t.Errorf("the guarded file: %v", err)
	}

	// Somebody who waits is named; somebody who does not wait for us is not.
	result := make(chan error, 1)
	go func() { result <- collectGarbage(t.Context(), collector, filestore, time.Minute) }()
	waitFor(t, "a waiter", func() bool { return len(waiters()) > 0 })
	behind := connect(t, database, "")
	inserted := make(chan error, 1)
	go func() {
		_, err := behind.Exec(t.Context(), `INSERT INTO ir_attachment (store_fname) VALUES ('x')`)
		inserted <- err
	}()
	waitFor(t, "a writer behind the waiter", func() bool {
		return len(rowsOf(t, user, `SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'ir_attachment'::regclass`)) == 2
	})
	list := waiters()
	if len(list) != 1 || !strings.Contains(list[0], "odoo-99) wants ShareLock") {
		t.Errorf("waiters %q, want the collection alone", list)
	}
	if again := waiters(); !slices.Equal(list, again) {
		t.Errorf("the wait is called %q and %q", list, again)
	}

	// Given up, both go on.
	if err := guard.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-result, <-inserted); err != nil {
		t.Errorf("after the guard was given up: %v", err)
	}
	if _, err := os.Stat(filepath.Join(filestore, "ab/unused")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file that nothing names: %v, want it collected", err)
	}
	if _, err := os.Stat(filepath.Join(filestore, "cd/used")); err != nil {
		t.Errorf("the file in use: %v", err)
	}
}
