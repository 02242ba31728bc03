package restore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/rebuild"
)

// TestRun_SlowDrop fails a restore while the server takes its time to drop a
// database: longer than opening a session may take.
func TestRun_SlowDrop(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup()
	old := openPatience
	openPatience = 100 * time.Millisecond
	t.Cleanup(func() { openPatience = old })
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	r := s.newRun(backup)
	blocker := s.connect("postgres")
	released := make(chan error, 1)
	r.hook = func(step string) {
		if step != "loaded" {
			return
		}
		s.exec(blocker, "BEGIN; LOCK TABLE pg_catalog.pg_database IN SHARE MODE")
		time.AfterFunc(time.Second, func() {
			_, err := blocker.Exec(context.Background(), "COMMIT")
			released <- err
		})
		cancel(errors.New("interrupted"))
	}
	_, err := r.do(ctx)
	if err == nil || errors.As(err, new(*LeftoverError)) {
		t.Errorf("got %v", err)
	}
	if err := <-released; err != nil {
		t.Error(err)
	}
	s.nothingLeft()
}

// TestRun_KeptAfterPlacing keeps the work of a restore whose folders were taken
// back: its record says so, for as long as it is kept.
func TestRun_KeptAfterPlacing(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup()
	for _, at := range []string{"closing", "old files moved", "files in place"} {
		t.Run(at, func(t *testing.T) {
			r := s.newRun(backup)
			r.Force = true // over the last one's files
			if _, err := r.do(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			r = s.newRun(backup)
			r.Force, r.Keep = true, true
			r.hook = func(step string) {
				if step == at {
					cancel(errors.New("interrupted"))
				}
			}
			_, err := r.do(ctx)
			if !errors.As(err, new(*KeptError)) {
				t.Fatalf("got %v", err)
			}
			admin, err := s.settings(s.User()).Open(t.Context(), "postgres", "odx test")
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			left, err := Leftovers(t.Context(), admin)
			for end := time.Now().Add(time.Minute); err == nil && len(left) == 0 && time.Now().Before(end); left, err = Leftovers(t.Context(), admin) {
				time.Sleep(20 * time.Millisecond) // sessions may still be ending
			}
			if err != nil || len(left) != 1 || left[0].Record.Files == nil || left[0].Record.Files.Begun {
				t.Errorf("left %+v, %v", left, err)
			}
			s.cleanAll(t)
			s.drop("target")
		})
	}
}

// TestRun_IdleTimeout restores on servers that end idle sessions: those of
// pg_restore wait for one another.
func TestRun_IdleTimeout(t *testing.T) {
	for _, bin := range binDirs() {
		s := newSite(t, bin)
		idle := "NULL"
		if s.one(s.admin, "SELECT current_setting('server_version_num')::int >= 140000") == "true" {
			s.exec(s.admin, "ALTER ROLE CURRENT_USER SET idle_session_timeout = '10min'")
			t.Cleanup(func() { s.exec(s.admin, "ALTER ROLE CURRENT_USER RESET idle_session_timeout") })
			idle = "0"
		}
		backup := s.backup(`CREATE TABLE seen (setting text PRIMARY KEY, value text)`,
			// An index is built by a session of pg_restore.
			`CREATE FUNCTION setting(name text, want text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
				IF COALESCE(current_setting(name, true), 'NULL') <> want AND pg_catalog.current_database() LIKE 'odx-tmp-%' THEN
					RAISE EXCEPTION '% is % for %', name, current_setting(name, true), current_setting('application_name'); END IF;
				RETURN want; END $$`,
			`INSERT INTO seen VALUES ('idle_session_timeout', '`+idle+`')`,
			`CREATE INDEX ON seen (setting(setting, value))`)
		if _, err := s.newRun(backup).do(t.Context()); err != nil {
			t.Errorf("%s: %v", bin, err)
		}
		s.drop("target")
	}
}

// TestRun_EmptyFilestore restores a backup whose filestore was empty and got lost on
// the way, as empty folders do.
func TestRun_EmptyFilestore(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup("DELETE FROM ir_attachment")
	path := filepath.Join(backup, dumpfmt.RecordFile)
	record, err := dumpfmt.ReadRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	record.Filestore.Files = 0
	data, err := record.Encode()
	if err := errors.Join(err, os.WriteFile(path, data, 0o600), os.RemoveAll(filepath.Join(backup, dumpfmt.FilestoreDir))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.newRun(backup).do(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRun_OverItself replaces a database by its own backup: it is to be said whether
// it becomes a copy.
func TestRun_OverItself(t *testing.T) {
	s := newSite(t, "")
	const uuid = "INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', '6a0e0e0e-0000-11ee-8000-000000000001')"
	backup := s.backup(uuid)
	first := s.newRun(backup)
	first.Copy = false
	if _, err := first.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := s.newRun(backup)
	r.Force = true
	record, err := dumpfmt.ReadRecord(filepath.Join(backup, dumpfmt.RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	other := *record // as of a database whose copy this one is
	record.Database.Name = "target"
	rewrite := func(record *dumpfmt.Record) {
		data, err := record.Encode()
		if err := errors.Join(err, os.WriteFile(filepath.Join(backup, dumpfmt.RecordFile), data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(record)
	if _, err := r.do(t.Context()); !errors.Is(err, ErrSame) {
		t.Fatalf("got %v", err)
	}
	rewrite(&other)
	// Of a script nobody knows before.
	script := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(script, s.script(odooTables, uuid), 0o600); err != nil {
		t.Fatal(err)
	}
	r = s.newRun(script)
	r.Force, r.Filestore = true, ""
	report, err := r.do(t.Context())
	if err != nil || !strings.Contains(strings.Join(report.Warnings, "\n"), "--move keeps them") {
		t.Errorf("%v, warnings %q", err, report.Warnings)
	}
	// It is another one by now.
	r = s.newRun(backup)
	r.Force = true
	if _, err := r.do(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRun_BySuperuser restores, for an owner who is no superuser, what pg_restore
// restores as one: from an archive and from a script.
func TestRun_BySuperuser(t *testing.T) { onServers(t, testBySuperuser) }

func testBySuperuser(t *testing.T, s *site) {
	s.exec(s.admin, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'plain') THEN CREATE ROLE plain LOGIN; END IF; END $$`)
	statements := []string{
		`CREATE EXTENSION pg_trgm SCHEMA pg_catalog`,
		`CREATE TABLE named (name text)`,
		`CREATE INDEX likes ON named USING gin (name gin_trgm_ops)`,
		`CREATE FUNCTION alike(text) RETURNS bool LANGUAGE sql SET myapp.tenant TO '1' AS $$ SELECT $1 % 'x' $$`,
		`COMMENT ON SCHEMA public IS 'of the house'`,
		`CREATE TYPE a AS (n int); CREATE FUNCTION a2i(a) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n'; CREATE CAST (a AS int) WITH FUNCTION a2i(a)`,
		`CREATE TYPE b AS (n int); CREATE FUNCTION b2i(b) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n'; CREATE CAST (b AS int) WITH FUNCTION b2i(b)`,
	}
	script := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(script, s.script(append([]string{odooTables}, statements...)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, backup := range []string{s.backup(statements...), script} {
		r := s.newRun(backup)
		r.Owner, r.Filestore = "plain", ""
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c := s.connect("target")
		got := s.one(c, `SELECT concat_ws(', ', (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_trgm'),
			(SELECT proconfig || proowner::regrole::text FROM pg_proc WHERE proname = 'alike'), to_regclass('likes'), (SELECT count(*) FROM pg_cast WHERE castfunc IN ('a2i'::regproc, 'b2i'::regproc)), obj_description('public'::regnamespace))`)
		if want := "pg_catalog, {myapp.tenant=1,plain}, likes, 2, of the house"; got != want {
			t.Errorf("%s: %s, want %s; left out %v", backup, got, want, report.LeftOut)
		}
		c.Close(t.Context())
		s.drop("target")
	}
}

// TestRun_KitchenScript restores a script with every kind of entry, as a superuser
// for an owner who is none.
func TestRun_KitchenScript(t *testing.T) {
	for _, bin := range binDirs() {
		s := newSite(t, bin)
		t.Cleanup(func() { s.dropAll("target") })
		r := s.newKitchen()
		r.Source = filepath.Join("../../dumpfmt/rebuild/testdata", s.newestVersion(), "plain.sql.gz")
		if _, err := r.do(t.Context()); err != nil {
			t.Errorf("%s: %v", bin, err)
		}
		s.dropAll("target")
	}
}

// TestScript_OverloadedACL has functions of one name, of which the last one has an
// ACL.
func TestScript_OverloadedACL(t *testing.T) {
	s := newSite(t, "")
	text := s.script("CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 2'",
		"REVOKE ALL ON FUNCTION f(text) FROM PUBLIC")
	result, err := rebuild.ReadHead(bytes.NewReader(text), rebuild.Options{Name: "dump.sql"})
	if err != nil {
		t.Fatal(err)
	}
	entries := result.TOC.ByID()
	for i := range result.TOC.Entries {
		if e := &result.TOC.Entries[i]; e.Desc == "ACL" {
			if len(e.Dependencies) == 0 || entries[e.Dependencies[0]].Tag != "f(text)" {
				t.Errorf("the ACL of %s depends on %v", e.Tag, e.Dependencies)
			}
			return
		}
	}
	t.Error("no ACL")
}
