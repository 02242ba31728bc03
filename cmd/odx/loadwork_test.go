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
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// writeLoad works on a database as a busy Odoo does, and worse: attachments
// come and go, files are collected as garbage, tables are truncated, filled
// again and clustered.
type writeLoad struct {
	w        *world
	database string
	store    string

	inserted, detached, collected, rewritten, locked atomic.Int64
	longest                                          atomic.Int64 // ns that a writer of attachments has waited
}

// run works until the context ends.
func (l *writeLoad) run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, work := range []func(context.Context, *pgx.Conn) error{l.attach, l.attach, l.detach, l.collect, l.rewrite, l.lock} {
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
	pause(ctx, 20*time.Millisecond)
	began := time.Now()
	err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK ir_attachment IN ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		l.waited(time.Since(began))
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

// detach deletes a part of the rows, so that as many come as go, and leaves their
// files to the collection.
func (l *writeLoad) detach(ctx context.Context, c *pgx.Conn) error {
	pause(ctx, 40*time.Millisecond)
	began := time.Now()
	tag, err := c.Exec(ctx, "DELETE FROM ir_attachment WHERE store_fname <> '' AND random() < 0.002")
	if err == nil {
		l.waited(time.Since(began))
		l.detached.Add(tag.RowsAffected())
	}
	return err
}

// waited notes how long a writer has waited.
func (l *writeLoad) waited(d time.Duration) {
	for {
		most := l.longest.Load()
		if int64(d) <= most || l.longest.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

// lock waits for as long as it takes, as some add-ons do; whoever writes then
// waits behind it.
func (l *writeLoad) lock(ctx context.Context, c *pgx.Conn) error {
	pause(ctx, 2*time.Second)
	_, err := c.Exec(ctx, "BEGIN; LOCK ir_attachment IN SHARE MODE; COMMIT")
	if err == nil {
		l.locked.Add(1)
	}
	return err
}

// pause lets others work for a random time, up to the one given.
func pause(ctx context.Context, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(mathrand.N(most)):
	}
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
		rows, err := tx.Query(ctx, "SELECT store_fname FROM ir_attachment WHERE store_fname <> ''")
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		named := map[string]bool{}
		for _, name := range list {
			named[filepath.Join(l.store, name)] = true
		}
		for _, path := range files {
			if named[path] {
				continue
			}
			if err := os.Remove(path); err != nil {
				return err
			}
			l.collected.Add(1)
		}
		return nil
	})
}

// rewrite replaces all rows of two tables in one transaction, and clusters one
// of them in another. It leaves gaps: pg_dump's workers give up when somebody
// waits for an exclusive lock, so no number of new tries would help against
// somebody who always does.
func (l *writeLoad) rewrite(ctx context.Context, c *pgx.Conn) error {
	pause(ctx, 600*time.Millisecond)
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
