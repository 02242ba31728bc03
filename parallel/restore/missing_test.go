package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const withRoles = `
CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION secret() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION secret() TO reader;
CREATE TABLE ledger (id int PRIMARY KEY, who text);
GRANT SELECT ON ledger TO reader;
GRANT SELECT ON ledger TO stays;
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY pair ON ledger AS RESTRICTIVE TO reader, stays USING (who IN (SELECT l.who FROM ledger l));
COMMENT ON POLICY pair ON ledger IS 'two';
CREATE POLICY one ON ledger TO reader USING (true);
COMMENT ON POLICY one ON ledger IS 'one';
ALTER DEFAULT PRIVILEGES FOR ROLE reader GRANT SELECT ON TABLES TO stays;
ALTER DEFAULT PRIVILEGES FOR ROLE stays GRANT SELECT ON TABLES TO PUBLIC;
INSERT INTO ledger SELECT g, g FROM generate_series(1, 50) g`

// roleFacts is what the roles of withRoles may do.
const roleFacts = `SELECT concat_ws(' ', (SELECT count(*) FROM ledger),
	(SELECT array_to_string(proacl, ',') FROM pg_proc WHERE proname = 'secret'),
	has_table_privilege('stays', 'ledger', 'SELECT'),
	(SELECT string_agg(polname || polroles::regrole[]::text || obj_description(oid, 'pg_policy'), ' ' ORDER BY polname) FROM pg_policy),
	(SELECT string_agg(defaclrole::regrole::text, ' ') FROM pg_default_acl))`

// makeRoles makes the roles, dumps a database that names them in each way, and
// takes one of them away.
func (s *site) makeRoles() (backups map[string]string) {
	s.t.Helper()
	s.exec(s.admin, "DROP ROLE IF EXISTS reader; DROP ROLE IF EXISTS stays; CREATE ROLE reader; CREATE ROLE stays")
	backups = map[string]string{"fast": s.backup(withRoles)}
	file := filepath.Join(s.t.TempDir(), "dump")
	if err := os.WriteFile(file+".sql", s.script(withRoles), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.tool("pg_dump", "-Fc", "--file="+file+".dump", "--dbname="+s.DSN("source"))
	backups["script"], backups["custom"] = file+".sql", file+".dump"
	s.drop("source")
	s.exec(s.admin, "DROP ROLE reader")
	return backups
}

// TestRun_MissingRoles leaves out what names a role that is gone, and no more;
// makes the role; or refuses before the load. It is the same from every layout.
func TestRun_MissingRoles(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			for name, backup := range s.makeRoles() {
				t.Run(name, func(t *testing.T) { testMissingRoles(t, s, backup) })
			}
		})
	}
}

func testMissingRoles(t *testing.T, s *site, backup string) {
	r := s.newRun(backup)
	r.Filestore, r.MissingRoles = "", FailMissing
	r.hook = func(step string) { t.Errorf("went on to: %s", step) }
	var missing *MissingRolesError
	if _, err := r.do(t.Context()); !errors.As(err, &missing) || fmt.Sprint(missing.Roles) != "[reader]" {
		t.Errorf("error %v", err)
	}
	s.nothingLeft()

	owner := s.User()
	for _, tt := range []struct {
		mode MissingRoles
		want string
	}{
		{SkipMissing, "50 " + owner + "=X/" + owner + " t pair{stays}two stays"},
		{CreateMissing, "50 " + owner + "=X/" + owner + ",reader=X/" + owner + " t one{reader}one pair{reader,stays}two reader stays"},
	} {
		r := s.newRun(backup)
		r.Filestore, r.MissingRoles = "", tt.mode
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.one(s.connect("target"), roleFacts); got != tt.want {
			t.Errorf("%d: %s, want %s", tt.mode, got, tt.want)
		}
		wantOmissions(t, report, tt.mode == SkipMissing)
		s.drop("target")
	}
	if got := s.one(s.admin, "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reader'"); got != "false" {
		t.Errorf("the new role may log in: %s", got)
	}
	s.exec(s.admin, "DROP ROLE reader")
}

func wantOmissions(t *testing.T, report *Report, skipped bool) {
	t.Helper()
	text, warnings := fmt.Sprint(report.LeftOut), strings.Join(report.Warnings, "\n")
	if !skipped {
		if len(report.LeftOut) > 0 || !strings.Contains(fmt.Sprint(report.Added), `role "reader"`) {
			t.Errorf("left out %s, added %q", text, report.Added)
		}
		return
	}
	for _, want := range []string{"GRANT ALL ON FUNCTION public . secret ( ) TO reader", "GRANT SELECT ON TABLE public . ledger TO reader",
		"POLICY ledger pair", "POLICY ledger one", "POLICY one ON ledger", "FOR ROLE reader"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not named: %s", want, text)
		}
	}
	if strings.Contains(text, "TO stays") && !strings.Contains(text, "FOR ROLE reader") || strings.Count(warnings, `role "reader" does not exist`) != 1 {
		t.Errorf("left out %s\n%s", text, warnings)
	}
}

// TestRun_MissingRoles_Undone fails after the roles were made: they are gone.
// A role without CREATEROLE is refused before anything is made.
func TestRun_MissingRoles_Undone(t *testing.T) { onServers(t, testMissingRolesUndone) }

func testMissingRolesUndone(t *testing.T, s *site) {
	backup := s.makeRoles()["fast"]
	r := s.newRun(backup)
	r.MissingRoles = CreateMissing
	r.hook = func(step string) {
		if step == "loaded" {
			s.exec(s.admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'odx restore%'")
		}
	}
	if _, err := r.do(t.Context()); err == nil {
		t.Error("no error")
	}
	s.nothingLeft()
	if got := s.one(s.admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'reader'"); got != "0" {
		t.Error("the role is left")
	}
	s.exec(s.admin, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN CREATEDB")
	r = s.newRun(backup)
	r.Server, r.MissingRoles = s.settings("modest"), CreateMissing
	r.hook = func(step string) { t.Errorf("went on to: %s", step) }
	var role *RoleError
	if _, err := r.do(t.Context()); !errors.As(err, &role) || !strings.Contains(err.Error(), "CREATEROLE") {
		t.Errorf("error %v", err)
	}
	r = s.newRun(backup)
	r.Server, r.Filestore = s.settings("modest"), ""
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(report.LeftOut); !strings.Contains(text, `may act for role "stays"`) {
		t.Errorf("left out: %s", text)
	}
}

// TestRun_NoPrivileges has the report of a dump with GRANTs of its own on the
// schema public say what was done: Odoo's own grant there, and none of the dump's.
func TestRun_NoPrivileges(t *testing.T) { onServers(t, testNoPrivileges) }

func testNoPrivileges(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS reader; DROP ROLE IF EXISTS stays; CREATE ROLE reader; CREATE ROLE stays")
	backup := s.backup("REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO stays; GRANT SELECT ON ir_attachment TO reader")
	s.drop("source")
	s.exec(s.admin, "DROP ROLE reader")
	for _, without := range []bool{true, false} {
		r := s.newRun(backup)
		r.Filestore, r.NoPrivileges = "", without
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c := s.connect("target")
		if got := s.one(c, "SELECT has_schema_privilege('stays', 'public', 'CREATE')"); got != "true" {
			t.Errorf("without %t: CREATE of stays: %s", without, got) // by Odoo's grant to PUBLIC, or its own
		}
		public := s.one(c, "SELECT bool_or(grantee = 0 AND privilege_type = 'CREATE') FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'public'")
		added := strings.Contains(fmt.Sprint(report.Added), "public")
		if public != fmt.Sprint(without) || added != without || (len(report.LeftOut) == 0) != without {
			t.Errorf("without %t: public may create: %s, added %q, left out %v", without, public, report.Added, report.LeftOut)
		}
		s.drop("target")
	}
}

// TestRun_UnaccentWrapper has the wrapper around unaccent that Odoo.sh and others
// make: what calls it is restored by a role that may not change the extension.
func TestRun_UnaccentWrapper(t *testing.T) { onServers(t, testUnaccentWrapper) }

func testUnaccentWrapper(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN CREATEDB")
	r := s.newRun(s.backup(`CREATE SCHEMA unaccent_schema; CREATE EXTENSION unaccent WITH SCHEMA unaccent_schema`,
		`CREATE FUNCTION public.unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT unaccent_schema.unaccent('unaccent_schema.unaccent', $1) $$`,
		`CREATE TABLE named (name text); CREATE UNIQUE INDEX one ON named (unaccent(name))`))
	r.Server, r.Filestore = s.settings("modest"), ""
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.one(s.connect("target"), "SELECT string_agg(indexname, ' ') FROM pg_indexes WHERE tablename = 'named'"); got != "one" || len(report.LeftOut) > 0 {
		t.Errorf("indexes: %s; left out %v", got, report.LeftOut)
	}
}

// TestRun_UnaccentVolatile restores as a role that may not make unaccent
// IMMUTABLE: indexes that call it are left out and named, unless they are unique.
func TestRun_UnaccentVolatile(t *testing.T) { onServers(t, testUnaccentVolatile) }

func testUnaccentVolatile(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN CREATEDB")
	const extension = "CREATE EXTENSION unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE; CREATE TABLE named (name text)"
	const index = "CREATE INDEX plainly ON named (unaccent(name)); COMMENT ON INDEX plainly IS 'x'; CREATE INDEX kept ON named (name)"
	file := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(file, s.script(extension, index), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, backup := range []string{s.backup(extension, index), file} {
		r := s.newRun(backup)
		r.Server, r.Filestore = s.settings("modest"), ""
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.one(s.connect("target"), "SELECT string_agg(indexname, ' ') FROM pg_indexes WHERE tablename = 'named'"); got != "kept" {
			t.Errorf("indexes: %s", got)
		}
		if text := fmt.Sprint(report.LeftOut); !strings.Contains(text, "INDEX plainly") || !strings.Contains(strings.Join(report.Warnings, "\n"), "plainly") {
			t.Errorf("left out %s, warnings %q", text, report.Warnings)
		}
		s.drop("target")
	}
	r := s.newRun(s.backup(extension, "CREATE UNIQUE INDEX one ON named (unaccent(name))"))
	r.Server, r.Filestore = s.settings("modest"), ""
	r.hook = func(step string) {
		if step != "database created" && step != "database dropped" {
			t.Errorf("went on to: %s", step)
		}
	}
	var x *ExtensionError
	if _, err := r.do(t.Context()); !errors.As(err, &x) {
		t.Errorf("error %v", err)
	}
	s.nothingLeft()
}
