package main

import (
	"path/filepath"
	"testing"

	"odx/parallel/restore"
)

const audited = `CREATE TABLE ledger (id int PRIMARY KEY, who text);
	INSERT INTO ledger SELECT g, 'clerk ' || g FROM generate_series(1, 50) g;
	GRANT SELECT ON ledger TO auditor;
	ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
	CREATE POLICY audit ON ledger TO auditor USING (true)`

// auditFacts is what there is of audited: rows, grants and policies to others.
const auditFacts = `SELECT concat_ws(' ', (SELECT count(*) FROM ledger),
	(SELECT count(*) FROM pg_class, aclexplode(relacl) a WHERE relname = 'ledger' AND a.grantee <> relowner),
	(SELECT count(*) FROM pg_policy), (SELECT relrowsecurity FROM pg_class WHERE relname = 'ledger'))`

// TestRestoreZip_MissingRoles restores zips that name a role which is gone, one
// whose data are read from their places and one that is read from its start:
// what names the role is left out, or the role is made, or nothing is.
func TestRestoreZip_MissingRoles(t *testing.T) { onServers(t, testRestoreZipMissingRoles) }

func testRestoreZipMissingRoles(t *testing.T, w *world) {
	w.exec(t, "postgres", "CREATE ROLE auditor")
	w.exec(t, "postgres", "CREATE DATABASE audited TEMPLATE template0")
	w.exec(t, "audited", audited)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", "audited", at("own.zip"), "--no-filestore").want(t, exitOK)
	w.odx(t, "convert", at("own.zip"), at("folder")).want(t, exitOK)
	w.odx(t, "convert", at("folder"), at("foreign.zip"), "--no-sidecar").want(t, exitOK)
	w.exec(t, "postgres", "DROP DATABASE audited")
	w.exec(t, "postgres", "DROP ROLE auditor")
	for _, name := range []string{"own.zip", "foreign.zip"} {
		t.Run(name, func(t *testing.T) {
			args := []string{"restore", at(name), "heard", "--no-filestore"}
			w.odx(t, append(args, "--missing-extensions=perhaps")...).want(t, exitUsage, "skip or fail")
			w.odx(t, append(args, "--missing-roles=fail")...).want(t, exitFailed, "auditor", "--missing-roles")
			w.nothingLeft(t, w.data)

			var report restore.Report
			r := w.odx(t, append(args, "--json")...)
			r.want(t, exitOK)
			r.report(t, &report)
			if len(report.LeftOut) != 2 {
				t.Errorf("left out %+v", report.LeftOut)
			}
			w.wantFact(t, "heard", auditFacts, "50 0 0 t")
			w.exec(t, "postgres", "DROP DATABASE heard")

			w.odx(t, append(args, "--missing-roles=create")...).want(t, exitOK)
			w.wantFact(t, "heard", auditFacts, "50 1 1 t")
			w.exec(t, "postgres", "DROP DATABASE heard")
			w.exec(t, "postgres", "DROP ROLE auditor")
		})
	}
}

// wantFact asks a database for one text.
func (w *world) wantFact(t *testing.T, database, query, want string) {
	t.Helper()
	c := w.connect(t, database)
	defer c.Close(t.Context())
	var got string
	if err := c.QueryRow(t.Context(), query).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%s: %s, want %s", database, got, want)
	}
}
