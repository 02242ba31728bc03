package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// oldFile is in the filestore of the database that is replaced.
const oldFile = "ab/abcd"

// newReplacement prepares a restore in the place of a database and a filestore.
func (s *site) newReplacement(backup string) *run {
	s.t.Helper()
	r := s.newRun(backup)
	r.Force, r.Analyze, r.Collation = true, false, CollationSource
	s.makeOld()
	s.t.Cleanup(s.dropOld)
	return r
}

// makeOld makes the old database, with a table, and its filestore, and removes
// what another test has left.
func (s *site) makeOld() {
	s.t.Helper()
	s.dropOld()
	s.drop("target")
	s.exec(s.admin, "CREATE DATABASE target TEMPLATE template0")
	c := s.connect("target")
	s.exec(c, "CREATE TABLE the_old ()")
	c.Close(s.t.Context())
	path := filepath.Join(s.data, "target", oldFile)
	if err := errors.Join(os.RemoveAll(s.data), os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("old"), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

// dropOld drops the databases that a test has kept.
func (s *site) dropOld() {
	s.t.Helper()
	rows, err := s.admin.Query(context.Background(), "SELECT datname FROM pg_database WHERE datname LIKE 'target-old-%' OR datname LIKE 'odx-tmp-%'")
	if err != nil {
		s.t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		s.exec(s.admin, "ALTER DATABASE "+quote(name)+" IS_TEMPLATE false")
		s.drop(name)
	}
}

// wantDatabases checks which databases there are of the test's.
func (s *site) wantDatabases(want ...string) {
	s.t.Helper()
	got := s.one(s.admin, `SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'target%' OR datname LIKE 'odx-tmp-%'`)
	if got != strings.Join(want, " ") {
		s.t.Errorf("databases %s, want %q", got, want)
	}
}

func (s *site) wantFolders(want ...string) {
	s.t.Helper()
	entries, err := os.ReadDir(s.data)
	if err != nil {
		s.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		s.t.Errorf("folders %q, want %q", got, want)
	}
}

// wantOld checks that a database and a folder are the old ones, whole, or not.
func (s *site) wantOld(database, folder string, old bool) {
	s.t.Helper()
	c := s.connect(database)
	defer c.Close(context.Background())
	if got := s.one(c, "SELECT to_regclass('the_old') IS NOT NULL"); got != fmt.Sprint(old) {
		s.t.Errorf("%s is the old database: %s", database, got)
	}
	if got := s.one(c, "SELECT to_regclass('ir_attachment') IS NOT NULL"); got != fmt.Sprint(!old) {
		s.t.Errorf("%s is the new database: %s", database, got)
	}
	_, err := os.Stat(filepath.Join(s.data, folder, oldFile))
	if got := err == nil; got != old || err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("%s is the old filestore: %t, %v", folder, got, err)
	}
}

// TestRun_Replace replaces a database in which a session is at work, as a
// superuser and as a role that may only create databases, and drops or keeps it.
func TestRun_Replace(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			s.exec(s.admin, "DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEDB")
			backup := s.backup("ALTER TABLE ir_attachment OWNER TO maker")
			for _, user := range []string{s.User(), "maker"} {
				for _, keep := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, keep %t", user, keep), func(t *testing.T) { s.replace(t, backup, user, keep) })
				}
			}
			s.drop("target")
		})
	}
}

func (s *site) replace(t *testing.T, backup, user string, keep bool) {
	r := s.newReplacement(backup)
	s.exec(s.admin, "ALTER DATABASE target OWNER TO maker")
	r.Server, r.KeepOld = s.settings(user), keep
	config, err := pgx.ParseConfig(s.DSN("target"))
	if err != nil {
		t.Fatal(err)
	}
	config.User = "maker"
	odoo, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer odoo.Close(context.Background())
	s.exec(odoo, "BEGIN; LOCK pg_class IN ACCESS SHARE MODE")
	waits := make(chan error, 1)
	r.hook = func(step string) {
		if step == "old database renamed" { // who connects now waits until the swap is done
			go func() {
				late, err := pgx.ConnectConfig(context.Background(), config.Copy())
				if err == nil {
					late.Close(context.Background())
				}
				waits <- err
			}()
			s.waitFor("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'object' AND NOT granted")
			if len(waits) > 0 {
				t.Errorf("a session got in: %v", <-waits)
			}
		}
	}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-waits; err == nil {
		t.Error("a session was let into the old database")
	}
	if len(report.Warnings) > 0 {
		t.Errorf("warnings: %q", report.Warnings)
	}
	if got := s.one(s.admin, "SELECT datdba::regrole FROM pg_database WHERE datname = 'target'"); got != "maker" {
		t.Errorf("the owner is %s", got)
	}
	if err := odoo.Ping(t.Context()); err == nil {
		t.Error("the session in the old database goes on")
	}
	s.wantOld("target", "target", false)
	if x := report.Replaced; x == nil || !x.Database || !x.Filestore || (x.KeptAs != "") != keep || (x.KeptFilestore != "") != keep {
		t.Fatalf("report: %+v", x)
	}
	if !keep {
		s.wantDatabases("target")
		s.wantFolders("target")
		return
	}
	kept := report.Replaced.KeptAs
	s.wantDatabases("target", kept)
	s.wantFolders("target", kept)
	s.wantOld(kept, kept, true)
	if got := s.one(s.admin, "SELECT datistemplate FROM pg_database WHERE datname = '"+kept+"'"); got != "true" {
		t.Error("Odoo would list the kept database")
	}
}

// waitFor waits until a query gives true.
func (s *site) waitFor(sql string) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); s.one(s.admin, sql) != "true"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Errorf("never true: %s", sql)
			return
		}
	}
}

// replaceSteps are the steps of a restore that replaces, up to the commit.
var replaceSteps = []string{"database created", "loaded", "finished", "closing", "old database renamed", "renamed", "old files moved", "files in place"}

// TestRun_ReplaceFailsAtEachStep interrupts a restore at each step, or takes its
// sessions away. The old ones are as they were, and nothing else is left.
func TestRun_ReplaceFailsAtEachStep(t *testing.T) { onServers(t, testReplaceFailsAtEachStep) }

func testReplaceFailsAtEachStep(t *testing.T, s *site) {
	backup := s.backup()
	for _, keep := range []bool{false, true} {
		for _, at := range replaceSteps {
			for _, how := range []string{"interrupted", "session lost"} {
				t.Run(fmt.Sprintf("%s, %s, keep %t", at, how, keep), func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					r := s.newReplacement(backup)
					r.KeepOld = keep
					met := false
					r.hook = func(step string) {
						if step != at {
							return
						}
						met = true
						if how == "interrupted" {
							cancel()
							return
						}
						s.exec(s.admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'odx restore%'")
					}
					if _, err := r.do(ctx); err == nil || !met {
						t.Errorf("error %v, met the step: %t", err, met)
					}
					s.wantDatabases("target")
					s.wantFolders("target")
					s.wantOld("target", "target", true)
				})
			}
		}
	}
}

// TestRun_ReplaceObstructed has something come into the way at the last moment.
func TestRun_ReplaceObstructed(t *testing.T) { onServers(t, testReplaceObstructed) }

func testReplaceObstructed(t *testing.T, s *site) {
	backup := s.backup()
	for _, tc := range []struct {
		name, at string
		obstruct func(r *run)
		kept     string // which of the two has the name to keep them under
		says     string
	}{
		{"folder of that name", "renamed", func(r *run) { s.mkdir(r.old.folder) }, "folder", "move the old filestore"},
		{"database of that name", "finished", func(r *run) { s.exec(s.admin, "CREATE DATABASE "+quote(r.old.kept)) }, "database", "rename the old database"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := s.newReplacement(backup)
			r.KeepOld = true
			r.hook = func(step string) {
				if step == tc.at {
					tc.obstruct(r)
				}
			}
			if _, err := r.do(t.Context()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
			databases, folders := []string{"target"}, []string{"target"}
			if tc.kept == "folder" {
				folders = append(folders, r.old.kept)
			} else {
				databases = append(databases, r.old.kept)
			}
			s.wantDatabases(databases...)
			s.wantFolders(folders...)
			s.wantOld("target", "target", true)
		})
	}
	t.Run("the place itself", func(t *testing.T) {
		r := s.newReplacement(backup)
		r.hook = func(step string) {
			if step == "old files moved" {
				s.mkdir(r.Filestore)
			}
		}
		// What has come there is not removed: the error tells where the old files are.
		if _, err := r.do(t.Context()); err == nil || !errors.Is(err, ErrMadeMeanwhile) || !strings.Contains(err.Error(), r.old.folder+" and belong to "+r.Filestore) {
			t.Errorf("%v", err)
		}
		s.wantDatabases("target")
		s.wantFolders("target", r.old.kept)
		s.wantOld("target", r.old.kept, true)
	})
}

// TestRun_ReplaceRefused asks for what cannot be done. It is said before
// anything is made.
func TestRun_ReplaceRefused(t *testing.T) { onServers(t, testReplaceRefused) }

func testReplaceRefused(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEDB")
	backup := s.backup()
	for _, tc := range []struct {
		name, says string
		prepare    func(r *run)
	}{
		{"not asked for", `database "target" exists already`, func(r *run) { r.Force = false }},
		{"a folder alone, not asked for", "filestore folder", func(r *run) { r.Force = false; s.drop("target") }},
		{"somebody else's", `may not rename and drop database "target"`, func(r *run) { r.Server = s.settings("maker") }},
		{"connected to it", "--maintenance-db", func(r *run) { r.Maint = "target" }},
		{"a template", "it is a template", func(r *run) { s.exec(s.admin, "ALTER DATABASE target IS_TEMPLATE true") }},
		{"no filestore", "is no filestore", func(r *run) { r.Filestore = s.data }},
		{"a link", "link", func(r *run) {
			if err := errors.Join(os.Rename(r.Filestore, s.data+"/elsewhere"), os.Symlink("elsewhere", r.Filestore)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := s.newReplacement(backup)
			t.Cleanup(func() { s.exec(s.admin, "UPDATE pg_database SET datistemplate = false WHERE datname = 'target'") })
			tc.prepare(r)
			r.hook = func(step string) { t.Errorf("went on to: %s", step) }
			if _, err := r.do(t.Context()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}

// TestRun_ReplaceFolderAlone has a filestore of a database that is gone.
func TestRun_ReplaceFolderAlone(t *testing.T) { onServers(t, testReplaceFolderAlone) }

func testReplaceFolderAlone(t *testing.T, s *site) {
	r := s.newReplacement(s.backup())
	s.drop("target")
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if x := report.Replaced; x == nil || x.Database || !x.Filestore {
		t.Errorf("report: %+v", x)
	}
	s.wantDatabases("target")
	s.wantFolders("target")
	s.wantOld("target", "target", false)
}

// TestRun_ReplaceInUse has a session that the role may not end.
func TestRun_ReplaceInUse(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = time.Second
	onServers(t, testReplaceInUse)
}

func testReplaceInUse(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEDB")
	r := s.newReplacement(s.backup("ALTER TABLE ir_attachment OWNER TO maker"))
	s.exec(s.admin, "ALTER DATABASE target OWNER TO maker")
	r.Server = s.settings("maker")
	stays := s.connect("target")
	pid := "pid " + s.one(stays, "SELECT pg_backend_pid()") + " "
	if _, err := r.do(t.Context()); err == nil || !strings.Contains(err.Error(), pid) {
		t.Errorf("%v, want %q named", err, pid)
	}
	if text := strings.Join(r.report.Warnings, "\n"); !strings.Contains(text, pid) {
		t.Errorf("not named early: %s", text)
	}
	if err := stays.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	stays.Close(t.Context())
	s.wantDatabases("target")
	s.wantFolders("target")
	s.wantOld("target", "target", true)
}

// TestRun_ReplaceLeftover has an old database that cannot be dropped any more.
// While it is tried nobody takes it for left over.
func TestRun_ReplaceLeftover(t *testing.T) { onServers(t, testReplaceLeftover) }

func testReplaceLeftover(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEDB")
	r := s.newReplacement(s.backup("ALTER TABLE ir_attachment OWNER TO maker"))
	s.exec(s.admin, "ALTER DATABASE target OWNER TO maker")
	r.Server = s.settings("maker")
	admin, err := s.settings(s.User()).Open(t.Context(), "postgres", "odx test")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	r.hook = func(step string) {
		if step != "removing the old" {
			return
		}
		s.exec(s.admin, fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", quote(r.old.temp), quote(s.User())))
		if names, err := Leftovers(t.Context(), admin); err != nil || len(names) > 0 {
			t.Errorf("in use, and yet left over: %v %v", names, err)
		}
	}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(report.Warnings, "\n"); !strings.Contains(text, r.old.temp) {
		t.Errorf("warnings: %s", text)
	}
	s.wantDatabases(r.old.temp, "target")
	s.wantFolders("target")
	s.wantOld("target", "target", false)
	s.waitFor("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'odx restore%'")
	if names, err := Leftovers(t.Context(), admin); err != nil || len(names) != 1 {
		t.Errorf("left over: %v %v", names, err)
	}
	if err := DropTemp(t.Context(), s.settings(s.User()), admin, r.old.temp); err != nil {
		t.Error(err)
	}
	s.wantDatabases("target")
}

func (s *site) mkdir(path string) {
	s.t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func TestNameOld(t *testing.T) {
	now := time.Date(2026, 11, 26, 3, 4, 5, 0, time.UTC)
	for name, want := range map[string]string{
		"prod":                   "prod-old-20261126-030405",
		strings.Repeat("x", 63):  strings.Repeat("x", 43) + "-old-20261126-030405",
		strings.Repeat("ä", 31):  strings.Repeat("ä", 21) + "-old-20261126-030405",
		strings.Repeat("x", 200): strings.Repeat("x", 43) + "-old-20261126-030405",
	} {
		r := &run{Options: Options{Database: name, Filestore: "/data/filestore/x"}, target: &target{temp: TempPrefix + "1"}}
		r.nameOld(now)
		if r.old.kept != want || len(want) > 63 || !utf8.ValidString(want) || r.old.folder != "/data/filestore/"+want {
			t.Errorf("%s: %s, %s", name, r.old.kept, r.old.folder)
		}
	}
}

// TestTransact_Durable gives a name on a server that does not wait for its log
// to be written: the commit is waited for all the same.
func TestTransact_Durable(t *testing.T) {
	s := newSite(t, "")
	admin, err := s.settings(s.User()).Open(t.Context(), "postgres", "odx test")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	var outside, inside string
	if err := admin.Scan(t.Context(), "SHOW synchronous_commit", &outside); err != nil {
		t.Fatal(err)
	}
	named := &target{admin: admin}
	err = named.transact(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SHOW synchronous_commit").Scan(&inside)
	})
	if err != nil || outside != "off" || inside != "on" {
		t.Errorf("synchronous_commit is %q, and in the transaction %q: %v", outside, inside, err)
	}
}
