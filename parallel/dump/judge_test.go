package dump

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// binDirs lists the machine's own server ("") and those of ODX_TEST_PG.
func binDirs() []string {
	return append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...)
}

// judge is a server whose own programs say what is right.
type judge struct {
	*pgcluster.Cluster
	t *testing.T
}

func newJudge(t *testing.T, binDir string) *judge {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: binDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &judge{c, t}
}

// tool runs one of the server's programs and gives what it prints.
func (j *judge) tool(name string, args ...string) []byte {
	j.t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(j.BinDir(), name), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		j.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func (j *judge) psql(database string, args ...string) {
	j.t.Helper()
	j.tool("psql", append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", j.DSN(database)}, args...)...)
}

// dump prepares a direct dump that cuts tables wherever it can.
func (j *judge) dump(database, compress string) *run {
	r := &run{Options: Options{
		Server: server.Settings{Params: server.Params{
			"host": j.Host(), "port": fmt.Sprint(j.Port()), "user": j.User(),
		}},
		Database: database, Target: filepath.Join(j.t.TempDir(), "backup"), Engine: EngineDirect,
		Environ: os.Environ(), Finder: pgtool.Finder{BinDir: j.BinDir()}, Jobs: 3, Compress: compress, Retries: 9,
	}, stretch: 8192}
	return r
}

// sequenceValue is what a snapshot does not cover.
var sequenceValue = regexp.MustCompile(`(?m)^SELECT pg_catalog\.setval\(.*$`)

// restrictKey is the random key of \restrict, in releases that have it.
var restrictKey = regexp.MustCompile(`(?m)^(\\(?:un)?restrict) .*$`)

func comparable(script []byte) []byte {
	script = sequenceValue.ReplaceAll(script, []byte("-- the value of a sequence"))
	return restrictKey.ReplaceAll(script, []byte("$1"))
}

// wantSame runs a dump and holds it against pg_dump's own of the same snapshot.
func (j *judge) wantSame(r *run) *Report {
	j.t.Helper()
	own := filepath.Join(j.t.TempDir(), "own")
	var script []byte
	hook := r.hook
	r.hook = func(step string) {
		if step == "snapshot read" {
			args := []string{"--snapshot=" + r.snapshot, "-d", j.DSN(r.Database)}
			for _, p := range r.ExcludeTableData {
				args = append(args, "--exclude-table-data="+p)
			}
			if err := os.RemoveAll(own); err != nil { // of an earlier attempt
				j.t.Error(err)
			}
			script = j.tool("pg_dump", args...)
			// Workers of its own would be locked out by who waits to drop a table.
			j.tool("pg_dump", append(args, "-Fd", "-Z1", "-f", own)...)
		}
		if hook != nil {
			hook(step)
		}
	}
	report, err := r.do(j.t.Context())
	if err != nil {
		j.t.Fatal(err)
	}
	archive := filepath.Join(r.Target, dumpfmt.ArchiveDir)
	got, want := comparable(j.tool("pg_restore", "-f", "-", archive)), comparable(script)
	if !bytes.Equal(got, want) {
		at := 0
		for at < len(got) && at < len(want) && got[at] == want[at] {
			at++
		}
		j.t.Errorf("the script is not pg_dump's, from byte %d on:\n%.300q\nwant\n%.300q", at, got[at:], want[at:])
	}
	j.wantSameTOC(archive, own)
	return report
}

// wantSameTOC compares two archives entry by entry, and checks the first.
func (j *judge) wantSameTOC(got, want string) {
	j.t.Helper()
	g, err := pgarchive.Open(got)
	if err != nil {
		j.t.Fatal(err)
	}
	w, err := pgarchive.Open(want)
	if err != nil {
		j.t.Fatal(err)
	}
	if len(g.TOC.Entries) != len(w.TOC.Entries) {
		j.t.Fatalf("%d entries, want %d", len(g.TOC.Entries), len(w.TOC.Entries))
	}
	for i := range g.TOC.Entries {
		ge, we := g.TOC.Entries[i], w.TOC.Entries[i]
		if ge.Desc == "SEQUENCE SET" {
			we.Defn = ge.Defn
		}
		if !reflect.DeepEqual(ge, we) {
			j.t.Errorf("entry %d is\n%+v\nwant\n%+v", i, ge, we)
		}
	}
	check, err := g.Check(j.t.Context(), pgarchive.CheckOptions{})
	if err != nil || len(check.Notes) > 0 {
		j.t.Errorf("check: %v, %v", err, check.Notes)
	}
}

const fixtures = "../../../shared/fixtures"

// TestDirect_Fixtures dumps databases with everything in them that pg_dump
// knows.
func TestDirect_Fixtures(t *testing.T) {
	if _, err := os.Stat(fixtures); err != nil {
		t.Skip("no shared fixtures")
	}
	for _, binDir := range binDirs() {
		t.Run(binDir, func(t *testing.T) {
			j := newJudge(t, binDir)
			j.psql("postgres", "-f", filepath.Join(fixtures, "kitchen.sql"))
			for _, n := range []int{15, 17, 18} {
				if j.Major() >= n {
					j.psql("kitchen", "-f", filepath.Join(fixtures, fmt.Sprintf("kitchen-%d.sql", n)))
				}
			}
			j.psql("postgres", "-f", filepath.Join(fixtures, "cellar.sql"))
			methods := []string{"gzip:1", "none"}
			if j.Major() >= 16 {
				methods = append(methods, "zstd:1")
			}
			for _, database := range []string{"kitchen", "cellar"} {
				for _, method := range methods {
					t.Run(database+" "+method, func(t *testing.T) {
						j := &judge{j.Cluster, t}
						j.wantSame(j.dump(database, method))
					})
				}
			}
		})
	}
}

const oddTables = `
CREATE SCHEMA "Od.d ""S*";
CREATE TABLE "Od.d ""S*"."T(a) FROM x" (id int PRIMARY KEY, "a, b) FROM stdin;" text, "select" int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO "Od.d ""S*"."T(a) FROM x" SELECT g, repeat('x', g % 700) || E'\\\t\n' FROM generate_series(1, 3000) g;
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE all_generated (a int GENERATED ALWAYS AS (1) STORED);
INSERT INTO all_generated DEFAULT VALUES;
CREATE TABLE empty (id int);
CREATE UNLOGGED TABLE unlogged AS SELECT g AS id FROM generate_series(1, 5000) g;
CREATE TABLE parent (id int, note text);
CREATE TABLE child (more int) INHERITS (parent);
INSERT INTO parent SELECT g, 'parent' FROM generate_series(1, 4000) g;
INSERT INTO child SELECT g, 'child', g FROM generate_series(1, 4000) g;
ALTER TABLE parent DROP COLUMN id; ALTER TABLE parent ADD COLUMN added timestamptz DEFAULT '2020-02-02 02:02:02+02';
CREATE TYPE kind AS ENUM ('a', 'b', 'c');
CREATE TABLE parted (k kind, v int) PARTITION BY HASH (k);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT (ARRAY['a', 'b', 'c'])[1 + g % 3]::kind, g FROM generate_series(1, 9000) g;
CREATE TABLE toasted (id int, big text);
ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL;
INSERT INTO toasted SELECT g, repeat(g::text, 30000) FROM generate_series(1, 60) g;
CREATE TABLE holes AS SELECT g AS id, repeat('y', 100) AS fill FROM generate_series(1, 20000) g;
CREATE INDEX ON holes (id);
DELETE FROM holes WHERE id % 7 <> 0; UPDATE holes SET fill = 'z' WHERE id % 3 = 0;
ANALYZE;
CREATE TABLE floats AS SELECT random() AS r, now() AS t, interval '1 day 2 hours' * g AS i, decode(md5(g::text), 'hex') AS b FROM generate_series(1, 3000) g;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM holes;
SELECT lo_from_bytea(g, convert_to(repeat(g::text, 5000 * (g - 100000) * (g - 100000) * (g - 100000) * (g - 100000)), 'UTF8')) FROM generate_series(100001, 100003) g;
SELECT lo_create(200001);
SELECT lo_put(200002, 9000, 'after a hole') FROM (SELECT lo_create(200002)) x;
`

// TestDirect_Odd dumps what is odd in names, columns, storage and large objects.
func TestDirect_Odd(t *testing.T) {
	for _, binDir := range binDirs() {
		t.Run(binDir, func(t *testing.T) {
			j := newJudge(t, binDir)
			j.psql("postgres", "-c", oddTables)
			r := j.dump("postgres", "gzip:1")
			report := j.wantSame(r)
			rows := map[string]int64{}
			for _, table := range report.Tables {
				rows[table.Name] = table.Rows
			}
			for name, want := range map[string]int64{"public.nothing": 2, "public.child": 4000, "public.toasted": 60, "public.empty": 0, `Od.d "S*.T(a) FROM x`: 3000} {
				if rows[name] != want {
					t.Errorf("%d rows of %s, want %d", rows[name], name, want)
				}
			}
			r = j.dump("postgres", "none")
			r.ExcludeTableData = []string{"par*", `"Od.d ""S*".*`}
			j.wantSame(r)
		})
	}
}

// TestDirect_SameBytes dumps with one connection and with several.
func TestDirect_SameBytes(t *testing.T) {
	j := newJudge(t, "")
	j.psql("postgres", "-c", oddTables)
	var files [][]dumpfmt.FileDigest
	for _, jobs := range []int{1, 2, 8} {
		r := j.dump("postgres", "gzip:1")
		r.Jobs = jobs
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, report.Record.Archive.DataFiles[1:]) // toc.dat has the time
	}
	if !reflect.DeepEqual(files[0], files[1]) || !reflect.DeepEqual(files[0], files[2]) {
		t.Errorf("the files differ with the number of connections")
	}
}

// TestDirect_Regression dumps PostgreSQL's own regression database, restored
// from the folders of ODX_TEST_REGRESS.
func TestDirect_Regression(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("ODX_TEST_REGRESS"))
	if len(dirs) == 0 {
		t.Skip("ODX_TEST_REGRESS names no regression database")
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			bin, err := os.ReadFile(filepath.Join(dir, "bindir"))
			if err != nil {
				t.Fatal(err)
			}
			j := newJudge(t, strings.TrimSpace(string(bin)))
			j.psql("postgres", "-f", filepath.Join(dir, "globals.sql"))
			j.psql("postgres", "-c", "CREATE DATABASE regression TEMPLATE template0")
			j.tool("pg_restore", "--exit-on-error", "-d", j.DSN("regression"), filepath.Join(dir, "dir"))
			j.wantSame(j.dump("regression", "gzip:1"))
		})
	}
}
