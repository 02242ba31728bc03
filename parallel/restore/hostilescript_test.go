package restore

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// scriptFiles puts a script into each file that scripts come in, by suffix.
func scriptFiles(t *testing.T, script []byte) map[string]string {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(script); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"zip": makeZip(t, script, nil)}
	for suffix, data := range map[string][]byte{"sql": script, "sql.gz": packed.Bytes()} {
		files[suffix] = filepath.Join(t.TempDir(), "dump."+suffix)
		if err := os.WriteFile(files[suffix], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// change replaces what must be in a script once.
func change(t *testing.T, script []byte, old, new string) []byte {
	t.Helper()
	if n := bytes.Count(script, []byte(old)); n != 1 {
		t.Fatalf("%q is %d times in the script", old, n)
	}
	return bytes.Replace(script, []byte(old), []byte(new), 1)
}

// makeStranger makes a role that is no superuser.
func (s *site) makeStranger() {
	s.t.Helper()
	s.exec(s.admin, "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN CREATEDB")
	s.t.Cleanup(func() { s.drop("target"); s.exec(s.admin, "DROP ROLE stranger") })
}

// TestRunScript_Hostile restores scripts with statements that reach programs and
// files of the server, and with psql's commands, from each kind of file. All are
// refused as none of pg_dump's, also where a superuser restores, and nothing of
// them was run: what they write does not exist.
func TestRunScript_Hostile(t *testing.T) {
	s := newSite(t, "")
	s.makeStranger()
	marker, secret := filepath.Join(s.Host(), "marker"), filepath.Join(s.Host(), "secret")
	if err := os.WriteFile(secret, []byte("7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(secret) })
	script := s.script("CREATE TABLE hostage (a integer)", "INSERT INTO hostage VALUES (4711)")
	const (
		table, data = "CREATE TABLE public.hostage (", "COPY public.hostage (a) FROM stdin;\n4711\n\\.\n"
		end         = "-- PostgreSQL database dump complete\n--\n"

		notRows, command = `COPY statement other than "COPY ... FROM stdin;"`, "psql command"
	)
	for suffix, path := range scriptFiles(t, script) { // as it is, it is restored
		r := s.newScriptRun(path)
		r.Server = s.settings("stranger")
		if _, err := r.do(t.Context()); err != nil {
			t.Errorf("%s: %v", suffix, err)
		}
		s.drop("target")
	}
	program := "PROGRAM 'touch " + marker + "; echo 7'"
	for _, tc := range []struct{ name, old, new, says string }{
		{"rows from a program", data, "COPY public.hostage (a) FROM " + program + ";\n", notRows},
		{"rows from a program and from the script", "FROM stdin;\n4711", "FROM " + program + ";\n4711", notRows},
		{"rows from a file", data, "COPY public.hostage (a) FROM '" + secret + "';\n", notRows},
		{"program and rows", "COPY public.hostage (a) FROM stdin", "COPY (SELECT 1) TO " + program + "; COPY public.hostage (a) FROM stdin", notRows},
		{"program before a table", table, "COPY (SELECT 1) TO " + program + ";\n\n" + table, notRows},
		{"file before a table", table, "COPY (SELECT 1) TO '" + marker + "';\n\n" + table, notRows},
		{"program after the data", data, data + "\n\nCOPY (SELECT 1) TO " + program + ";\n", notRows},
		{"program at the end", end, end + "\nCOPY (SELECT 1) TO " + program + ";\n", notRows},
		{"DO", table, "DO $$ BEGIN COPY (SELECT 1) TO " + program + "; END $$;\n\n" + table, `statement "DO`},
		{"shell at the start", "--\n-- PostgreSQL database dump\n--\n", "--\n-- PostgreSQL database dump\n--\n\n\\! touch " + marker + "\n", command},
		{"shell before a table", table, "\\! touch " + marker + "\n" + table, command},
		{"shell after the data", data, data + "\\! touch " + marker + "\n", command},
		{"shell at the end", end, end + "\\! touch " + marker + "\n", command},
		{"output to a program", table, "\\o |touch " + marker + "\n" + table, command},
		{"psql's copy", data, "\\copy public.hostage (a) from program 'touch " + marker + "; echo 7'\n", command},
		{"another script", table, "\\i " + secret + "\n" + table, command},
		{"statements from a query", table, "SELECT 'CREATE ROLE more' \\gexec\n" + table, "psql would take it for a command"},
		{"backquotes", table, "\\set x `touch " + marker + "`\n" + table, command},
	} {
		for suffix, path := range scriptFiles(t, change(t, script, tc.old, tc.new)) {
			for _, user := range []string{s.User(), "stranger"} {
				t.Run(tc.name+"/"+suffix+"/"+user, func(t *testing.T) {
					s := &site{Cluster: s.Cluster, t: t, admin: s.admin, data: s.data}
					r := s.newScriptRun(path)
					r.Server = s.settings(user)
					_, err := r.do(t.Context())
					if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), tc.says) {
						t.Errorf("not refused for %q: %v", tc.says, err)
					}
					if _, err := os.Lstat(marker); err == nil {
						t.Error("it wrote a file")
						_ = os.Remove(marker)
					}
					s.nothingLeft()
				})
			}
		}
	}
}

// TestRunScript_Function has a script whose INSERT statement calls a function of
// the script. odx runs it: for a superuser it writes a file, a plain role may not.
// It also shows that the file of TestRunScript_Hostile could be written.
func TestRunScript_Function(t *testing.T) {
	s := newSite(t, "")
	s.makeStranger()
	marker := filepath.Join(s.Host(), "marker")
	s.script("CREATE TABLE hostage (a integer)", "INSERT INTO hostage VALUES (4711)",
		"CREATE FUNCTION evil() RETURNS integer LANGUAGE plpgsql AS $f$ BEGIN COPY (SELECT 1) TO PROGRAM 'cat > "+marker+"'; RETURN 1; END $f$")
	text, err := s.program("pg_dump", "--no-owner", "--inserts", s.DSN("source"))
	if err != nil {
		t.Fatal(err)
	}
	for suffix, path := range scriptFiles(t, change(t, []byte(text), "VALUES (4711)", "VALUES (public.evil())")) {
		t.Run(suffix, func(t *testing.T) {
			s := &site{Cluster: s.Cluster, t: t, admin: s.admin, data: s.data}
			r := s.newScriptRun(path)
			r.Server = s.settings("stranger")
			if _, err := r.do(t.Context()); err == nil || !saysOne(err.Error(), "42501|pg_execute_server_program|superuser") {
				t.Errorf("as a plain role: %v", err)
			}
			if _, err := os.Lstat(marker); err == nil {
				t.Error("a plain role wrote a file")
			}
			s.nothingLeft()
			if _, err := s.newScriptRun(path).do(t.Context()); err != nil {
				t.Errorf("as a superuser: %v", err)
			}
			if err := os.Remove(marker); err != nil {
				t.Errorf("a superuser did not write the file: %v", err)
			}
			s.drop("target")
		})
	}
}

// TestStrange has a statement of every kind that no entry may have.
func TestStrange(t *testing.T) {
	for _, bad := range []string{
		"CREATE DATABASE x", "ALTER DATABASE x RENAME TO y", "DROP DATABASE x", "CREATE ROLE x", "ALTER ROLE x SUPERUSER", "DROP ROLE x",
		"CREATE USER x", "ALTER USER x SUPERUSER", "DROP USER x", "CREATE GROUP x", "ALTER GROUP x ADD USER y", "DROP GROUP x",
		"CREATE TABLESPACE x LOCATION '/x'", "ALTER TABLESPACE x OWNER TO y", "DROP TABLESPACE x", "ALTER SYSTEM SET fsync = off",
		"RESET ROLE", "RESET ALL", "RESET SESSION AUTHORIZATION", "SET ROLE x", "SET LOCAL ROLE x", "SET SESSION ROLE x",
		"SET SESSION AUTHORIZATION x", "DO 'x'", "CALL x()", "LOAD 'x'", "COPY x FROM stdin", "COPY x TO PROGRAM 'y'", "CHECKPOINT",
		"REASSIGN OWNED BY x TO y", "DROP OWNED BY x", "GRANT x TO y", "GRANT ALL ON DATABASE x TO y", "REVOKE x FROM y",
	} {
		for _, text := range []string{bad + ";", strings.ToLower(bad), "SELECT 1; /* x */ " + bad + " ;", "-- x\n\n" + bad + "; SELECT 1;"} {
			for _, desc := range []string{"VIEW", "TABLE", "FUNCTION", "COMMENT", "SEQUENCE SET", "EXTENSION"} {
				if err := strange(&pgarchive.Entry{Desc: desc, Defn: pgarchive.Str(text)}); err == nil {
					t.Errorf("%s: %s: passed", desc, text)
				}
			}
		}
	}
}
