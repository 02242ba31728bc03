package main

import (
	"os"
	"path/filepath"
	"slices"
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

// TestUselessFlags refuses flags that would do nothing.
func TestUselessFlags(t *testing.T) {
	runWithoutServer(t, "restore", "backup", "name", "--addons-path", "/mnt/addons").want(t, exitUsage, "--neutralize")
	runWithoutServer(t, "dump", "name", "backup", "--no-gc-guard", "--gc-guard-wait", "1m").want(t, exitUsage, "--no-gc-guard")
}

// TestClean_NoSuchFolder removes nothing anywhere when a folder's name is wrong.
func TestClean_NoSuchFolder(t *testing.T) {
	w := smallWorld(t)
	const name = "odx-tmp-typo"
	w.exec(t, "postgres", `CREATE DATABASE "`+name+`" TEMPLATE template0`)
	w.drop(t, name)
	missing := filepath.Join(t.TempDir(), "bakcup")
	w.odx(t, "clean", "--yes", missing, "--data-dir", w.data).want(t, exitFailed, missing)
	if !slices.Contains(w.databases(t), name) {
		t.Error("the database was dropped")
	}
	w.odx(t, "clean", "--yes", "--data-dir", w.data).want(t, exitOK, "removed database "+name)
}

// TestRestore_NoDataFolder restores as somebody in whose home no Odoo keeps files,
// as root with an odoo.conf that leaves data_dir to the default.
func TestRestore_NoDataFolder(t *testing.T) {
	w := smallWorld(t)
	w.drop(t, "homeless")
	backup, home := smallBackup(t, w), t.TempDir()
	conf := filepath.Join(home, "odoo.conf")
	if err := os.WriteFile(conf, []byte("[options]\ndb_user = False\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) result {
		cmd := w.command(t.Context(), append(args, "-c", conf)...)
		cmd.Env = append(cmd.Env, "HOME="+home, "XDG_DATA_HOME=")
		return finish(t, cmd)
	}
	data := filepath.Join(home, ".local/share/Odoo") // which a first start of Odoo makes
	files := filepath.Join(data, "filestore")
	run("restore", backup, "homeless").want(t, exitFailed, "nothing names Odoo's data folder", data, "--data-dir")
	run("doctor", "--restore", backup, "homeless", "--quiet").want(t, exitFailed, "nothing names Odoo's data folder")
	wantOnly(t, home, "odoo.conf")
	w.nothingLeft(t, w.data)
	if slices.Contains(w.databases(t), "homeless") {
		t.Error("the database was made")
	}
	run("restore", filepath.Join(backup, "dump"), "homeless", "--move", "--analyze=false").want(t, exitOK, "no filestore")
	w.exec(t, "postgres", "DROP DATABASE homeless")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	run("restore", backup, "homeless").want(t, exitOK, "all 60", filepath.Join(files, "homeless"))
}
