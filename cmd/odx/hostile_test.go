package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// smallScript is a script as pg_dump writes it, of a few tables.
func smallScript(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.sql")
	runWithoutServer(t, "convert", filepath.Join(archives, "pg15", "cellar"), path).want(t, exitOK)
	return string(readAll(t, path))
}

// scriptFiles puts a script into each file that scripts come in.
func scriptFiles(t *testing.T, script string) []string {
	t.Helper()
	dir := t.TempDir()
	var zipped, packed bytes.Buffer
	z, g := zip.NewWriter(&zipped), gzip.NewWriter(&packed)
	w, err := z.Create("dump.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := w.Write([]byte(script))
	_, err2 := g.Write([]byte(script))
	if err := errors.Join(err1, err2, z.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for name, data := range map[string][]byte{"x.zip": zipped.Bytes(), "x.sql": []byte(script), "x.sql.gz": packed.Bytes()} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// TestHostileScript gives the commands scripts that run programs, read files of
// the server, and use psql's commands. A restore refuses them, as a superuser and
// as a plain role, as do convert and verify; what they would write is not there.
func TestHostileScript(t *testing.T) {
	w := sharedWorld(t)
	w.exec(t, "postgres", "CREATE ROLE stranger LOGIN CREATEDB")
	defer w.exec(t, "postgres", "DROP ROLE stranger")
	marker := filepath.Join(w.Host(), "marker")
	script := smallScript(t)
	from := strings.Index(script, "COPY ")
	copied := script[from : from+strings.Index(script[from:], "\n\\.\n")+4]
	into, _, _ := strings.Cut(copied, "FROM stdin;")
	for _, tc := range []struct{ name, text, says string }{
		{"program", into + "FROM PROGRAM 'touch " + marker + "; echo 7';\n", `COPY statement other than "COPY ... FROM stdin;"`},
		{"file", into + "FROM '/etc/passwd';\n", `COPY statement other than "COPY ... FROM stdin;"`},
		{"shell", "\\! touch " + marker + "\n" + copied, `psql command "\\! touch`},
		{"output", "\\o |touch " + marker + "\n" + copied, `psql command "\\o |touch`},
	} {
		for _, path := range scriptFiles(t, strings.Replace(script, copied, tc.text, 1)) {
			t.Run(tc.name+"/"+filepath.Base(path), func(t *testing.T) {
				for _, role := range []string{w.User(), "stranger"} {
					w.odx(t, "restore", path, "hostage", "-U", role, "--no-filestore").want(t, exitFormat, tc.says)
				}
				runWithoutServer(t, "verify", path).want(t, exitFormat, tc.says)
				dir := t.TempDir()
				if !strings.HasSuffix(path, ".gz") {
					runWithoutServer(t, "convert", path, filepath.Join(dir, "hostage")).want(t, exitFormat, tc.says)
				}
				wantOnly(t, dir)
				if _, err := os.Lstat(marker); err == nil {
					t.Error("it wrote a file")
				}
				for _, db := range w.databases(t) {
					if db == "hostage" || strings.HasPrefix(db, "odx-tmp-") {
						t.Errorf("database %s was left", db)
					}
				}
			})
		}
	}
	for _, path := range scriptFiles(t, script) { // as it is, it is restored: the refusals are of what was put in
		w.drop(t, "hostage")
		w.odx(t, "restore", path, "hostage", "--no-filestore", "--force").want(t, exitOK)
	}
}
