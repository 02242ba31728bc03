package restore

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tool runs one of PostgreSQL's programs.
func (s *site) tool(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.BinDir(), name), args...)
	cmd.Env = append(os.Environ(), s.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// text is pg_dump's of a database, without what differs from run to run.
func (s *site) text(database string) string {
	s.t.Helper()
	text := s.tool("pg_dump", "--no-owner", "--dbname="+s.DSN(database))
	return regexp.MustCompile(`(?m)^\\(un)?restrict .*$`).ReplaceAllString(text, "")
}

// dropAll drops a database that has subscriptions.
func (s *site) dropAll(name string) {
	s.t.Helper()
	admin, err := s.settings(s.User()).Open(context.Background(), "postgres", "odx test")
	if err == nil {
		err = dropSubscriptions(context.Background(), s.settings(s.User()), admin, name)
		admin.Close()
	}
	if err != nil {
		s.t.Error(err)
	}
	s.drop(name)
}

// newKitchen prepares the restore of an archive with every kind of entry, as
// a superuser for an owner who is none.
func (s *site) newKitchen() *run {
	s.t.Helper()
	roles, err := os.ReadFile("../../dumpfmt/rebuild/testdata/roles.sql")
	if err != nil {
		s.t.Fatal(err)
	}
	s.exec(s.admin, string(roles))
	s.exec(s.admin, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'plain') THEN CREATE ROLE plain LOGIN; END IF; END $$`)
	r := s.newRun(filepath.Join("../../dumpfmt/pgarchive/testdata", s.newestVersion(), "kitchen.dump"))
	r.Owner, r.Filestore, r.Copy = "plain", "", false
	return r
}

// newestVersion is that of the newest archive of the tests that the server takes.
func (s *site) newestVersion() string {
	newest := versions[0]
	for _, v := range versions {
		if v <= fmt.Sprintf("pg%d", s.Major()) {
			newest = v
		}
	}
	return newest
}

// TestRun_EveryKind has PostgreSQL's own restore as the judge: nothing is left
// out, and all that can be is the owner's.
func TestRun_EveryKind(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			r := s.newKitchen()
			s.exec(s.admin, "DROP ROLE IF EXISTS judge; CREATE ROLE judge SUPERUSER LOGIN")
			s.exec(s.admin, "CREATE DATABASE judge OWNER judge TEMPLATE template0 LC_COLLATE 'C'")
			t.Cleanup(func() { s.dropAll("judge"); s.exec(s.admin, "DROP ROLE judge") })
			s.tool("pg_restore", "--no-owner", "--exit-on-error", "--username=judge", "--dbname=judge", r.Source)
			report, err := r.do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.dropAll("target") })
			for _, w := range report.Warnings {
				if strings.Contains(w, "left out") {
					t.Error(w)
				}
			}
			if !slices.Contains(report.Superuser, "EVENT TRIGGER ddl_off") || slices.Contains(report.Superuser, "TYPE mood") {
				t.Errorf("made by the superuser: %q", report.Superuser)
			}
			if got, want := s.text("target"), strings.ReplaceAll(s.text("judge"), "judge", "plain"); got != want {
				t.Errorf("the text differs\n%s", firstDifference(got, want))
			}
			c := s.connect("target")
			defer c.Close(t.Context())
			if got := s.one(c, notOwners); got != "" {
				t.Errorf("not the owner's: %s", got)
			}
			s.exec(c, "SET ROLE plain; INSERT INTO pantry.empty DEFAULT VALUES; DELETE FROM pantry.empty; CREATE TABLE pantry.mine (a pantry.base_int)")
		})
	}
}

// notOwners lists what belongs to neither the owner nor an extension, nor has
// to be a superuser's.
const notOwners = `SELECT concat_ws(', ',
	(SELECT string_agg(oid::regclass::text, ' ') FROM pg_class c WHERE relowner <> 'plain'::regrole AND oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace),
	(SELECT string_agg(oid::regprocedure::text, ' ') FROM pg_proc p WHERE proowner <> 'plain'::regrole AND oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND deptype = 'e')),
	(SELECT string_agg(oid::regoperator::text, ' ') FROM pg_operator p WHERE oprowner <> 'plain'::regrole AND oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND deptype = 'e')),
	(SELECT string_agg(oid::regtype::text, ' ') FROM pg_type t WHERE typowner <> 'plain'::regrole AND oid >= 16384 AND typisdefined AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid IN (t.oid, t.typelem) AND deptype = 'e')),
	(SELECT string_agg(srvname, ' ') FROM pg_foreign_server WHERE srvowner <> 'plain'::regrole),
	(SELECT string_agg(nspname, ' ') FROM pg_namespace WHERE nspowner <> 'plain'::regrole AND oid >= 16384 AND nspname NOT LIKE 'pg_%' AND nspname <> 'public'))`

// TestRun_EveryKind_Undone fails when all is there, a subscription too, which
// keeps a database from being dropped.
func TestRun_EveryKind_Undone(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			r := s.newKitchen()
			ctx, cancel := context.WithCancel(t.Context())
			r.hook = func(step string) {
				if step == "finished" {
					s.exec(s.admin, `ALTER DATABASE "`+r.target.temp+`" SET default_transaction_read_only = on`)
					if got := s.one(s.connect(r.target.temp), "SELECT count(*) FROM pg_subscription"); got == "0" {
						t.Error("there is no subscription")
					}
					cancel()
				}
			}
			if _, err := r.do(ctx); err == nil {
				t.Error("no error")
			}
			s.nothingLeft()
		})
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return "got\n" + strings.Join(a[max(i-5, 0):min(i+15, len(a))], "\n") + "\nwant\n" + strings.Join(b[max(i-5, 0):min(i+15, len(b))], "\n")
		}
	}
	return "got less"
}

// privileged is what only a superuser can make, and uses of it.
const privileged = `
CREATE FUNCTION trigrams(text) RETURNS text[] LANGUAGE c IMMUTABLE STRICT AS '$libdir/pg_trgm', 'show_trgm';
CREATE FOREIGN DATA WRAPPER bare;
CREATE SERVER bare FOREIGN DATA WRAPPER bare;
CREATE USER MAPPING FOR plain SERVER bare OPTIONS (user 'x');
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE PUBLICATION one FOR TABLE ir_attachment;
COMMENT ON PUBLICATION everything IS 'all';
CREATE SUBSCRIPTION from_nowhere CONNECTION 'host=/nowhere dbname=x' PUBLICATION p WITH (connect = false);
`

// usesOfPrivileged holds rows that need what only a superuser can make.
const usesOfPrivileged = `
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE hello (line text) SERVER files OPTIONS (program 'echo hello');
CREATE VIEW greeting AS SELECT upper(line) AS line FROM hello;
CREATE TABLE counted (name text, n int GENERATED ALWAYS AS (array_length(trigrams(name), 1)) STORED);
INSERT INTO counted VALUES ('word');`

// TestRun_Privileged restores, for an owner who is no superuser, a database
// that a superuser has worked in.
func TestRun_Privileged(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) { testPrivileged(t, newSite(t, bin)) })
	}
}

func testPrivileged(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS maker; DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; CREATE ROLE maker LOGIN CREATEDB IN ROLE plain")
	t.Cleanup(func() { s.dropAll("source"); s.dropAll("target") })
	backup := s.backup(privileged, usesOfPrivileged, quiet)
	s.dropAll("source")
	r := s.newRun(backup)
	r.Owner, r.Filestore = "plain", ""
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range report.Warnings {
		if strings.Contains(w, "left out") {
			t.Error(w)
		}
	}
	c := s.connect("target")
	s.exec(c, "SET ROLE plain; INSERT INTO counted VALUES ('owner'); INSERT INTO ir_attachment DEFAULT VALUES; ALTER FUNCTION trigrams(text) RENAME TO pieces")
	for sql, want := range map[string]string{
		"SELECT string_agg(line, '') FROM greeting":                                                                        "HELLO",
		"SELECT string_agg(name || n, ' ' ORDER BY name) FROM counted":                                                     "owner6 word5",
		"SELECT string_agg(evtname, ' ') FROM pg_event_trigger":                                                            "ddl",
		"SELECT string_agg(pubname || obj_description(oid, 'pg_publication'), ' ') FROM pg_publication WHERE puballtables": "everythingall",
		"SELECT count(*) FROM pg_publication WHERE pubowner = 'plain'::regrole":                                            "1",
		"SELECT string_agg(subname || subenabled, ' ') FROM pg_subscription":                                               "from_nowherefalse",
		"SELECT count(*) FROM pg_user_mappings WHERE usename = 'plain'":                                                    "1",
		"SELECT count(*) FROM pg_foreign_server WHERE srvowner = 'plain'::regrole":                                         "2",
		"SELECT count(*) FROM log WHERE what = 'ddl'":                                                                      "1", // of the RENAME
	} {
		if got := s.one(c, sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	c.Close(t.Context())
	s.dropAll("target")
	testUnprivileged(t, s)
}

// testUnprivileged has no superuser at all: what takes one is left out and
// named, unless rows depend on it.
func testUnprivileged(t *testing.T, s *site) {
	backup := s.backup(quiet, privileged)
	s.dropAll("source")
	r := s.newRun(backup)
	r.Server, r.Owner, r.Filestore = s.settings("maker"), "plain", ""
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(report.Warnings, "\n")
	for _, name := range []string{"FUNCTION trigrams(text)", "FOREIGN DATA WRAPPER bare", "SERVER bare", "USER MAPPING plain SERVER bare",
		"EVENT TRIGGER ddl", "PUBLICATION everything", "SUBSCRIPTION from_nowhere"} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not named: %s", name, text)
		}
	}
	if got := s.one(s.connect("target"), "SELECT string_agg(pubname, ' ') FROM pg_publication"); got != "one" {
		t.Errorf("publications: %s", got)
	}
	s.drop("target")
	backup = s.backup(privileged, "CREATE TABLE counted (n text[] DEFAULT trigrams('x')); INSERT INTO counted DEFAULT VALUES")
	s.dropAll("source")
	r = s.newRun(backup)
	r.Server, r.Owner, r.Filestore = s.settings("maker"), "plain", ""
	if _, err := r.do(t.Context()); err == nil || !strings.Contains(err.Error(), "superuser") {
		t.Errorf("rows that need a superuser: %v", err)
	}
	s.nothingLeft()
}
