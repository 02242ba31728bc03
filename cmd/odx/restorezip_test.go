package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/bench"
	"odx/parallel/pgcluster"
	"odx/parallel/restore"
)

// TestRestoreZip_Generated restores the zips of a generated database, with and
// without odx's own members, and its script: each gives the same database.
func TestRestoreZip_Generated(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", sourceDB, at("backup"), "--data-dir", w.data, "-j2").want(t, exitOK)
	w.odx(t, "convert", at("backup"), at("own.zip")).want(t, exitOK)
	w.odx(t, "convert", at("backup"), at("foreign.zip"), "--no-sidecar").want(t, exitOK)
	w.odx(t, "convert", at("backup"), at("dump.sql")).want(t, exitOK)
	want := w.script(t, sourceDB)
	for _, tc := range []struct {
		source   string
		ordered  bool
		hasFiles bool
	}{
		{"own.zip", false, true}, {"own.zip", true, true}, {"foreign.zip", false, true}, {"foreign.zip", true, true}, {"dump.sql", true, false},
	} {
		name := tc.source
		args := []string{"restore", at(tc.source), "unzipped", "--move", "--owner", odooRole, "--data-dir", w.data, "--json", "-j3"}
		if tc.ordered {
			args, name = append(args, "--ordered"), name+" ordered"
		}
		t.Run(name, func(t *testing.T) {
			w.drop(t, "unzipped")
			var report restore.Report
			r := w.odx(t, args...)
			r.want(t, exitOK)
			r.report(t, &report)
			got, want := w.script(t, "unzipped"), want
			if !tc.ordered {
				got, want = sortRows(t, got), sortRows(t, want)
			}
			wantSameScripts(t, want, got)
			w.wantUsable(t, "unzipped", odooRole)
			if !tc.hasFiles {
				if report.Files != nil || !strings.Contains(strings.Join(report.Warnings, "\n"), "no filestore") {
					t.Errorf("files %+v, warnings %q", report.Files, report.Warnings)
				}
				return
			}
			if err := bench.CompareTrees(w.filestore(sourceDB), w.filestore("unzipped")); err != nil {
				t.Error(err)
			}
		})
	}
	w.drop(t, "unzipped")
}

// TestRestoreZip_Refusals meets sources that cannot be restored.
func TestRestoreZip_Refusals(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	for _, tc := range []struct {
		name, text string
		code       int
		says       string
	}{
		{"empty.zip", "PK\x05\x06" + strings.Repeat("\x00", 18), exitFormat, "no dump.sql in it"},
		{"other.sql", "SELECT 1;\n", exitFormat, "neither a custom-format dump"},
		{"bang.sql", "--\n-- PostgreSQL database dump\n--\n\n\\! id\n", exitFormat, `\! id`},
	} {
		path := filepath.Join(dir, tc.name)
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := w.odx(t, "restore", path, "refused", "--data-dir", w.data)
		r.want(t, tc.code, tc.says)
	}
	r := w.odx(t, "restore", "-", "refused", "--data-dir", w.data)
	r.want(t, exitUsage, "standard input")
}

// TestRestoreZip_RealOdoo restores the zip that a real Odoo 19 made, as it is
// and after the way to a folder and back: the database is the one that psql
// makes of its dump.sql.
func TestRestoreZip_RealOdoo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes; what it runs is run on less data as well")
	}
	if _, err := os.Stat(realZip); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the real Odoo 19 backup is not there")
	}
	for _, bin := range serverBins() {
		c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: bin})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(c.Major()), func(t *testing.T) { testRestoreRealZip(t, c) })
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func testRestoreRealZip(t *testing.T, c *pgcluster.Cluster) {
	w := &world{Cluster: c, data: t.TempDir()}
	if c.Major() < 14 { // one of the views is not for it
		if err := os.Mkdir(filepath.Join(w.data, "filestore"), 0o755); err != nil {
			t.Fatal(err)
		}
		r := w.odx(t, "restore", realZip, "refused", "--data-dir", w.data, "--pg-bin", w.BinDir())
		r.want(t, exitTool, "cannot change data type of view column")
		w.nothingLeft(t, w.data)
		return
	}
	dir := t.TempDir()
	folder, back := filepath.Join(dir, "folder"), filepath.Join(dir, "back.zip")
	w.odx(t, "convert", realZip, folder).want(t, exitOK)
	w.odx(t, "convert", folder, back).want(t, exitOK)
	script := unpackZip(t, back, w.filestore("judge"))
	if c.Major() < 17 {
		// What older servers, and minor releases of psql, do not know.
		text := restrictLines.ReplaceAll(readAll(t, script), nil)
		text = bytes.Replace(text, []byte("SET transaction_timeout = 0;\n"), nil, 1)
		if err := os.WriteFile(script, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.exec(t, "postgres", `CREATE DATABASE judge TEMPLATE template0 LC_COLLATE 'C'`)
	w.tool(t, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--file="+script, w.DSN("judge"))
	w.exec(t, "judge", "GRANT CREATE ON SCHEMA public TO PUBLIC") // as Odoo's restore does, and the report says
	want := sortRows(t, w.script(t, "judge"))
	for _, source := range []string{realZip, back} {
		w.exec(t, "postgres", "DROP DATABASE IF EXISTS restored WITH (FORCE)")
		if err := os.RemoveAll(w.filestore("restored")); err != nil {
			t.Fatal(err)
		}
		r := w.odx(t, "restore", source, "restored", "--move", "--data-dir", w.data, "--pg-bin", w.BinDir(), "-j2")
		r.want(t, exitOK)
		if strings.Contains(r.stderr, "transaction_timeout") != (c.Major() < 17) {
			t.Errorf("skipped setting is not reported, or another is: %s", r.stderr)
		}
		wantSameScripts(t, want, sortRows(t, w.script(t, "restored")))
		if err := bench.CompareTrees(w.filestore("judge"), w.filestore("restored")); err != nil {
			t.Error(err)
		}
	}
}
