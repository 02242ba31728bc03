package pgarchive

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// pgRestore finds a pg_restore that reads the archive, or skips the test.
func pgRestore(t *testing.T, a *Archive) string {
	t.Helper()
	path := os.Getenv("PATH") + string(os.PathListSeparator) + os.Getenv("ODX_TEST_PG")
	tool, err := pgtool.Finder{Path: path}.PgRestore(t.Context(), a.NeedsMajor(), a.NeedsMajor())
	if missing := (*pgtool.NotFoundError)(nil); errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tool.Path
}

// run runs a program and gives what it prints.
func run(t testing.TB, env []string, tool string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: tool, Args: args, Env: env, Stdout: &out})
	if err != nil {
		t.Fatalf("%s %s: %v", filepath.Base(tool), strings.Join(args, " "), err)
	}
	return out.String()
}

// TestData_PgRestore holds the data of custom-format files against what
// pg_restore prints.
func TestData_PgRestore(t *testing.T) {
	for _, path := range customFiles(t) {
		t.Run(path, func(t *testing.T) {
			a := mustOpen(t, path)
			text := run(t, os.Environ(), pgRestore(t, a), "--data-only", "-f", "-", path)
			found := 0
			for i := range a.TOC.Entries {
				e := &a.TOC.Entries[i]
				if e.Desc != DescTableData {
					continue
				}
				found++
				if !strings.Contains(text, e.CopyStmt.String+string(readData(t, a, e))) {
					t.Errorf("%s: pg_restore has other data", e.describe())
				}
			}
			if found < 4 {
				t.Errorf("%d tables", found)
			}
		})
	}
}

// TestSafeForParallel_List has pg_restore read rewritten tables of contents.
func TestSafeForParallel_List(t *testing.T) {
	for _, from := range archiveDirs(t) {
		t.Run(from, func(t *testing.T) {
			dir := copyDir(t, from)
			a := mustOpen(t, dir)
			tool := pgRestore(t, a)
			want := run(t, os.Environ(), tool, "-l", dir)
			SafeForParallel(a.TOC)
			rewriteTOC(t, dir, a.TOC)
			if got := run(t, os.Environ(), tool, "-l", dir); got != want {
				t.Error("pg_restore -l prints another list")
			}
		})
	}
}

const triggerDatabase = `
CREATE FUNCTION nap() RETURNS boolean LANGUAGE sql AS $$SELECT pg_catalog.pg_sleep(1) IS NOT NULL$$;
CREATE TABLE slow (id integer);
INSERT INTO slow VALUES (1);
ALTER TABLE slow ADD CHECK (public.nap());
CREATE TABLE parted (id integer, note text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT i, 'restored' FROM generate_series(0, 19) i;
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.note := 'fired'; RETURN NEW; END$$;
CREATE TRIGGER mark BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION mark();
`

// TestSafeForParallel_Restore restores an archive in which the partitions are
// loaded after a table that takes a while, so that idle workers make the
// trigger first if nothing holds them back.
func TestSafeForParallel_Restore(t *testing.T) {
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{})
	if missing := (*pgtool.NotFoundError)(nil); errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	bin := func(name string) string { return filepath.Join(c.BinDir(), name) }
	psql := func(db, sql string) string {
		t.Helper()
		return run(t, c.Env(), bin("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", db, "-c", sql)
	}
	psql("postgres", "CREATE DATABASE source")
	psql("source", triggerDatabase)
	dir := filepath.Join(t.TempDir(), "dump")
	run(t, c.Env(), bin("pg_dump"), "-Fd", "-f", dir, "source")

	a := mustOpen(t, dir)
	slow := dataOf(t, a, "slow")
	for _, table := range []string{"parted_1", "parted_2"} {
		e := entryOf(t, a, DescTableData, table)
		e.Dependencies = append(e.Dependencies, slow)
	}
	fired := func(db string) string {
		t.Helper()
		rewriteTOC(t, dir, a.TOC)
		psql("postgres", "CREATE DATABASE "+db)
		run(t, c.Env(), bin("pg_restore"), "-j", "4", "-d", db, dir)
		return strings.TrimSpace(psql(db, "SELECT count(*) FILTER (WHERE note = 'fired'), count(*) FROM parted"))
	}
	if got := fired("unsafe"); got != "20|20" {
		t.Errorf("as pg_dump leaves it: %s, want the trigger to fire: the test shows nothing otherwise", got)
	}
	if got := SafeForParallel(a.TOC); got != 2 {
		t.Errorf("%d dependencies added, want 2", got)
	}
	if got := fired("safe"); got != "0|20" {
		t.Errorf("made safe: %s, want 0|20", got)
	}
}
