package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// servers gives the folders of programs of the machine ("") and of
// ODX_TEST_PG.
func servers() []string {
	return append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...)
}

// restorers gives a pg_restore of each major release that is there.
var restorers = sync.OnceValues(func() (map[int]pgtool.Tool, error) {
	tools := make(map[int]pgtool.Tool)
	for _, dir := range servers() {
		finder := pgtool.Finder{BinDir: dir}
		if dir == "" {
			finder.Path = os.Getenv("PATH")
		}
		all, err := finder.All(context.Background(), "pg_restore")
		if err != nil {
			return nil, err
		}
		for _, tool := range all {
			if _, ok := tools[tool.Version.Major]; !ok {
				tools[tool.Version.Major] = tool
			}
		}
	}
	return tools, nil
})

// restorer finds the pg_restore of the release that made an archive, or skips
// the test.
func restorer(t *testing.T, a *pgarchive.Archive) pgtool.Tool {
	t.Helper()
	tools, err := restorers()
	if err != nil {
		t.Fatal(err)
	}
	major := releaseOf(&a.TOC.Header).major
	tool, ok := tools[major]
	if !ok {
		t.Skipf("no pg_restore %d", major)
	}
	return tool
}

func run(t *testing.T, env []string, tool string, args ...string) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: tool, Args: args, Env: append(os.Environ(), env...), Stdout: &out})
	return out.Bytes(), err
}

func mustRun(t *testing.T, env []string, tool string, args ...string) []byte {
	t.Helper()
	out, err := run(t, env, tool, args...)
	if err != nil {
		t.Fatalf("%s %s: %v", filepath.Base(tool), strings.Join(args, " "), err)
	}
	return out
}

// variant is options of a script and those of pg_restore that go with them.
type variant struct {
	opts Options
	args []string
}

var variants = []variant{
	{Options{}, nil},
	{Options{NoOwner: true}, []string{"--no-owner"}},
	{Options{NoPrivileges: true}, []string{"--no-privileges"}},
	{Options{NoOwner: true, NoPrivileges: true}, []string{"--no-owner", "--no-privileges"}},
}

// restoreArgs gives the arguments of pg_restore for a script with the
// fixtures' key.
func restoreArgs(tool pgtool.Tool, path string, more ...string) []string {
	args := append([]string{"-f", "-", path}, more...)
	if (release{tool.Version.Major, tool.Version.Minor}).hasRestrict() {
		args = append(args, "--restrict-key="+fixtureKey)
	}
	return args
}

// unrestricted takes \restrict and \unrestrict out where only one of archive
// and pg_restore is of a minor release that has them.
func unrestricted(tool pgtool.Tool, a *pgarchive.Archive, script []byte) []byte {
	if (release{tool.Version.Major, tool.Version.Minor}).hasRestrict() == releaseOf(&a.TOC.Header).hasRestrict() {
		return script
	}
	for _, line := range []string{`\restrict `, `\unrestrict `} {
		script = bytes.Replace(script, []byte("\n"+line+fixtureKey+"\n\n"), []byte("\n"), 1)
	}
	return script
}

// compareWithRestore prints an archive and holds the scripts against those of
// pg_restore.
func compareWithRestore(t *testing.T, name string, a *pgarchive.Archive, variants ...variant) {
	t.Helper()
	tool := restorer(t, a)
	for _, v := range variants {
		v.opts.RestrictKey = fixtureKey
		want := mustRun(t, nil, tool.Path, restoreArgs(tool, a.Path(), v.args...)...)
		got := printed(t, a, v.opts)
		wantSame(t, fmt.Sprint(name, v.args), unrestricted(tool, a, got), unrestricted(tool, a, want))
	}
}

// archives gives the archives in pgarchive's testdata and those of the shared
// fixtures.
func archives(t testing.TB) []string {
	t.Helper()
	var paths []string
	for _, root := range []string{"../pgarchive/testdata", "testdata", sharedFixtures} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.Name() == "toc.dat":
				paths = append(paths, filepath.Dir(path))
			case strings.HasSuffix(path, ".dump"):
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil && (root != sharedFixtures || !errors.Is(err, fs.ErrNotExist)) {
			t.Fatal(err)
		}
	}
	if len(paths) < 15 {
		t.Fatalf("only %d archives in testdata", len(paths))
	}
	return paths
}

func TestPrint_PgRestore(t *testing.T) {
	for _, path := range archives(t) {
		t.Run(path, func(t *testing.T) { compareWithRestore(t, path, mustOpen(t, path), variants...) })
	}
}

// nasty are names and texts that are printed in some special way, or nearly.
var nasty = []pgarchive.NullString{
	{}, {}, pgarchive.Str(""), pgarchive.Str("plain"), pgarchive.Str("_x1"), pgarchive.Str("1x"), pgarchive.Str("Upper"),
	pgarchive.Str("select"), pgarchive.Str("json"), pgarchive.Str("json_array"), pgarchive.Str("system_user"),
	pgarchive.Str("merge_action"), pgarchive.Str("normalize"), pgarchive.Str("between"), pgarchive.Str("abort"),
	pgarchive.Str("period"), pgarchive.Str(`q"uo"te`), pgarchive.Str(`"`), pgarchive.Str("a\nb\rc\n"), pgarchive.Str("a-b;"),
	pgarchive.Str("é"), pgarchive.Str("ö\xff文\xe6\x96"), pgarchive.Str("\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80"), pgarchive.Str("pg_catalog"), pgarchive.Str("public"), pgarchive.Str("heap"),
	pgarchive.Str("DATABASE x"), pgarchive.Str("DATABASE"), pgarchive.Str("EVENT TRIGGER y"), pgarchive.Str("EVENT TRIGGER"),
	pgarchive.Str("LARGE OBJECT 5"), pgarchive.Str("LARGE OBJECT"), pgarchive.Str("Max OID"),
	pgarchive.Str("-- comment"), pgarchive.Str("--"), pgarchive.Str("-- load via partition root x"),
	pgarchive.Str("-- load via partition root"), pgarchive.Str("DROP FUNCTION x.y(a integer);\n"),
	pgarchive.Str("DROP THING a;\n;;\n"), pgarchive.Str("DROP "), pgarchive.Str("DROP ;\n"),
	pgarchive.Str("7\n8\n"), pgarchive.Str("7\n8"), pgarchive.Str("SELECT 1;\n"),
}

// mutate changes an archive's entries at random and, unless they are kept, takes
// all data out.
func mutate(toc *pgarchive.TOC, rng *rand.Rand, keepData bool) {
	toc.Header.Format = pgarchive.FormatTar
	descs := make([]string, 0, len(toc.Entries))
	for i := range toc.Entries {
		descs = append(descs, toc.Entries[i].Desc)
	}
	descs = append(descs, "TEXT SEARCH PARSER", "STATISTICS DATA", "STATISTICS DATA", "<Init>", "ACL LANGUAGE", "USER MAPPING", "BLOB", "SHELL TYPE")
	pick := func(old *pgarchive.NullString) {
		if rng.IntN(6) == 0 {
			*old = nasty[rng.IntN(len(nasty))]
		}
	}
	kept := toc.Entries[:0]
	for _, e := range toc.Entries {
		if !keepData {
			e.HadDumper, e.File = false, ""
		}
		special := e.Desc == pgarchive.DescEncoding || e.Desc == descStdStrings || e.Desc == descSearchPath
		if special {
			if rng.IntN(3) > 0 {
				kept = append(kept, e)
			}
			continue
		}
		tag := pgarchive.Str(e.Tag)
		pick(&tag)
		e.Tag = tag.String
		for _, field := range []*pgarchive.NullString{&e.Defn, &e.DropStmt, &e.Namespace, &e.Tablespace, &e.TableAM, &e.Owner} {
			pick(field)
		}
		if rng.IntN(10) == 0 {
			e.Section = pgarchive.Section(1 + rng.IntN(4))
		}
		if rng.IntN(10) == 0 {
			e.RelKind = "prvm"[rng.IntN(4)]
		}
		if desc := descs[rng.IntN(len(descs))]; !e.HadDumper && rng.IntN(8) == 0 && desc != pgarchive.DescEncoding && desc != descStdStrings && desc != descSearchPath {
			e.Desc = desc
		}
		kept = append(kept, e)
	}
	toc.Entries = kept
}

// defuse makes harmless what pg_restore crashes on, or ends with an error of
// its own, as odx does.
func defuse(s *Script) {
	for i := range s.archive.TOC.Entries {
		e := &s.archive.TOC.Entries[i]
		groupsWithoutDefinition := e.Desc == pgarchive.DescBlobMetadata && !e.Defn.Valid
		statisticsAsSchema := e.Desc == "SCHEMA" && !e.Defn.Valid
		if groupsWithoutDefinition || statisticsAsSchema {
			e.Defn = pgarchive.Str("9\n")
		}
		if strings.HasPrefix(e.Tag, "LARGE OBJECTS") && e.Desc == "ACL" && isBadGroup(s, e) {
			e.Tag = "x"
		}
		if ownerOf[e.Desc] == ownerByDrop && !strings.HasPrefix(e.DropStmt.String, "DROP ") {
			e.DropStmt = pgarchive.NullString{}
		}
		if s.release.refusesUnknownOwner() && ownerOf[e.Desc] == ownerUnknown && e.Desc != pgarchive.DescBlobMetadata {
			e.Owner = pgarchive.NullString{}
		}
	}
}

func isBadGroup(s *Script, e *pgarchive.Entry) bool {
	group, err := s.groupOf(e)
	if err != nil || !group.Defn.Valid {
		return true
	}
	for rest := e.Defn.String; rest != ""; {
		if _, _, rest, err = cutGrant(rest); err != nil {
			return true
		}
	}
	return false
}

// TestPrint_Mutated holds scripts of archives that no pg_dump would write
// against those of pg_restore.
func TestPrint_Mutated(t *testing.T) {
	rounds := uint64(6)
	if testing.Short() {
		rounds = 2
	}
	for _, v := range []string{"pg13", "pg15", "pg17", "pg18"} {
		for _, archive := range []string{"kitchen.dump", "cellar"} {
			t.Run(v+" "+archive, func(t *testing.T) {
				from := filepath.Join("../pgarchive/testdata", v, archive)
				restorer(t, mustOpen(t, from))
				for seed := range rounds {
					dir := writeMutated(t, from, seed)
					compareWithRestore(t, fmt.Sprint("seed ", seed, " "), mustOpen(t, dir), variants...)
				}
			})
		}
	}
}

// writeMutated writes a folder with a mutated archive: with its data if it is a
// folder.
func writeMutated(t *testing.T, from string, seed uint64) string {
	t.Helper()
	a := mustOpen(t, from)
	dir := t.TempDir()
	hasData := a.TOC.Header.Format == pgarchive.FormatTar
	if hasData {
		dir = copyDir(t, from)
	}
	mutate(a.TOC, rand.New(rand.NewPCG(seed, 0)), hasData)
	defuse(&Script{archive: a, release: releaseOf(&a.TOC.Header), byID: a.TOC.ByID()})
	var b bytes.Buffer
	if err := pgarchive.WriteTOC(&b, a.TOC); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "toc.dat"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPrint_Databases dumps databases that servers of all releases at hand are
// given and compares the scripts with pg_dump's and pg_restore's.
func TestPrint_Databases(t *testing.T) {
	scripts, err := filepath.Glob("../../../shared/proto/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		scripts = nil
	}
	scripts = append(scripts, "testdata/awkward.sql")
	for _, bin := range servers() {
		t.Run("server "+bin, func(t *testing.T) {
			t.Parallel() // much of it is waiting for programs to start
			testDatabases(t, bin, scripts)
		})
	}
}

// dumpArgs gives the arguments of pg_dump for a plain script with the fixtures'
// key.
func dumpArgs(t *testing.T, c *pgcluster.Cluster, db string) []string {
	t.Helper()
	tool, err := pgtool.Finder{BinDir: c.BinDir()}.Newest(t.Context(), "pg_dump")
	if err != nil {
		t.Fatal(err)
	}
	if !(release{tool.Version.Major, tool.Version.Minor}).hasRestrict() {
		return []string{db}
	}
	return []string{"--restrict-key=" + fixtureKey, db}
}

func testDatabases(t *testing.T, bin string, scripts []string) {
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: bin})
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
	tool := func(name string) string { return filepath.Join(c.BinDir(), name) }
	psql := func(db string, args ...string) {
		t.Helper()
		mustRun(t, c.Env(), tool("psql"), append([]string{"-Xq", "-v", "ON_ERROR_STOP=1", "-d", db}, args...)...)
	}
	psql("postgres", "-c", `CREATE ROLE r_owner; CREATE ROLE r_reader; CREATE ROLE "r odd""role"; CREATE ROLE odx_owner;`)
	words := strings.Fields(string(mustRun(t, c.Env(), tool("psql"), "-XAtq", "-d", "postgres", "-c",
		"SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'")))
	slices.Sort(words)
	if got := slices.Sorted(maps.Keys(reservedWords(release{major: c.Major()}))); !slices.Equal(got, words) {
		t.Errorf("words in quotes: %q, want %q", got, words)
	}
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".sql")
		psql("postgres", "-c", "CREATE DATABASE "+name)
		if _, err := run(t, c.Env(), tool("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", script); err != nil {
			t.Logf("%s is not for this release as a whole: %v", script, err)
		}
		dir := filepath.Join(t.TempDir(), name)
		mustRun(t, c.Env(), tool("pg_dump"), "-Fd", "-f", dir, name)
		compareWithRestore(t, name, mustOpen(t, dir), variants[1:3]...)
		plain := mustRun(t, c.Env(), tool("pg_dump"), dumpArgs(t, c, name)...)
		got := printed(t, mustOpen(t, dir), Options{RestrictKey: fixtureKey})
		wantSame(t, name+", pg_dump", got, plain)
	}
}

// TestPrint_Regression compares the scripts of PostgreSQL's own regression
// database.
func TestPrint_Regression(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("ODX_TEST_REGRESS"))
	if len(dirs) == 0 {
		t.Skip("ODX_TEST_REGRESS names no regression database")
	}
	for _, dir := range dirs {
		for _, archive := range []string{"dir", "custom.dump"} {
			t.Run(filepath.Join(dir, archive), func(t *testing.T) {
				a := mustOpen(t, filepath.Join(dir, archive))
				for _, v := range []struct {
					file string
					opts Options
				}{
					{"restore.sql", Options{}},
					{"restore-noowner.sql", Options{NoOwner: true}},
					{"restore-noprivileges.sql", Options{NoPrivileges: true}},
				} {
					want, err := os.ReadFile(filepath.Join(dir, v.file))
					if err != nil {
						t.Fatal(err)
					}
					v.opts.RestrictKey = "regression"
					wantSame(t, v.file, printed(t, a, v.opts), want)
				}
			})
		}
	}
}
