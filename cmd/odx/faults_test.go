package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/dump"
	"odx/parallel/pgcluster"
)

// nothingLeft fails the test if a failed run left anything: a file in the
// folders, a database, a session or a process.
func (w *world) nothingLeft(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range append(dirs, filepath.Join(w.data, "filestore"), w.temp()) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "odx-tmp-") || e.Name() == "backup" || e.Name() == "backup.zip" || e.Name() == "failed" {
				t.Errorf("%s was left in %s", e.Name(), dir)
			}
		}
	}
	for _, name := range w.databases(t) {
		if strings.HasPrefix(name, "odx-tmp-") || name == "failed" {
			t.Errorf("database %s was left", name)
		}
	}
	w.noProcesses(t)
}

// noProcesses fails the test if a child of odx, or its session, lives on. The
// server needs a moment to notice that a client is gone.
func (w *world) noProcesses(t *testing.T) {
	t.Helper()
	c := w.connect(t, "postgres")
	defer c.Close(t.Context())
	var left []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		rows, err := c.Query(t.Context(), `SELECT application_name || ': ' || left(query, 80) FROM pg_stat_activity
			WHERE application_name LIKE 'odx %' OR application_name LIKE 'pg_%'`)
		if err != nil {
			t.Fatal(err)
		}
		if left, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
		left = append(left, childrenOf(t, w.Host())...)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("still running: %q", left)
			return
		}
	}
}

// childrenOf lists running pg_dump and pg_restore processes that speak to the
// server whose socket is in the folder.
func childrenOf(t *testing.T, host string) (found []string) {
	t.Helper()
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range environs {
		comm, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "comm"))
		env, _ := os.ReadFile(path)
		name := strings.TrimSpace(string(comm))
		if (name == "pg_dump" || name == "pg_restore") && bytes.Contains(env, []byte("PGHOST="+host)) {
			found = append(found, name+" "+filepath.Base(filepath.Dir(path)))
		}
	}
	return found
}

// makeBackup dumps the generated database once for all tests that restore.
func makeBackup(t *testing.T, w *world) string {
	t.Helper()
	if w.backupDir == "" {
		dir := filepath.Join(w.data, "backups", "good")
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		w.odx(t, "dump", sourceDB, dir, "--data-dir", w.data, "--quiet").want(t, exitOK)
		w.backupDir = dir
	}
	return w.backupDir
}

// slowDB is a database like the generated one, with a table beside that takes
// long to copy: what is to happen during a COPY has the time to.
const slowDB = "slow"

// makeSlow makes slowDB and a backup of it, once for all tests that break in.
func makeSlow(t *testing.T, w *world) string {
	t.Helper()
	good := makeBackup(t, w)
	if w.slowDir == "" {
		dir := filepath.Join(filepath.Dir(good), slowDB)
		w.odx(t, "restore", good, slowDB, "--data-dir", w.data, "--quiet").want(t, exitOK)
		w.exec(t, slowDB, "CREATE TABLE public.slow AS SELECT repeat('slow', 2 << 20) FROM generate_series(1, 40)")
		w.odx(t, "dump", slowDB, dir, "--data-dir", w.data, "--quiet").want(t, exitOK)
		w.slowDir = dir
	}
	return w.slowDir
}

// makeZip makes a zip of a backup, without odx's own members.
func makeZip(t *testing.T, w *world, backup string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.zip")
	w.odx(t, "convert", backup, path, "--no-sidecar").want(t, exitOK)
	return path
}

func TestDump_Refusals(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	exists := filepath.Join(dir, "exists")
	if err := os.Mkdir(exists, 0o755); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "postgres", "CREATE ROLE nobody_here LOGIN")
	backup := filepath.Join(dir, "backup")
	data := []string{"--data-dir", w.data}
	for _, tc := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"no such database", []string{"no such db", backup, "--no-filestore"}, exitFailed, []string{"no such db", "odx: hint:"}},
		{"target exists", append([]string{sourceDB, exists}, data...), exitFailed, []string{exists, "exist", "another name"}},
		{"no folder for the target", append([]string{sourceDB, filepath.Join(dir, "no", "backup")}, data...), exitFailed, []string{filepath.Join(dir, "no")}},
		{"target not writable", append([]string{sourceDB, "/proc/backup"}, data...), exitFailed, []string{"/proc"}},
		{"no filestore folder", []string{sourceDB, backup, "--filestore", filepath.Join(dir, "none")}, exitFailed, []string{"none", "--no-filestore"}},
		{"a role without privileges", append([]string{sourceDB, backup, "-U", "nobody_here"}, data...), exitFailed, []string{"permission denied", "--username"}},
		{"no server there", []string{sourceDB, backup, "--host", dir, "--no-filestore"}, exitFailed, []string{"is the server running"}},
		{"no pg_dump there", append([]string{sourceDB, backup, "--pg-bin", dir}, data...), exitFailed, []string{"pg_dump", "apt install postgresql-client"}},
		{"unknown compression", append([]string{sourceDB, backup, "--compress", "brotli"}, data...), exitFailed, []string{"brotli", "gzip"}},
		{"unknown flag", []string{sourceDB, backup, "--frobnicate"}, exitUsage, []string{"frobnicate"}},
		{"too few arguments", []string{sourceDB}, exitUsage, []string{"DBNAME TARGET"}},
		{"two filestores", append([]string{sourceDB, backup, "--no-filestore"}, data...), exitUsage, []string{"--no-filestore"}},
		{"jobs", append([]string{sourceDB, backup, "-j0"}, data...), exitUsage, []string{"--jobs"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := w.odx(t, append([]string{"dump"}, tc.args...)...)
			r.want(t, tc.code, append(tc.says, "odx: error:")...)
			if r.stdout != "" {
				t.Errorf("stdout is not clean: %q", r.stdout)
			}
			wantOnly(t, dir, "exists")
			w.nothingLeft(t, dir)
		})
	}
}

func TestRestore_Refusals(t *testing.T) {
	w := sharedWorld(t)
	backup := makeBackup(t, w)
	dir := t.TempDir()
	if err := os.MkdirAll(w.filestore("taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(w.filestore("taken"))
	zip := filepath.Join(dir, "x.zip")
	if err := os.WriteFile(zip, []byte("PK\x03\x04 and so on"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "postgres", "CREATE ROLE plain_role LOGIN")
	data := []string{"--data-dir", w.data}
	for _, tc := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"no such backup", append([]string{filepath.Join(dir, "none"), "failed"}, data...), exitFailed, []string{"none"}},
		{"an empty folder", append([]string{dir, "failed"}, data...), exitFormat, []string{"no dump in this folder"}},
		{"a zip that is none", append([]string{zip, "failed"}, data...), exitFormat, []string{"x.zip", "end record", "cut short"}},
		{"the database exists", append([]string{backup, sourceDB}, data...), exitFailed, []string{sourceDB, "exists already"}},
		{"the filestore exists", append([]string{backup, "taken"}, data...), exitFailed, []string{"taken", "exists already"}},
		{"keep what is not replaced", append([]string{backup, "failed", "--keep-old"}, data...), exitUsage, []string{"--force"}},
		{"no such owner", append([]string{backup, "failed", "--owner", "stranger"}, data...), exitFailed, []string{"stranger", "does not exist"}},
		{"may not create databases", append([]string{backup, "failed", "-U", "plain_role"}, data...), exitFailed, []string{"plain_role", "CREATEDB"}},
		{"no such locale", append([]string{backup, "failed", "--collation", "xx_YY.UTF-8"}, data...), exitFailed, []string{"xx_YY"}},
		{"a name too long", append([]string{backup, strings.Repeat("x", 64)}, data...), exitUsage, []string{"63 bytes"}},
		{"copy and move", append([]string{backup, "failed", "--copy", "--move"}, data...), exitUsage, []string{"--move"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := w.odx(t, append([]string{"restore"}, tc.args...)...)
			r.want(t, tc.code, append(tc.says, "odx: error:")...)
			w.nothingLeft(t, dir)
		})
	}
}

// TestRestore_Damage damages a backup in every way that is cheap to think of.
// Nothing is made on the server.
func TestRestore_Damage(t *testing.T) {
	w := sharedWorld(t)
	good := makeBackup(t, w)
	largest := largestDataFile(t, filepath.Join(good, "dump"))
	for _, tc := range []struct {
		name   string
		record bool // keep odx.json
		damage func(t *testing.T, dir string)
	}{
		{"bit flipped", true, func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "dump", largest), 1000) }},
		{"bit flipped, no odx.json", false, func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "dump", largest), 1000) }},
		{"truncated", true, func(t *testing.T, dir string) { truncate(t, filepath.Join(dir, "dump", largest)) }},
		{"truncated, no odx.json", false, func(t *testing.T, dir string) { truncate(t, filepath.Join(dir, "dump", largest)) }},
		{"data file missing", true, func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "dump", largest)) }},
		{"data file missing, no odx.json", false, func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "dump", largest)) }},
		{"toc.dat truncated", true, func(t *testing.T, dir string) { truncate(t, filepath.Join(dir, "dump", "toc.dat")) }},
		{"toc.dat missing", true, func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "dump", "toc.dat")) }},
		{"odx.json cut", true, func(t *testing.T, dir string) { truncate(t, filepath.Join(dir, "odx.json")) }},
		{"filestore missing", true, func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "filestore")) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "damaged")
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			if !tc.record {
				remove(t, filepath.Join(dir, "odx.json"))
			}
			tc.damage(t, dir)
			// A role that may make nothing: what is wrong is found before that.
			r := w.odx(t, "restore", dir, "failed", "--data-dir", w.data, "--username", odooRole)
			r.want(t, exitFormat, "odx: error:")
		})
	}
}

func largestDataFile(t *testing.T, dir string) (name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > size && e.Name() != "toc.dat" {
			name, size = e.Name(), info.Size()
		}
	}
	return name
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-20); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// copyStore copies the source's filestore into a folder, as store, and gives the
// path of a file in it that the database names.
func (w *world) copyStore(t *testing.T, dir string) (store, name string) {
	t.Helper()
	store = filepath.Join(dir, "store")
	if err := os.CopyFS(store, os.DirFS(w.filestore(sourceDB))); err != nil {
		t.Fatal(err)
	}
	err := w.connect(t, sourceDB).QueryRow(t.Context(), `SELECT store_fname FROM ir_attachment WHERE store_fname <> '' ORDER BY 1 LIMIT 1`).Scan(&name)
	if err != nil {
		t.Fatal(err)
	}
	return store, name
}

func TestDump_MissingFiles(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	store, name := w.copyStore(t, dir)
	remove(t, filepath.Join(store, name))

	r := w.odx(t, "dump", sourceDB, filepath.Join(dir, "backup"), "--filestore", store, "--strict")
	r.want(t, exitFailed, "missing", name)
	wantOnly(t, dir, "store")

	var d dump.Report
	r = w.odx(t, "dump", sourceDB, filepath.Join(dir, "backup"), "--filestore", store, "--json")
	r.want(t, exitLosses)
	r.report(t, &d)
	if f := d.Record.Filestore; f.Missing != 1 || len(f.Lost) != 1 || !strings.Contains(f.Lost[0], name) {
		t.Errorf("filestore: %+v", f)
	}
	r = w.odx(t, "dump", sourceDB, filepath.Join(dir, "quiet"), "--filestore", store, "--quiet")
	r.want(t, exitLosses, "odx: warning: of ", "1 are missing", name)
	r.lacks(t, "odx: dumped")
	w.drop(t, "lossy")
	w.odx(t, "restore", filepath.Join(dir, "backup"), "lossy", "--data-dir", w.data, "--quiet").want(t, exitLosses, "1 are missing", name)
	w.wantUsable(t, "lossy", w.User())
}

func TestNames(t *testing.T) {
	w := sharedWorld(t)
	backup := makeBackup(t, w)
	dir := t.TempDir()
	for i, name := range []string{"Groß UND klein", `"quoted" 'twice'`, "日本語 база", `back\slash`, "host=evil dbname=x", "-dash", "%41$(x)"} {
		w.drop(t, name)
		again := filepath.Join(dir, strconv.Itoa(i))
		w.odx(t, "restore", "--data-dir", w.data, "--move", "--analyze=false", "--", backup, name).want(t, exitOK)
		w.odx(t, "dump", "--data-dir", w.data, "--", name, again).want(t, exitOK)
		if _, err := os.Stat(filepath.Join(again, "filestore")); err != nil {
			t.Error(err)
		}
	}
}

// TestInterrupt stops odx at moments spread over its whole run.
func TestInterrupt(t *testing.T) {
	w := sharedWorld(t)
	good := makeBackup(t, w)
	dir := t.TempDir()
	for _, tc := range []struct {
		name    string
		moments int
		args    []string
		finish  func()
	}{
		{"dump", 9, []string{"dump", sourceDB, filepath.Join(dir, "backup"), "--data-dir", w.data},
			func() { remove(t, filepath.Join(dir, "backup")) }},
		{"restore", 9, []string{"restore", good, "failed", "--data-dir", w.data},
			func() {
				w.exec(t, "postgres", "DROP DATABASE IF EXISTS failed WITH (FORCE)")
				remove(t, w.filestore("failed"))
			}},
		{"dump of a zip", 5, []string{"dump", sourceDB, filepath.Join(dir, "backup.zip"), "--data-dir", w.data},
			func() { remove(t, filepath.Join(dir, "backup.zip")) }},
		{"restore of a zip", 5, []string{"restore", makeZip(t, w, good), "failed", "--data-dir", w.data},
			func() {
				w.exec(t, "postgres", "DROP DATABASE IF EXISTS failed WITH (FORCE)")
				remove(t, w.filestore("failed"))
			}},
	} {
		began := time.Now()
		w.odx(t, tc.args...).want(t, exitOK)
		whole := time.Since(began)
		tc.finish()
		interrupted := 0
		for i := range tc.moments {
			for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM}[i%2 : i%2+1] {
				delay := whole * time.Duration(i) / time.Duration(tc.moments)
				t.Run(fmt.Sprintf("%s %s after %d of %d", tc.name, sig, i, tc.moments), func(t *testing.T) {
					switch w.interrupt(t, sig, delay, tc.args...) {
					case exitOK:
						tc.finish()
					case exitInterrupted:
						interrupted++
					}
					w.nothingLeft(t, dir)
				})
			}
		}
		if interrupted == 0 {
			t.Errorf("%s: no signal interrupted it", tc.name)
		}
	}
}

// interrupt runs odx and sends it a signal after a while.
func (w *world) interrupt(t *testing.T, sig os.Signal, delay time.Duration, args ...string) int {
	t.Helper()
	cmd := w.command(t.Context(), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(delay, func() { cmd.Process.Signal(sig) })
	defer timer.Stop()
	r := finish(t, cmd)
	switch {
	case r.code == exitOK:
	case r.code == exitInterrupted:
		if !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("stderr does not say that it was interrupted:\n%s", errs.String())
		}
	case r.code == -1 && delay == 0: // before odx listened to signals
	default:
		t.Errorf("exit code %d after a signal; stderr:\n%s", r.code, errs.String())
	}
	return r.code
}

// TestKilled kills odx outright: only things named odx-tmp- stay, the next run
// names them, and odx clean removes them.
func TestKilled(t *testing.T) {
	w := sharedWorld(t)
	good, slow := makeBackup(t, w), makeSlow(t, w)
	dir := t.TempDir()
	w.kill(t, `%COPY "public"."slow"%`, "dump", slowDB, filepath.Join(dir, "backup"), "--data-dir", w.data)
	w.noProcesses(t) // whose queries would be taken for the restore's
	w.kill(t, "COPY public.slow %", "restore", slow, "failed", "--data-dir", w.data)
	w.noProcesses(t)
	w.kill(t, "COPY public.slow %", "restore", makeZip(t, w, slow), "failed", "--data-dir", w.data)
	w.noProcesses(t)
	w.kill(t, `%COPY "public"."slow"%`, "dump", slowDB, filepath.Join(dir, "backup.zip"), "--data-dir", w.data)
	w.noProcesses(t)
	for _, e := range mustReadDir(t, dir) {
		if !strings.HasPrefix(e, "odx-tmp-") {
			t.Errorf("%s was left", e)
		}
	}
	w.drop(t, "after")
	r := w.odx(t, "dump", sourceDB, filepath.Join(dir, "after"), "--data-dir", w.data)
	r.want(t, exitOK, "left over", "odx clean")
	r = w.odx(t, "restore", good, "after", "--data-dir", w.data)
	r.want(t, exitOK, "left over", "database odx-tmp-", filepath.Join(w.temp(), "odx-tmp-restore-"))
	r = w.odx(t, "clean", dir, "--data-dir", w.data, "--yes")
	r.want(t, exitOK, "removed folder", "removed database")
	remove(t, filepath.Join(dir, "after"))
	w.nothingLeft(t, dir)
}

// kill starts odx and sends SIGKILL once its child runs a query that matches.
func (w *world) kill(t *testing.T, query string, args ...string) {
	t.Helper()
	cmd := w.command(t.Context(), args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.awaitQuery(t, query)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	finish(t, cmd)
}

// awaitQuery waits until a session of odx or its children runs a query.
func (w *world) awaitQuery(t *testing.T, like string) {
	t.Helper()
	c := w.connect(t, "postgres")
	defer c.Close(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for running := false; !running; {
		err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE application_name LIKE 'odx %' AND query LIKE $1 AND state = 'active')`, like).Scan(&running)
		if err != nil {
			t.Fatalf("wait for %s: %v", like, err)
		}
	}
}

func mustReadDir(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestChildKilled(t *testing.T) {
	w := sharedWorld(t)
	slow := makeSlow(t, w)
	dir := t.TempDir()
	for name, args := range map[string][]string{
		"pg_dump":    {"dump", slowDB, filepath.Join(dir, "backup"), "--data-dir", w.data, "--engine", "pg_dump"},
		"pg_restore": {"restore", slow, "failed", "--data-dir", w.data},
	} {
		cmd := w.command(t.Context(), args...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.awaitQuery(t, "COPY public.slow %")
		for _, child := range childrenOf(t, w.Host()) {
			pid, _ := strconv.Atoi(strings.Fields(child)[1])
			syscall.Kill(pid, syscall.SIGKILL)
		}
		r := finish(t, cmd)
		r.stderr = errs.String()
		r.want(t, exitTool, name, "kill")
		w.nothingLeft(t, dir)
	}
}

func TestServerGone(t *testing.T) {
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	shared := sharedWorld(t)
	slow := makeSlow(t, shared)
	w := &world{Cluster: c, data: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(w.data, "filestore"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.odx(t, "restore", slow, slowDB, "--data-dir", w.data).want(t, exitOK)
	dir := t.TempDir()
	for _, args := range [][]string{
		{"dump", slowDB, filepath.Join(dir, "backup"), "--data-dir", w.data},
		{"dump", slowDB, filepath.Join(dir, "backup"), "--data-dir", w.data, "--engine", "pg_dump"},
		{"restore", slow, "failed", "--data-dir", w.data},
		{"restore", makeZip(t, shared, slow), "failed", "--data-dir", w.data},
	} {
		cmd := w.command(t.Context(), args...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.awaitQuery(t, "%COPY %public%slow%")
		if err := c.Crash(); err != nil {
			t.Fatal(err)
		}
		r := finish(t, cmd)
		if r.code != exitTool && r.code != exitFailed {
			t.Errorf("odx %s: exit code %d when the server went away; stderr:\n%s", args[0], r.code, errs.String())
		}
		if args[0] == "restore" && !strings.Contains(errs.String(), "odx clean") {
			t.Errorf("odx restore does not say that a database is left over:\n%s", errs.String())
		}
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.odx(t, "clean", "--data-dir", w.data, "--yes").want(t, exitOK)
	w.nothingLeft(t, dir)
}
