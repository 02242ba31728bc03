package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/dump"
)

// TestDump_Engines dumps a generated database with each engine, and with the
// direct one each compression and a limit on the rate: the script is pg_dump's.
func TestDump_Engines(t *testing.T) {
	w := sharedWorld(t)
	want := w.script(t, sourceDB)
	for _, tc := range []struct {
		args   []string
		engine dump.Engine
		note   bool
	}{
		{nil, dump.EngineDirect, false},
		{[]string{"--engine", "direct", "-Z", "none", "--rate", "500MB"}, dump.EngineDirect, false},
		{[]string{"--engine", "direct", "-Z", "gzip:9", "-j1"}, dump.EngineDirect, false},
		{[]string{"--engine", "pg_dump"}, dump.EnginePgDump, false},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			backup := filepath.Join(t.TempDir(), "backup")
			r := w.odx(t, append([]string{"dump", sourceDB, backup, "--no-filestore", "--json"}, tc.args...)...)
			r.want(t, exitOK)
			var d dump.Report
			r.report(t, &d)
			rows, text := d.Copied()
			if d.Engine != tc.engine || (d.EngineNote != "") != tc.note || (rows > 0 && text > 0) != (tc.engine == dump.EngineDirect) {
				t.Errorf("engine %s (%s), %d rows of %d bytes", d.Engine, d.EngineNote, rows, text)
			}
			script := filepath.Join(t.TempDir(), "restore.sql")
			w.tool(t, "pg_restore", "--no-owner", "-f", script, filepath.Join(backup, "dump"))
			wantSameScripts(t, script, want)
			wantDigests(t, backup, d)
		})
	}
	for _, args := range [][]string{
		{"--engine", "fast"},
		{"--rate", "much"},
	} {
		w.odx(t, append([]string{"dump", sourceDB, filepath.Join(t.TempDir(), "backup"), "--no-filestore"}, args...)...).want(t, exitUsage, args[0])
	}
	w.odx(t, "dump", sourceDB, filepath.Join(t.TempDir(), "backup"), "--no-filestore", "--engine", "pg_dump", "--rate", "5MB").
		want(t, exitFailed, "--rate", "odx: hint:")
}

// wantDigests holds the record's files against those on disk.
func wantDigests(t *testing.T, backup string, d dump.Report) {
	t.Helper()
	a, err := pgarchive.Open(filepath.Join(backup, "dump"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := a.Files()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(d.Record.Archive.DataFiles) {
		t.Fatalf("%d files, and the record has %d", len(files), len(d.Record.Archive.DataFiles))
	}
	for i, f := range d.Record.Archive.DataFiles {
		data, err := os.ReadFile(filepath.Join(backup, "dump", f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != files[i].Name || f.Bytes != int64(len(data)) || f.SHA256 != fmt.Sprintf("%x", sha256.Sum256(data)) {
			t.Errorf("%+v is not the file on disk, which has %d bytes", f, len(data))
		}
	}
}
