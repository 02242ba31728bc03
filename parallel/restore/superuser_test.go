package restore

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
