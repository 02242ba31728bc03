package convert

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// regression is a folder that .ci/regress made: dumps of PostgreSQL's own
// regression database, by the programs of one release.
type regression struct {
	dir, bin string
}

// regressKey is the key of \restrict in the folder's scripts.
const regressKey = "regression"

// eachRegression runs a test on each folder in ODX_TEST_REGRESS.
func eachRegression(t *testing.T, test func(*testing.T, regression)) {
	dirs := filepath.SplitList(os.Getenv("ODX_TEST_REGRESS"))
	if len(dirs) == 0 {
		t.Skip("ODX_TEST_REGRESS names no folder of .ci/regress")
	}
	for _, dir := range dirs {
		bin := strings.TrimSpace(string(readFile(t, filepath.Join(dir, "bindir"))))
		t.Run(filepath.Base(dir), func(t *testing.T) { test(t, regression{dir, bin}) })
	}
}

func (r regression) path(name string) string { return filepath.Join(r.dir, name) }

// tool runs one of the release's programs, and gives what it prints.
func (r regression) tool(t testing.TB, env []string, name string, args ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: filepath.Join(r.bin, name), Args: args,
		Env: append(append(os.Environ(), "TZ=UTC"), env...), Stdout: &out})
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out.Bytes()
}

// print gives pg_restore's script of an archive.
func (r regression) print(t testing.TB, archive string, options ...string) []byte {
	t.Helper()
	return r.tool(t, nil, "pg_restore", append([]string{"--restrict-key=" + regressKey, "-f", "-", archive}, options...)...)
}

// regressScripts names the folder's scripts and the options that they are made
// with.
var regressScripts = []struct {
	file    string
	options Options
	args    []string
}{
	{"restore.sql", Options{}, nil},
	{"restore-noowner.sql", Options{NoOwner: true}, []string{"--no-owner"}},
	{"restore-noprivileges.sql", Options{NoPrivileges: true}, []string{"--no-privileges"}},
}

// wantScripts prints an archive in all ways and wants the scripts that
// pg_restore made of pg_dump's archive.
func (r regression) wantScripts(t *testing.T, what, archive string) {
	t.Helper()
	for _, s := range regressScripts {
		o := s.options
		o.Source, o.Target, o.RestrictKey = archive, filepath.Join(t.TempDir(), "x.sql"), regressKey
		convert(t, o)
		wantSame(t, what+" to "+s.file, readFile(t, o.Target), readFile(t, r.path(s.file)))
	}
}

// TestRun_Regression converts dumps of PostgreSQL's regression database there
// and back.
func TestRun_Regression(t *testing.T) {
	eachRegression(t, func(t *testing.T, r regression) {
		for _, archive := range []string{"dir", "custom.dump"} {
			r.wantScripts(t, archive, r.path(archive))
			recoded := filepath.Join(t.TempDir(), "recoded")
			convert(t, Options{Source: r.path(archive), Target: recoded, Compression: compression(t, "gzip:1")})
			wantSame(t, archive+" recoded", r.print(t, recoded), readFile(t, r.path("restore.sql")))
		}
		for _, name := range []string{"plain.sql", "plain-noowner.sql"} {
			r.testRebuilt(t, name)
		}
	})
}

// testRebuilt makes an archive of a script, and scripts of the archive.
func (r regression) testRebuilt(t *testing.T, name string) {
	t.Helper()
	rebuilt, again := filepath.Join(t.TempDir(), "rebuilt"), filepath.Join(t.TempDir(), "again.sql")
	convert(t, Options{Source: r.path(name), Target: rebuilt, Compression: compression(t, "gzip:1")})
	want := readFile(t, r.path(name))
	wantSame(t, name+" rebuilt, pg_restore", r.print(t, rebuilt), want)
	convert(t, Options{Source: rebuilt, Target: again, RestrictKey: regressKey})
	wantSame(t, name+" rebuilt, printed", readFile(t, again), want)

	a := openPath(t, rebuilt)
	lines := bytes.Split(r.tool(t, nil, "pg_restore", "-l", rebuilt), []byte("\n"))
	listed := 0
	for _, line := range lines {
		if len(line) > 0 && line[0] != ';' {
			listed++
		}
	}
	if special := 3; listed != len(a.TOC.Entries)-special { // ENCODING and the like are not listed
		t.Errorf("%s rebuilt: pg_restore lists %d entries of %d", name, listed, len(a.TOC.Entries))
	}
	if name == "plain.sql" {
		r.wantScripts(t, "rebuilt", rebuilt)
	}
}

// restores is how often each archive is restored.
func restores(t testing.TB) int {
	t.Helper()
	text := os.Getenv("ODX_TEST_RESTORES")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ODX_TEST_RESTORES=%q is not a number of restores", text)
	}
	return n
}

// TestRun_RegressionRestore restores the rebuilt archive of the regression
// database in parallel and wants what a serial restore of pg_dump's archive
// gives. How often is in ODX_TEST_RESTORES; every tenth time it does so too with
// the entries shuffled, and with pg_dump's own archive, made safe and shuffled.
func TestRun_RegressionRestore(t *testing.T) {
	eachRegression(t, func(t *testing.T, r regression) {
		c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: r.bin, Locale: "C",
			Settings: map[string]string{"timezone": "UTC", "autovacuum": "off", "max_locks_per_transaction": "256"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		})
		r.tool(t, c.Env(), "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", r.path("globals.sql"))

		rebuilt := filepath.Join(t.TempDir(), "rebuilt")
		convert(t, Options{Source: r.path("plain.sql"), Target: rebuilt, Compression: compression(t, "gzip:1")})
		want := sortedRows(t, readFile(t, r.path("restored.sql")))
		for i := range restores(t) {
			r.wantRestored(t, c, fmt.Sprint("rebuilt, restore ", i), rebuilt, want)
			if i%10 == 0 {
				seed := uint64(i)
				r.wantRestored(t, c, fmt.Sprint("rebuilt, seed ", seed), changed(t, rebuilt, func(toc *pgarchive.TOC) { shuffle(toc, seed) }), want)
				r.wantRestored(t, c, fmt.Sprint("made safe, seed ", seed), changed(t, r.path("dir"), func(toc *pgarchive.TOC) {
					if pgarchive.SafeForParallel(toc) == 0 {
						t.Error("there was nothing to make safe")
					}
					shuffle(toc, seed)
				}), want)
			}
			if t.Failed() {
				return
			}
		}
	})
}

// wantRestored restores an archive into an empty database with eight jobs and
// wants pg_dump's text of it.
func (r regression) wantRestored(t *testing.T, c *pgcluster.Cluster, what, archive string, want []byte) {
	t.Helper()
	sql := func(text string) { r.tool(t, c.Env(), "psql", "-Xq", "-d", "postgres", "-c", text) }
	sql("CREATE DATABASE restored TEMPLATE template0")
	r.tool(t, c.Env(), "pg_restore", "--exit-on-error", "--jobs=8", "--dbname=restored", archive)
	got := r.tool(t, c.Env(), "pg_dump", "--restrict-key="+regressKey, "restored")
	wantSame(t, what, sortedRows(t, got), want)
	sql("DROP DATABASE restored")
}

// changed copies an archive and changes the copy's table of contents.
func changed(t *testing.T, from string, change func(*pgarchive.TOC)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "changed")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	rewriteTOC(t, dir, change)
	return dir
}

// sortedRows gives a script with the rows of each COPY block sorted, because
// those that several sessions load through the root of a partitioned table come
// in any order.
func sortedRows(t *testing.T, text []byte) []byte {
	t.Helper()
	var out, rows bytes.Buffer
	sc := sqlscript.NewScanner(bytes.NewReader(text), "")
	for {
		p, err := sc.Next()
		if err == io.EOF {
			return out.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Kind == sqlscript.Rows {
			rows.Write(p.Data)
			continue
		}
		lines := slices.SortedFunc(bytes.Lines(rows.Bytes()), bytes.Compare)
		for _, line := range lines {
			out.Write(line)
		}
		rows.Reset()
		out.Write(p.Data)
	}
}
