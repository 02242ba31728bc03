package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/pgcluster"
)

// TestPassword meets a server that asks for a password: a wrong one, and none,
// give an error that does not show it; PGPASSWORD, ~/.pgpass and odoo.conf give
// the right one to odx and to pg_dump.
func TestPassword(t *testing.T) {
	const secret, wrong = "s3cret 'word\\", "wr0ng-word"
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	w := &world{Cluster: c, data: t.TempDir()}
	w.exec(t, "postgres", `SET password_encryption = 'scram-sha-256'; CREATE ROLE keeper LOGIN PASSWORD 's3cret ''word\'`)
	w.exec(t, "postgres", `CREATE DATABASE kept OWNER keeper`)
	var hba string
	admin := w.connect(t, "postgres")
	if err := admin.QueryRow(t.Context(), "SHOW hba_file").Scan(&hba); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hba, []byte("local all keeper scram-sha-256\nlocal all all trust\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "postgres", "SELECT pg_reload_conf()")
	for strangers, deadline := true, time.Now().Add(time.Minute); strangers; { // until the server has read the file
		if time.Now().After(deadline) {
			t.Fatal("the server does not ask for a password")
		}
		c, err := pgx.Connect(t.Context(), strings.Replace(w.DSN("kept"), "user="+w.User(), "user=keeper", 1))
		if strangers = err == nil; strangers {
			c.Close(t.Context())
		}
	}

	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	passfile := write("pgpass", `*:*:*:keeper:s3cret 'word\\`+"\n")
	conf := write("odoo.conf", "[options]\ndb_user = keeper\ndb_password = "+secret+"\n")
	for _, tc := range []struct {
		name string
		env  string
		args []string
		code int
		says []string
	}{
		{"wrong", "PGPASSWORD=" + wrong, []string{"-U", "keeper"}, exitFailed, []string{"password authentication failed", "odx: hint: the password is wrong"}},
		{"none", "", []string{"-U", "keeper"}, exitFailed, []string{"odx: error:"}},
		{"environment", "PGPASSWORD=" + secret, []string{"-U", "keeper"}, exitOK, nil},
		{"pgpass", "PGPASSFILE=" + passfile, []string{"-U", "keeper"}, exitOK, nil},
		{"odoo.conf", "PGUSER=", []string{"-c", conf}, exitOK, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"dump", "kept", filepath.Join(dir, "backup "+tc.name), "--no-filestore"}, tc.args...)
			cmd := w.command(t.Context(), args...)
			cmd.Env = append(cmd.Env, "PGPASSWORD=", "HOME="+dir)
			if tc.env != "" {
				cmd.Env = append(cmd.Env, tc.env)
			}
			r := finish(t, cmd)
			r.want(t, tc.code, tc.says...)
			r.lacks(t, secret, wrong)
		})
	}
}
