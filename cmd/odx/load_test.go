package main

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"odx/parallel/dump"
)

// writeLoad works on a database as a busy Odoo does, and worse: attachments
// come and go, files are collected as garbage, tables are truncated, filled
// again and clustered.
type writeLoad struct {
	w        *world
	database string
	store    string

	inserted, collected, rewritten atomic.Int64
}

// run works until the context ends.
func (l *writeLoad) run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, work := range []func(context.Context, *pgx.Conn) error{l.attach, l.attach, l.detach, l.collect, l.rewrite} {
		g.Go(func() error {
			c, err := pgx.Connect(gctx, l.w.DSN(l.database))
			if err != nil {
				return err
			}
			defer c.Close(context.Background())
			for gctx.Err() == nil {
				if err := work(gctx, c); err != nil && gctx.Err() == nil && !isLockTimeout(err) {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func isLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// attach writes a file and then commits the row that names it. It has the
// table's lock before it writes: in Odoo, too, a collection between file and
// row would take the file away, and here it comes all the time.
func (l *writeLoad) attach(ctx context.Context, c *pgx.Conn) error {
	content := []byte(rand.Text())
	sum := sha1.Sum(content)
	name := hex.EncodeToString(sum[:])
	fname := name[:2] + "/" + name
	path := filepath.Join(l.store, fname)
	err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK ir_attachment IN ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum)
			VALUES ($1, 'binary', $2, $3, $1)`, name, fname, len(content))
		return err
	})
	l.inserted.Add(1)
	return err
}

// detach deletes rows, and leaves their files to the collection.
func (l *writeLoad) detach(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `DELETE FROM ir_attachment WHERE id IN (
		SELECT id FROM ir_attachment WHERE store_fname <> '' ORDER BY random() LIMIT 3)`)
	return err
}

// collect deletes the files that no row names, under the lock that Odoo takes.
func (l *writeLoad) collect(ctx context.Context, c *pgx.Conn) error {
	files, err := filepath.Glob(filepath.Join(l.store, "??", "*"))
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '300ms'; LOCK ir_attachment IN SHARE MODE"); err != nil {
			return err
		}
		for _, path := range files {
			rel, err := filepath.Rel(l.store, path)
			if err != nil {
				return err
			}
			var named bool
			if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ir_attachment WHERE store_fname = $1)", rel).Scan(&named); err != nil {
				return err
			}
			if !named {
				if err := os.Remove(path); err != nil {
					return err
				}
				l.collected.Add(1)
			}
		}
		return nil
	})
}

// rewrite replaces all rows of two tables in one transaction, and clusters one
// of them in another. It leaves gaps: pg_dump's workers give up when somebody
// waits for an exclusive lock, so no number of new tries would help against
// somebody who always does.
func (l *writeLoad) rewrite(ctx context.Context, c *pgx.Conn) error {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(mathrand.IntN(600)) * time.Millisecond):
	}
	generation := strconv.FormatInt(l.rewritten.Load()+1, 10)
	_, err := c.Exec(ctx, `SET lock_timeout = '200ms'; BEGIN; TRUNCATE twin_a, twin_b;
		INSERT INTO twin_a SELECT g, `+generation+` FROM generate_series(1, 500) g;
		INSERT INTO twin_b SELECT g, `+generation+` FROM generate_series(1, 500) g; COMMIT`)
	if err != nil {
		_, rollback := c.Exec(ctx, "ROLLBACK")
		return errors.Join(err, rollback)
	}
	l.rewritten.Add(1)
	_, err = c.Exec(ctx, "CLUSTER twin_a USING twin_a_pkey")
	return err
}

// TestDump_UnderLoad dumps a database that is being worked on. Every backup
// must be one point in time: all files there, both twins of one generation.
func TestDump_UnderLoad(t *testing.T) {
	w := sharedWorld(t)
	good := makeBackup(t, w)
	const database = "busy"
	w.drop(t, database)
	w.odx(t, "restore", good, database, "--data-dir", w.data, "--move", "--analyze=false").want(t, exitOK)
	w.exec(t, database, `CREATE TABLE twin_a (id int PRIMARY KEY, generation int);
		CREATE TABLE twin_b (id int PRIMARY KEY, generation int)`)
	l := &writeLoad{w: w, database: database, store: w.filestore(database)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load errgroup.Group
	load.Go(func() error { return l.run(ctx) })

	dir := t.TempDir()
	for round := range 4 {
		name := strconv.Itoa(round)
		var d dump.Report
		r := w.odx(t, "dump", database, filepath.Join(dir, name), "--data-dir", w.data, "--json", "--retries=9")
		r.want(t, exitOK)
		r.report(t, &d)
		if f := d.Record.Filestore; f.Missing+f.Damaged != 0 || f.GCGuard != "held" {
			t.Errorf("round %d: %+v", round, f)
		}
		w.wantConsistent(t, filepath.Join(dir, name))
	}
	stop()
	if err := load.Wait(); err != nil {
		t.Fatal(err)
	}
	if l.inserted.Load() == 0 || l.collected.Load() == 0 || l.rewritten.Load() == 0 {
		t.Errorf("the load did nothing: %d attached, %d collected, %d rewritten", l.inserted.Load(), l.collected.Load(), l.rewritten.Load())
	}
}

// wantConsistent restores a backup with PostgreSQL's own program and looks at
// what is in it.
func (w *world) wantConsistent(t *testing.T, backup string) {
	t.Helper()
	const database = "judge"
	w.exec(t, "postgres", "DROP DATABASE IF EXISTS judge")
	w.exec(t, "postgres", "CREATE DATABASE judge TEMPLATE template0")
	w.drop(t, database)
	w.tool(t, "pg_restore", "--jobs=2", "--no-owner", "--exit-on-error", "--dbname="+w.DSN(database), filepath.Join(backup, "dump"))
	c := w.connect(t, database)
	defer c.Close(t.Context())
	var a, b, generations int
	err := c.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM twin_a), (SELECT count(*) FROM twin_b),
		(SELECT count(DISTINCT generation) FROM (SELECT generation FROM twin_a UNION ALL SELECT generation FROM twin_b) x)`).Scan(&a, &b, &generations)
	if err != nil {
		t.Fatal(err)
	}
	if (a != 0 && a != 500) || a != b || generations > 1 {
		t.Errorf("not one point in time: %d and %d rows of %d generations", a, b, generations)
	}
	rows, err := c.Query(t.Context(), "SELECT store_fname, file_size FROM ir_attachment WHERE store_fname <> ''")
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var size int64
	_, err = pgx.ForEachRow(rows, []any{&name, &size}, func() error {
		info, err := os.Stat(filepath.Join(backup, "filestore", strings.ReplaceAll(name, "..", "")))
		if err != nil {
			t.Errorf("%v", err)
		} else if info.Size() != size {
			t.Errorf("%s has %d bytes, and the row says %d", name, info.Size(), size)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lockingPgDump is a pg_dump that has somebody ask for a table's exclusive
// lock first. The statement waits for odx, and whoever comes later for it.
const lockingPgDump = `#!/bin/sh
case " $* " in *" --version "*) exec BIN/pg_dump --version;; esac
if [ ! -e "$ONCE" ]; then
  : > "$ONCE"
  BIN/psql -X -q -d src -c 'BEGIN; LOCK TABLE res_partner IN ACCESS EXCLUSIVE MODE; COMMIT' &
  until [ "$(BIN/psql -X -At -d src -c "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")" != 0 ]; do :; done
fi
exec BIN/pg_dump "$@"
`

// TestDump_LockedOut has somebody lock pg_dump out. Without retries odx says
// so and leaves nothing; with them it lets the other through and starts again.
func TestDump_LockedOut(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "pg_dump"), []byte(strings.ReplaceAll(lockingPgDump, "BIN/", w.BinDir()+"/")), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		retries string
		code    int
		says    []string
	}{
		{"0", exitTool, []string{"locked out", "res_partner", "--retries"}},
		{"2", exitOK, []string{"locked out", "starting again"}},
	} {
		cmd := w.command(t.Context(), "dump", sourceDB, filepath.Join(dir, "backup"), "--data-dir", w.data, "--pg-bin", bin, "--retries", tc.retries)
		cmd.Env = append(cmd.Env, "ONCE="+filepath.Join(dir, "once"+tc.retries))
		finish(t, cmd).want(t, tc.code, tc.says...)
		if tc.code != exitOK {
			w.nothingLeft(t, dir)
		}
	}
}
