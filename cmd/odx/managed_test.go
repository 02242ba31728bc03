package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/bench"
	"odx/parallel/pgcluster"
	"odx/parallel/restore"
)

// ofSuperusers is what a company's own server may have that a managed one does
// not let anybody have, beside what Odoo makes.
const ofSuperusers = `
CREATE EXTENSION unaccent;
ALTER FUNCTION unaccent(text) IMMUTABLE;
CREATE INDEX partner_unaccent ON res_partner (unaccent(name));
CREATE EXTENSION pg_stat_statements;
CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION seen();
CREATE PUBLICATION everything FOR ALL TABLES;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reporting;
ALTER DEFAULT PRIVILEGES FOR ROLE odoo GRANT SELECT ON TABLES TO reporting;
CREATE POLICY own ON res_partner TO reporting USING (true);`

// TestManaged restores a database from a company's own server where nobody is a
// superuser: as a role that may create databases, for Odoo's role.
func TestManaged(t *testing.T) {
	for _, bin := range serverBins() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			w := managedWorld(t, bin)
			backup := filepath.Join(t.TempDir(), "backup")
			w.odx(t, "dump", "src", backup, "--data-dir", w.data, "--pg-bin", w.BinDir()).want(t, exitOK)
			w.exec(t, "postgres", "ALTER DATABASE src RENAME TO company; DROP OWNED BY reporting")
			w.exec(t, "company", "DROP OWNED BY reporting")
			w.exec(t, "postgres", "DROP ROLE reporting")
			t.Run("for Odoo's role", func(t *testing.T) { testManaged(t, w, backup, "admin", odooRole) })
			if bin == "" {
				t.Run("for itself", func(t *testing.T) { testManaged(t, w, backup, "single", "single") })
			}
		})
	}
}

// managedWorld has the company's database, and the roles of a managed server.
func managedWorld(t *testing.T, bin string) *world {
	t.Helper()
	w := startWorld(t, pgcluster.Options{BinDir: bin})
	w.exec(t, "postgres", "CREATE ROLE odoo LOGIN; CREATE ROLE admin LOGIN CREATEDB CREATEROLE IN ROLE odoo; CREATE ROLE single LOGIN CREATEDB; CREATE ROLE reporting")
	_, err := bench.Generate(t.Context(), bench.Options{DSN: w.DSN("postgres"), Database: "src", Owner: odooRole, Filestore: w.filestore("src"),
		Seed: 3, Scale: 1 << 20, FilestoreBytes: 100_000, Tables: 10, Jobs: 2, Extras: true})
	if err != nil {
		t.Fatal(err)
	}
	w.exec(t, "src", ofSuperusers)
	return w
}

func testManaged(t *testing.T, w *world, backup, user, owner string) {
	w.drop(t, "here")
	r := w.odx(t, "restore", backup, "here", "--move", "-U", user, "--owner", owner, "--data-dir", w.data, "--json", "--pg-bin", w.BinDir(), "-j2")
	r.want(t, exitOK)
	var rr restore.Report
	r.report(t, &rr)
	left := map[string]bool{}
	for _, o := range rr.LeftOut {
		left[strings.TrimSpace(o.Entry)] = true
	}
	for _, want := range []string{"EXTENSION pg_stat_statements", "EVENT TRIGGER seen", "PUBLICATION everything", "INDEX partner_unaccent", "POLICY res_partner own"} {
		if !left[want] {
			t.Errorf("%s is not named among %v", want, rr.LeftOut)
		}
	}
	if rr.Losses() || rr.Files.Named == 0 {
		t.Errorf("files: %+v", rr.Files)
	}
	wantDifference(t, w.lines(t, "company"), w.lines(t, "here"))
	w.wantUsable(t, "here", owner)
	wantAllWritable(t, w, owner)
}

// lines counts the lines of pg_dump's text, without owners.
func (w *world) lines(t *testing.T, database string) map[string]int {
	t.Helper()
	text := w.tool(t, "pg_dump", "--no-owner", "--no-comments", w.DSN(database))
	count := map[string]int{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") && !strings.Contains(line, "restrict ") {
			count[line]++
		}
	}
	return count
}

// wantDifference has two texts be the same, but for what takes a superuser.
func wantDifference(t *testing.T, source, restored map[string]int) {
	t.Helper()
	for line, n := range source {
		lost := n - restored[line]
		mayBe := slices.ContainsFunc([]string{"pg_stat_statements", "EVENT TRIGGER seen", "PUBLICATION everything", "partner_unaccent", "EXECUTE FUNCTION public.seen()", "POLICY own"},
			func(s string) bool { return strings.Contains(line, s) })
		if lost > 0 && !mayBe && strings.TrimSpace(line) != "" {
			t.Errorf("lost %d times: %s", lost, line)
		}
	}
	for line, n := range restored {
		if n > source[line] && strings.TrimSpace(line) != "" {
			t.Errorf("added %d times: %s", n-source[line], line)
		}
	}
}

// wantAllWritable has the role read and write every table, by its own sessions.
func wantAllWritable(t *testing.T, w *world, role string) {
	t.Helper()
	config, err := pgx.ParseConfig(w.DSN("here"))
	if err != nil {
		t.Fatal(err)
	}
	config.User = role
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var owned, tables int
	err = c.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE pg_get_userbyid(relowner) = current_user) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')`).Scan(&tables, &owned)
	if err != nil || tables < 50 || owned != tables {
		t.Errorf("owns %d of %d relations, %v", owned, tables, err)
	}
	rows, err := c.Query(t.Context(), `SELECT format('DO $do$ BEGIN UPDATE %1$s SET %2$I = %2$I; DELETE FROM %1$s WHERE false; END $do$', c.oid::regclass, a.attname)
		FROM pg_class c, pg_attribute a WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attrelid = c.oid AND a.attnum = 1`)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range append(statements, "CREATE TABLE mine (id serial)", "VACUUM ANALYZE res_partner", "REINDEX TABLE res_partner") {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Error(fmt.Errorf("%s: %w", sql, err))
		}
	}
}
