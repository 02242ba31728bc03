package restore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// tampered is an archive like the one of a backup, of which one entry has another
// definition or COPY.
func (s *site) tampered(of string, change func(toc *pgarchive.TOC)) string {
	s.t.Helper()
	backup := filepath.Join(s.t.TempDir(), "tampered")
	if err := os.CopyFS(backup, os.DirFS(filepath.Join(of, dumpfmt.ArchiveDir))); err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(backup, "toc.dat")
	a, err := pgarchive.Open(filepath.Dir(path))
	if err != nil {
		s.t.Fatal(err)
	}
	change(a.TOC)
	f, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	err = errors.Join(pgarchive.WriteTOC(f, a.TOC), f.Close())
	if err != nil {
		s.t.Fatal(err)
	}
	return backup
}

// define gives the first entry of a kind another definition.
func define(kind, sql string) func(*pgarchive.TOC) {
	return func(toc *pgarchive.TOC) {
		for i := range toc.Entries {
			if e := &toc.Entries[i]; e.Desc == kind {
				e.Defn = pgarchive.Str(sql)
				return
			}
		}
	}
}

// TestRun_Hostile restores dumps that try to reach more than their database, as a
// role that is no superuser but owns another database. Each is refused, for a
// superuser too, or the server refuses it; what stands outside is as before.
func TestRun_Hostile(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup("CREATE VIEW seen AS SELECT 1 AS a; COMMENT ON VIEW seen IS 'seen'; GRANT SELECT ON seen TO PUBLIC")
	marker := filepath.Join(s.Host(), "marker")
	s.exec(s.admin, "DROP DATABASE IF EXISTS victim")
	s.exec(s.admin, "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN CREATEDB")
	s.exec(s.admin, "CREATE DATABASE victim OWNER stranger")
	t.Cleanup(func() { s.exec(s.admin, "DROP DATABASE victim"); s.exec(s.admin, "DROP ROLE stranger") })
	outside := func() string {
		return s.one(s.admin, `SELECT concat_ws(' ', (SELECT string_agg(rolname, ',' ORDER BY 1) FROM pg_roles), (SELECT string_agg(datname, ',' ORDER BY 1) FROM pg_database),
			(SELECT count(*) FROM pg_db_role_setting), (SELECT rolsuper FROM pg_roles WHERE rolname = 'stranger'))`)
	}
	shell := "COPY (SELECT 1) TO PROGRAM 'cat > " + marker + "'"
	inFunction := func(sql string) string {
		return "CREATE FUNCTION public.evil() RETURNS integer LANGUAGE plpgsql AS $f$ BEGIN EXECUTE $e$" + sql + "$e$; RETURN 1; END $f$; SELECT public.evil();"
	}
	for _, tc := range []struct {
		name    string
		change  func(*pgarchive.TOC)
		refused string // by odx, which says so; "" if the server has to do it
		says    string
	}{
		{"drop database", define("VIEW", "DROP DATABASE victim;"), "DROP DATABASE", ""},
		{"alter database", define("VIEW", "alter database victim rename to gone;"), "alter database", ""},
		{"create database", define("VIEW", "SELECT 1; CREATE DATABASE more;"), "CREATE DATABASE", ""},
		{"create role", define("VIEW", "CREATE ROLE more SUPERUSER;"), "CREATE ROLE", ""},
		{"create user", define("VIEW", "CREATE USER more;"), "CREATE USER", ""},
		{"alter system", define("VIEW", "ALTER /* */ SYSTEM SET fsync = off;"), "ALTER SYSTEM", ""},
		{"reset role", define("VIEW", "RESET ROLE; SELECT 1;"), "RESET ROLE", ""},
		{"session authorization", define("VIEW", "SET SESSION AUTHORIZATION postgres;"), "SET SESSION", ""},
		{"do", define("VIEW", "DO $$ BEGIN NULL; END $$;"), "DO", ""},
		{"copy to program", define("VIEW", shell+";"), "COPY", ""},
		{"copy to file", define("VIEW", "COPY (SELECT 1) TO '"+marker+"';"), "COPY", ""},
		{"comment and more", define("COMMENT", "COMMENT ON VIEW public.seen IS 'x'; SELECT 1;"), "comment with another statement", ""},
		{"privileges and more", define("ACL", "SET SESSION AUTHORIZATION postgres; SELECT 1; RESET SESSION AUTHORIZATION;"), "privileges with another statement", ""},
		{"a role to another", define("ACL", "SET SESSION AUTHORIZATION postgres; GRANT postgres TO stranger; RESET SESSION AUTHORIZATION;"), "privileges with another statement", ""},
		{"rows from a program", func(toc *pgarchive.TOC) {
			for i := range toc.Entries {
				if e := &toc.Entries[i]; e.Tag == "ir_module_module" && e.Desc == pgarchive.DescTableData {
					e.CopyStmt = pgarchive.Str("COPY public.ir_module_module (name, state, latest_version) FROM PROGRAM 'touch " + marker + "';\n")
				}
			}
		}, "FROM PROGRAM", ""},
		{"rows from a file elsewhere", func(toc *pgarchive.TOC) {
			for i := range toc.Entries {
				if e := &toc.Entries[i]; e.Tag == "ir_module_module" && e.Desc == pgarchive.DescTableData {
					e.File = "../../../../../../../etc/passwd"
				}
			}
		}, "not the name of a file", ""},
		{"psql's connect", define("VIEW", "\\connect victim\nCREATE TABLE public.here (a integer);"), "", "syntax error"},
		{"psql's shell", define("VIEW", "\\! touch "+marker), "", "syntax error"},
		{"program in a function", define("VIEW", inFunction(shell)), "", "42501|pg_execute_server_program|superuser"},
		{"file in a function", define("VIEW", inFunction("COPY (SELECT 1) TO '"+marker+"'")), "", "pg_write_server_files|superuser"},
		{"drop in a function", define("VIEW", inFunction("DROP DATABASE victim")), "", "cannot be executed from a function|inside a transaction block"},
		{"role in a function", define("VIEW", inFunction("CREATE ROLE more SUPERUSER")), "", "permission denied|must be superuser"},
		{"role raised in a function", define("VIEW", inFunction("ALTER ROLE stranger SUPERUSER")), "", "permission denied|must be superuser"},
		{"import", define("VIEW", "SELECT pg_catalog.lo_import('/etc/passwd');"), "", "permission denied"},
		{"export", define("VIEW", "SELECT pg_catalog.lo_export(1, '"+marker+"');"), "", "permission denied"},
		{"read a file", define("VIEW", "SELECT pg_catalog.pg_read_file('/etc/passwd');"), "", "permission denied"},
		{"untrusted extension", define("VIEW", "CREATE EXTENSION dblink SCHEMA public;"), "", "permission denied|not available"},
		{"untrusted language", define("VIEW", "CREATE LANGUAGE plpython3u;"), "", "permission denied|not available"},
		{"C function", define("VIEW", "CREATE FUNCTION public.c() RETURNS integer LANGUAGE c AS 'libc', 'system';"), "", "permission denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &site{Cluster: s.Cluster, t: t, admin: s.admin, data: s.data}
			users := []string{"stranger"}
			if tc.refused != "" {
				users = append(users, s.User())
			}
			for _, user := range users {
				r := s.newRun(s.tampered(backup, tc.change))
				r.Server, r.Filestore, r.Analyze = s.settings(user), "", false
				before := outside()
				_, err := r.do(t.Context())
				switch {
				case err == nil:
					t.Errorf("restored as %s", user)
				case tc.refused != "" && (!errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), tc.refused)):
					t.Errorf("not refused for %q: %v", tc.refused, err)
				case tc.refused == "" && !saysOne(err.Error(), tc.says):
					t.Errorf("%v", err)
				}
				if got := outside(); got != before {
					t.Errorf("outside: %s\nbefore:  %s", got, before)
				}
				if _, err := os.Lstat(marker); err == nil {
					t.Error("it wrote a file")
				}
				s.nothingLeft()
			}
		})
	}
}

// saysOne tells whether a text has one of the words.
func saysOne(text, words string) bool {
	for word := range strings.SplitSeq(words, "|") {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// TestRefuseStrange lets pass what pg_dump writes.
func TestRefuseStrange(t *testing.T) {
	for _, good := range []string{
		"CREATE USER MAPPING FOR odoo SERVER far;\n", "SET client_encoding = 'UTF8';\n", "CREATE TABLE public.role (\n    database integer\n);\n",
		"CREATE RULE r AS ON INSERT TO a DO INSTEAD (INSERT INTO b DEFAULT VALUES; DELETE FROM c);\n",
		"CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$DROP DATABASE x; COPY a TO PROGRAM 'b'$$;\n",
		"CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\n",
	} {
		if err := strange(&pgarchive.Entry{Desc: "TABLE", Defn: pgarchive.Str(good)}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, good := range []string{
		"GRANT SELECT ON TABLE public.t TO a;\nSET SESSION AUTHORIZATION a;\nGRANT SELECT(x) ON TABLE public.t TO \"on\" WITH GRANT OPTION;\nRESET SESSION AUTHORIZATION;\n",
		"REVOKE ALL ON SCHEMA public FROM PUBLIC;\n", "REVOKE GRANT OPTION FOR ALL ON FUNCTION public.f(integer) FROM a;\n",
		"ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA public GRANT SELECT ON TABLES TO b;\n", "GRANT ALL ON LARGE OBJECT 7 TO a;\n",
	} {
		if err := strange(&pgarchive.Entry{Desc: "ACL", Defn: pgarchive.Str(good)}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"SET SESSION AUTHORIZATION a; SELECT 1;", "SELECT 1;", "GRANT a TO b;", "REVOKE a FROM b;", "SET SESSION AUTHORIZATION a b;", "RESET ROLE;",
	} {
		if err := strange(&pgarchive.Entry{Desc: "ACL", Defn: pgarchive.Str(bad)}); err == nil {
			t.Errorf("%s: passed", bad)
		}
	}
	for _, good := range []string{
		"COPY public.t  FROM stdin;\n", `COPY "od d"."from" (a, "from", program, "x;y") FROM stdin;` + "\n",
	} {
		if err := strange(&pgarchive.Entry{Desc: pgarchive.DescTableData, CopyStmt: pgarchive.Str(good)}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"COPY t FROM '/etc/passwd';", "COPY t FROM PROGRAM 'id';", "COPY t FROM stdin; DROP TABLE t;", "SELECT 1;", "COPY (SELECT 1) TO PROGRAM 'id'; COPY t FROM stdin;", ";",
	} {
		if err := strange(&pgarchive.Entry{Desc: pgarchive.DescTableData, CopyStmt: pgarchive.Str(bad)}); err == nil {
			t.Errorf("%s: passed", bad)
		}
	}
}
