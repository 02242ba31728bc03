package main

import (
	"path/filepath"
	"testing"

	"odx/parallel/pgcluster"
)

// manyTables are 10,000 tables with a few rows and a key each.
const manyTables = `CREATE PROCEDURE make() LANGUAGE plpgsql AS $$ BEGIN
	FOR i IN 1 .. 10000 LOOP
		EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, what text)', i);
		EXECUTE format('INSERT INTO t%s (what) SELECT %L || g FROM generate_series(1, 3) g', i, i || ': ');
		IF i % 500 = 0 THEN COMMIT; END IF;
	END LOOP; END $$;`

// TestManyTables takes 10,000 tables through a zip: each restore gives the same
// database, with odx's own members and without.
func TestManyTables(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	// A dump locks every table, whatever makes it.
	w := startWorld(t, pgcluster.Options{Settings: map[string]string{"max_locks_per_transaction": "512"}})
	w.exec(t, "postgres", "CREATE DATABASE many TEMPLATE template0 LC_COLLATE 'C'")
	w.exec(t, "many", manyTables)
	w.exec(t, "many", "CALL make()")
	w.exec(t, "many", "DROP PROCEDURE make")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", "many", at("own.zip"), "--no-filestore", "-j2").want(t, exitOK)
	w.odx(t, "convert", at("own.zip"), at("folder")).want(t, exitOK)
	w.odx(t, "convert", at("folder"), at("foreign.zip"), "--no-sidecar").want(t, exitOK)
	want := sortRows(t, w.script(t, "many"))
	w.exec(t, "postgres", "DROP DATABASE many")
	for _, name := range []string{"own.zip", "foreign.zip"} {
		r := w.odx(t, "restore", at(name), "again", "--no-filestore", "--move", "-j2")
		r.want(t, exitOK)
		t.Logf("%s: %d MB of memory", name, r.peakRSS/1e6)
		if most := int64(256<<20 + 2*(32<<20)); r.peakRSS > most {
			t.Errorf("%s: %d bytes of memory, and the bound is %d", name, r.peakRSS, most)
		}
		wantSameScripts(t, want, sortRows(t, w.script(t, "again")))
		w.exec(t, "postgres", "DROP DATABASE again")
	}
}
