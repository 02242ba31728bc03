package main

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/bench"
	"odx/dumpfmt"
	"odx/parallel/dump"
	"odx/parallel/pgcluster"
	"odx/parallel/restore"
)

// script writes pg_dump's text of a database to a file.
func (w *world) script(t *testing.T, database string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.sql")
	w.tool(t, "pg_dump", "--no-owner", "--file="+path, "--dbname="+w.DSN(database))
	return path
}

// tool runs one of PostgreSQL's programs and gives what it says.
func (w *world) tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(w.BinDir(), name), args...)
	cmd.Env = append(os.Environ(), w.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// wantSame fails the test unless two databases have the same pg_dump text.
func (w *world) wantSame(t *testing.T, a, b string) {
	t.Helper()
	wantSameScripts(t, w.script(t, a), w.script(t, b))
}

func wantSameScripts(t *testing.T, a, b string) {
	t.Helper()
	var files [2]*os.File
	for i, path := range []string{a, b} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	if err := bench.CompareScripts(files[0], files[1]); err != nil {
		t.Error(err)
	}
}

func TestMainJob_Generated(t *testing.T) {
	w := sharedWorld(t)
	backup := filepath.Join(t.TempDir(), "backup")
	var d dump.Report
	r := w.odx(t, "dump", sourceDB, backup, "--data-dir", w.data, "--json", "-j2")
	r.want(t, exitOK)
	r.report(t, &d)
	if d.Record.Filestore.Missing != 0 || d.Record.Filestore.GCGuard != "held" {
		t.Errorf("filestore: %+v", d.Record.Filestore)
	}
	wantOnly(t, backup, "dump", "filestore", "manifest.json", "odx.json")
	wantMode(t, backup, 0o700)
	wantMode(t, filepath.Join(backup, "odx.json"), 0o600)
	if err := bench.CompareTrees(w.filestore(sourceDB), filepath.Join(backup, "filestore")); err != nil {
		t.Error(err)
	}

	w.drop(t, "moved")
	var rr restore.Report
	r = w.odx(t, "restore", backup, "moved", "--move", "--owner", odooRole, "--data-dir", w.data, "--json")
	r.want(t, exitOK)
	r.report(t, &rr)
	if len(rr.Reset) != 0 {
		t.Errorf("--move reset %q", rr.Reset)
	}
	w.wantSame(t, sourceDB, "moved")
	if err := bench.CompareTrees(w.filestore(sourceDB), w.filestore("moved")); err != nil {
		t.Error(err)
	}
	w.wantUsable(t, "moved", odooRole)

	t.Run("plain pg_restore needs no odx", func(t *testing.T) {
		w.drop(t, "plain")
		w.exec(t, "postgres", `CREATE DATABASE plain TEMPLATE template0`)
		w.tool(t, "pg_restore", "--jobs=2", "--no-owner", "--exit-on-error", "--dbname="+w.DSN("plain"), filepath.Join(backup, "dump"))
		w.wantSame(t, sourceDB, "plain")
	})
	t.Run("copy", func(t *testing.T) { testCopy(t, w, backup) })
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}

// wantUsable makes sure that a role can work with a database as Odoo does, and
// that nothing of its construction shows.
func (w *world) wantUsable(t *testing.T, database, role string) {
	t.Helper()
	c := w.connect(t, database)
	var owner string
	var template bool
	var comment *string
	err := c.QueryRow(t.Context(), `SELECT pg_get_userbyid(datdba), datistemplate, shobj_description(oid, 'pg_database')
		FROM pg_database WHERE datname = current_database()`).Scan(&owner, &template, &comment)
	if err != nil {
		t.Fatal(err)
	}
	if owner != role || template || comment != nil {
		t.Errorf("owner %q, template %v, comment %v; want %q, false, none", owner, template, comment, role)
	}
	for _, sql := range []string{
		"SET ROLE " + pgx.Identifier{role}.Sanitize(),
		"SELECT count(*) FROM res_partner",
		"INSERT INTO ir_config_parameter (key, value) VALUES ('test.usable', 'x')",
		"DELETE FROM ir_config_parameter WHERE key = 'test.usable'",
		"ALTER TABLE res_partner ADD COLUMN test_usable int",
		"ALTER TABLE res_partner DROP COLUMN test_usable",
		"CREATE TABLE test_usable (id serial PRIMARY KEY)",
		"DROP TABLE test_usable",
	} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Errorf("as %s: %s: %v", role, sql, err)
		}
	}
}

// testCopy restores as Odoo's own restore does by default: with a new
// identity, and nothing else changed.
func testCopy(t *testing.T, w *world, backup string) {
	w.drop(t, "copied")
	w.odx(t, "restore", backup, "copied", "--owner", odooRole, "--data-dir", w.data, "--neutralize").want(t, exitOK)
	before, after := w.parameters(t, sourceDB), w.parameters(t, "copied")
	for _, key := range []string{"database.uuid", "database.secret", "database.create_date", "web.base.url"} {
		if before[key] == after[key] || after[key] == "" {
			t.Errorf("%s is %q in the copy and %q in the source", key, after[key], before[key])
		}
	}
	if after["database.is_neutralized"] == "" {
		t.Error("the copy does not say that it is neutralized")
	}
	var active int
	err := w.connect(t, "copied").QueryRow(t.Context(), `SELECT count(*) FROM ir_cron WHERE active`).Scan(&active)
	if err != nil {
		t.Fatal(err)
	}
	if active > 1 {
		t.Errorf("%d scheduled actions are active in a neutralized copy", active)
	}
}

func (w *world) parameters(t *testing.T, database string) map[string]string {
	t.Helper()
	rows, err := w.connect(t, database).Query(t.Context(), "SELECT key, value FROM ir_config_parameter")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	var key, value string
	if _, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { found[key] = value; return nil }); err != nil {
		t.Fatal(err)
	}
	return found
}

const realZip = "../../../shared/data/odoo19-standard.zip"

// TestMainJob_RealOdoo takes the backup that a real Odoo 19 made, loads it by
// hand, and has odx dump and restore the database.
func TestMainJob_RealOdoo(t *testing.T) {
	if _, err := os.Stat(realZip); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the real Odoo 19 backup is not there")
	}
	for _, bin := range serverBins() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) { testRealOdoo(t, bin) })
	}
}

// serverBins lists the folders of the PostgreSQL servers to test with: the
// newest of the machine ("") and those of ODX_TEST_PG.
func serverBins() []string {
	return append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...)
}

func testRealOdoo(t *testing.T, bin string) {
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: bin})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	w := &world{Cluster: c, data: t.TempDir()}
	script := unpackZip(t, realZip, w.filestore("o19"))
	w.exec(t, "postgres", `CREATE ROLE odoo LOGIN CREATEDB`)
	w.exec(t, "postgres", `CREATE DATABASE o19 OWNER odoo TEMPLATE template0 LC_COLLATE 'C'`)
	said := w.tool(t, "psql", "-X", "-q", "--file="+script, w.DSN("o19"))
	wantErrors(t, c.Major(), strings.Count(said, "ERROR:"))
	backup := filepath.Join(t.TempDir(), "backup")
	w.odx(t, "dump", "o19", backup, "--data-dir", w.data, "--pg-bin", w.BinDir()).want(t, exitOK)
	wantManifest(t, filepath.Join(backup, "manifest.json"))

	var rr restore.Report
	r := w.odx(t, "restore", backup, "o19 moved", "--move", "--owner", "odoo", "--data-dir", w.data, "--json", "--pg-bin", w.BinDir())
	r.want(t, exitOK)
	r.report(t, &rr)
	if rr.Series != "19.0" || rr.Losses() {
		t.Errorf("series %q, files %+v", rr.Series, rr.Files)
	}
	if err := bench.CompareTrees(w.filestore("o19"), w.filestore("o19 moved")); err != nil {
		t.Error(err)
	}
	// What the report says was added is added to the source too, so that the
	// texts can be compared.
	for _, added := range rr.Added {
		if !strings.Contains(added, "schema public") {
			t.Errorf("added %q: not expected", added)
		}
		w.exec(t, "o19", "GRANT CREATE ON SCHEMA public TO PUBLIC")
	}
	w.wantSame(t, "o19", "o19 moved")
	w.wantUsable(t, "o19 moved", "odoo")
}

// wantErrors counts what psql says of the zip's dump.sql: 15 does not know a
// setting that came with 17, and nothing else. Older servers may not know more.
func wantErrors(t *testing.T, major, got int) {
	t.Helper()
	if major >= 17 && got != 0 || major == 15 && got != 1 {
		t.Errorf("%d errors of psql on PostgreSQL %d", got, major)
	}
}

// unpackZip puts the zip's filestore into a folder and returns the path of
// its script.
func unpackZip(t *testing.T, path, store string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	script := filepath.Join(t.TempDir(), "dump.sql")
	for _, f := range z.File {
		path := script
		switch rel, ok := strings.CutPrefix(f.Name, "filestore/"); {
		case strings.HasSuffix(f.Name, "/"): // an empty folder
			continue
		case ok:
			path = filepath.Join(store, rel)
		case f.Name != "dump.sql":
			continue
		}
		unpack(t, f, path)
	}
	return script
}

func unpack(t *testing.T, f *zip.File, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// wantManifest compares the manifest with the one that Odoo itself wrote. The
// order of the modules is that of the rows on disk, which a restore changes.
func wantManifest(t *testing.T, path string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(realZip)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	var g, o map[string]any
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &o)); err != nil {
		t.Fatal(err)
	}
	delete(g, "pg_version")
	delete(o, "pg_version")
	if a, b := mustJSON(t, g), mustJSON(t, o); a != b {
		t.Errorf("manifest is\n%s\nand Odoo wrote\n%s", a, b)
	}
	if !regexp.MustCompile(`^\{\n    "odoo_dump": "1",\n    "db_name": "o19",\n    "version": "19.0",\n    "version_info": \[\n        19,`).Match(got) {
		t.Errorf("manifest begins with\n%.200s", got)
	}
	if _, err := dumpfmt.ParseManifest(got); err != nil {
		t.Error(err)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
