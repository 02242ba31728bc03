package main

import (
	"path/filepath"
	"testing"
)

// TestRestore_RefusedData restores rows that the server does not take: it is the
// same failure whether pg_restore loads them or odx, and nothing is left.
func TestRestore_RefusedData(t *testing.T) {
	w := sharedWorld(t)
	w.exec(t, "postgres", "CREATE DATABASE homesick TEMPLATE template0")
	w.drop(t, "homesick")
	w.exec(t, "homesick", `CREATE FUNCTION here() RETURNS bool LANGUAGE sql AS $$ SELECT pg_catalog.current_database() = 'homesick' $$;
		CREATE TABLE stay (id int CHECK (public.here())); INSERT INTO stay VALUES (1)`)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, option := range map[string]string{"copied.sql": "-Fp", "inserted.sql": "--inserts"} {
		w.tool(t, "pg_dump", option, "--file="+at(name), w.DSN("homesick"))
	}
	w.odx(t, "dump", "homesick", at("folder"), "--no-filestore").want(t, exitOK)
	w.odx(t, "convert", at("folder"), at("own.zip")).want(t, exitOK)
	for _, name := range []string{"folder", "copied.sql", "inserted.sql", "own.zip"} {
		t.Run(name, func(t *testing.T) {
			w.odx(t, "restore", at(name), "failed", "--no-filestore").want(t, exitTool, "violates check constraint", "stay")
			w.nothingLeft(t, w.data)
		})
	}
}
