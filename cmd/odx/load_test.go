package main

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/parallel/dump"
)

// loadTime is the environment variable with how long the load lasts on each
// server. Without it there are a few dumps, all at full speed.
const loadTime = "ODX_TEST_LOAD_FOR"

// mostWait is how long a dump may hold up a writer: it looks every second whether
// somebody has waited for 15 s.
const mostWait = 20 * time.Second

// TestDump_UnderLoad dumps a database that is being worked on. Every backup
// must be one point in time: all files there that it does not call missing, both
// twins of one generation. Files may be missing only if the guard was given up.
func TestDump_UnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes; dumps beside other sessions are tested without it too")
	}
	length, err := time.ParseDuration(cmp.Or(os.Getenv(loadTime), "0s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bin := range serverBins() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			w, err := makeWorld(bin)
			if w != nil {
				t.Cleanup(func() {
					if err := errors.Join(w.Stop(), os.RemoveAll(w.data)); err != nil {
						t.Error(err)
					}
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			testUnderLoad(t, w, length)
		})
	}
}

func testUnderLoad(t *testing.T, w *world, length time.Duration) {
	w.exec(t, sourceDB, `CREATE TABLE twin_a (id int PRIMARY KEY, generation int);
		CREATE TABLE twin_b (id int PRIMARY KEY, generation int)`)
	l := &writeLoad{w: w, database: sourceDB, store: w.filestore(sourceDB)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load errgroup.Group
	load.Go(func() error { return l.run(ctx) })

	began, rounds, slow, givenUp, lost := time.Now(), 0, 0, 0, int64(0)
	for ; rounds < 4 || time.Since(began) < length; rounds++ {
		args := []string{"--data-dir", w.data, "--pg-bin", w.BinDir(), "--json", "--retries=9"}
		if length > 0 && rounds%4 == 3 { // long enough for the guard to be given up
			args, slow = append(args, "--rate=300kB"), slow+1
		}
		f := w.dumpAndJudge(t, args)
		lost += f.Missing
		if f.GCGuard != "held" {
			givenUp++
		}
	}
	stop()
	if err := load.Wait(); err != nil {
		t.Fatal(err)
	}
	longest := time.Duration(l.longest.Load())
	t.Logf("PostgreSQL %d: %d dumps in %s, %d of them slow; the guard was given up in %d, %d files missing and named; "+
		"%d attached, %d collected, %d rewritten, %d bare locks; a writer waited for %s at most",
		w.Major(), rounds, time.Since(began).Round(time.Second), slow, givenUp, lost,
		l.inserted.Load(), l.collected.Load(), l.rewritten.Load(), l.locked.Load(), longest)
	if l.inserted.Load() == 0 || l.collected.Load() == 0 || l.rewritten.Load() == 0 || l.locked.Load() == 0 {
		t.Error("the load did not do all of that")
	}
	if length > 0 && longest > mostWait {
		t.Errorf("a writer waited for %s", longest)
	}
}

// dumpAndJudge makes one dump, and removes it once it was judged.
func (w *world) dumpAndJudge(t *testing.T, args []string) *dumpfmt.FilestoreRecord {
	t.Helper()
	target := filepath.Join(t.TempDir(), "backup")
	var d dump.Report
	r := w.odx(t, append([]string{"dump", sourceDB, target}, args...)...)
	if r.code != exitOK && r.code != exitLosses {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	r.report(t, &d)
	f := d.Record.Filestore
	if f.Damaged != 0 || f.GCGuard == "held" && f.Missing != 0 || (f.Missing > 0) != (r.code == exitLosses) {
		t.Errorf("exit code %d: %+v", r.code, f)
	}
	if missing := w.wantConsistent(t, target); missing != f.Missing {
		t.Errorf("%d files are missing, and the dump says %d", missing, f.Missing)
	}
	if err := os.RemoveAll(target); err != nil {
		t.Fatal(err)
	}
	return f
}

// wantConsistent restores a backup with PostgreSQL's own program and looks at
// what is in it. It gives the number of files that are not there.
func (w *world) wantConsistent(t *testing.T, backup string) (missing int64) {
	t.Helper()
	const database = "judge"
	w.exec(t, "postgres", "DROP DATABASE IF EXISTS judge")
	w.exec(t, "postgres", "CREATE DATABASE judge TEMPLATE template0")
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
	rows, err := c.Query(t.Context(), "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname <> ''")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(backup, "filestore", filepath.Clean("/"+name)))
		switch sum := sha1.Sum(content); {
		case errors.Is(err, fs.ErrNotExist):
			missing++
		case err != nil:
			t.Error(err)
		case hex.EncodeToString(sum[:]) != filepath.Base(name):
			t.Errorf("%s has the SHA-1 %x", name, sum)
		}
	}
	return missing
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
