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
	"slices"
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

// loadDump is one way to dump under load.
type loadDump struct {
	name   string
	target string // name of the backup: what it is comes from that
	args   []string
	long   bool // takes long: not without loadTime
	gives  bool // is sure to give up the guard: the load always wants a lock soon
}

// loadDumps are made in turn. Files that are packed are guarded until the end; at
// this rate that is long after somebody has come to wait.
var loadDumps = []loadDump{
	{name: "folder", target: "backup"},
	{name: "zip by pg_dump", target: "backup.zip", args: []string{"--engine=pg_dump"}},
	{name: "zip, short wait", target: "backup.zip", args: []string{"--rate=2MB", "--gc-guard-wait=1ms"}, gives: true},
	{name: "zip", target: "backup.zip", long: true},
	{name: "slow folder", target: "backup", args: []string{"--rate=300kB"}, long: true},
	{name: "slow zip", target: "backup.zip", args: []string{"--rate=250kB"}, long: true, gives: true},
}

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

	began, done := time.Now(), map[string]int{}
	givenUp, lost := 0, int64(0)
	for round := 0; round < len(loadDumps) || time.Since(began) < length; round++ {
		d := loadDumps[round%len(loadDumps)]
		if d.long && length == 0 {
			continue
		}
		f := w.dumpAndJudge(t, d)
		done[d.name]++
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
	t.Logf("PostgreSQL %d: dumps in %s: %v; the guard was given up in %d, %d files missing and named; "+
		"%d attached, %d detached, %d collected, %d rewritten, %d bare locks; a writer waited for %s at most",
		w.Major(), time.Since(began).Round(time.Second), done, givenUp, lost,
		l.inserted.Load(), l.detached.Load(), l.collected.Load(), l.rewritten.Load(), l.locked.Load(), longest)
	if l.inserted.Load() == 0 || l.detached.Load() == 0 || l.collected.Load() == 0 || l.rewritten.Load() == 0 || l.locked.Load() == 0 {
		t.Error("the load did not do all of that")
	}
	if length > 0 && longest > mostWait {
		t.Errorf("a writer waited for %s", longest)
	}
}

// dumpAndJudge makes one dump, and removes it once it was judged.
func (w *world) dumpAndJudge(t *testing.T, by loadDump) *dumpfmt.FilestoreRecord {
	t.Helper()
	target := filepath.Join(t.TempDir(), by.target)
	var d dump.Report
	args := []string{"dump", sourceDB, target, "--data-dir", w.data, "--pg-bin", w.BinDir(), "--json", "--retries=9"}
	r := w.odx(t, append(args, by.args...)...)
	if r.code != exitOK && r.code != exitLosses {
		t.Fatalf("%s: exit code %d\n%s", by.name, r.code, r.stderr)
	}
	r.report(t, &d)
	f := d.Record.Filestore
	t.Logf("%s: %.1f s in %d attempts, guard %s, %d files missing", by.name, d.Seconds.Total, d.Attempts, f.GCGuard, f.Missing)
	if f.Damaged != 0 || f.GCGuard == "held" && f.Missing != 0 || (f.Missing > 0) != (r.code == exitLosses) {
		t.Errorf("%s: exit code %d: %+v", by.name, r.code, f)
	}
	if by.gives && (!strings.HasPrefix(f.GCGuard, "given up: pid ") || !strings.Contains(r.stderr, "checked at the end")) {
		t.Errorf("%s: the guard was %s; stderr:\n%s", by.name, f.GCGuard, r.stderr)
	}
	missing := w.wantConsistent(t, target)
	wantNamed(t, by, missing, f)
	if err := os.RemoveAll(target); err != nil {
		t.Fatal(err)
	}
	return f
}

// wantNamed has the report name the files that are not there. It may name others
// than these only of a zip: they were deleted between being packed and the check.
func wantNamed(t *testing.T, by loadDump, missing []string, f *dumpfmt.FilestoreRecord) {
	t.Helper()
	n := int64(len(missing))
	if n > f.Missing || n != f.Missing && by.target == "backup" {
		t.Errorf("%s: %d files are missing, and the dump says %d", by.name, n, f.Missing)
	}
	for _, name := range missing {
		if int64(len(f.Lost)) == f.Missing && !slices.Contains(f.Lost, name) { // else the list is cut short
			t.Errorf("%s: %s is missing, and the dump does not name it", by.name, name)
		}
	}
}

// wantConsistent restores a backup with PostgreSQL's own program and looks at
// what is in it. It gives the files that are not there.
func (w *world) wantConsistent(t *testing.T, backup string) (missing []string) {
	t.Helper()
	const database = "judge"
	w.exec(t, "postgres", "DROP DATABASE IF EXISTS judge")
	w.exec(t, "postgres", "CREATE DATABASE judge TEMPLATE template0")
	store := filepath.Join(backup, "filestore")
	if strings.HasSuffix(backup, ".zip") {
		store = t.TempDir()
		w.tool(t, "psql", "-X", "-q", "--set=ON_ERROR_STOP=1", "--file="+unpackZip(t, backup, store), w.DSN(database))
	} else {
		w.tool(t, "pg_restore", "--jobs=2", "--no-owner", "--exit-on-error", "--dbname="+w.DSN(database), filepath.Join(backup, "dump"))
	}
	c := w.connect(t, database)
	defer c.Close(t.Context())
	wantOnePoint(t, c)
	rows, err := c.Query(t.Context(), "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname <> ''")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(store, filepath.Clean("/"+name)))
		switch sum := sha1.Sum(content); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
		case err != nil:
			t.Error(err)
		case hex.EncodeToString(sum[:]) != filepath.Base(name):
			t.Errorf("%s has the SHA-1 %x", name, sum)
		}
	}
	if strings.HasSuffix(backup, ".zip") { // thousands of files, dump after dump
		if err := os.RemoveAll(store); err != nil {
			t.Fatal(err)
		}
	}
	return missing
}

// wantOnePoint has both twins be of one generation.
func wantOnePoint(t *testing.T, c *pgx.Conn) {
	t.Helper()
	var a, b, generations int
	err := c.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM twin_a), (SELECT count(*) FROM twin_b),
		(SELECT count(DISTINCT generation) FROM (SELECT generation FROM twin_a UNION ALL SELECT generation FROM twin_b) x)`).Scan(&a, &b, &generations)
	if err != nil {
		t.Fatal(err)
	}
	if (a != 0 && a != 500) || a != b || generations > 1 {
		t.Errorf("not one point in time: %d and %d rows of %d generations", a, b, generations)
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
func TestDump_LockedOut(t *testing.T) { onServers(t, testDumpLockedOut) }

func testDumpLockedOut(t *testing.T, w *world) {
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
