package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"odx/bench"
	"odx/parallel/dump"
	"odx/parallel/restore"
)

// members reads a zip with Go's own reader, which checks every CRC-32. What
// differs from one dump to the next is left out.
func members(t *testing.T, path string) (names []string, texts map[string][]byte) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	texts = map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		switch f.Name {
		case "dump.sql":
			text = restrictLines.ReplaceAll(text, nil)
		case "odx/odx.json", "odx/places.json", "odx/dump/toc.dat": // have times
			text = nil
		}
		names = append(names, f.Name)
		texts[f.Name] = text
	}
	return names, texts
}

var restrictLines = regexp.MustCompile(`(?m)^\\(un)?restrict [A-Za-z0-9]+\n`)

// TestDumpZip makes a zip straight, to a file and to standard output. It is the
// one that convert makes of the folder, and can be restored.
func TestDumpZip(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", sourceDB, at("folder"), "--data-dir", w.data).want(t, exitOK)
	w.odx(t, "convert", at("folder"), at("converted.zip")).want(t, exitOK)
	var d dump.Report
	r := w.odx(t, "dump", sourceDB, at("straight.zip"), "--data-dir", w.data, "--json", "-j3")
	r.want(t, exitOK)
	r.report(t, &d)
	if f := d.Record.Filestore; f == nil || f.Files == 0 || f.Missing != 0 || f.GCGuard != "held" || d.Target != at("straight.zip") {
		t.Errorf("report %+v", d)
	}
	out, err := os.Create(at("out.zip"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := w.command(t.Context(), "dump", sourceDB, "-", "--data-dir", w.data)
	cmd.Stdout = out
	finish(t, cmd).want(t, exitOK)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, dir, "folder", "converted.zip", "straight.zip", "out.zip")
	wantMode(t, at("straight.zip"), 0o600)
	w.nothingLeft(t)

	wantNames, want := members(t, at("converted.zip"))
	for _, name := range []string{"straight.zip", "out.zip"} {
		names, texts := members(t, at(name))
		if !slices.Equal(names, wantNames) {
			t.Errorf("%s: %d members, want %d, in the same order", name, len(names), len(wantNames))
		}
		for member, text := range want {
			if !bytes.Equal(texts[member], text) {
				t.Errorf("%s: %s differs", name, member)
			}
		}
	}
	w.drop(t, "rezipped")
	var rr restore.Report
	r = w.odx(t, "restore", at("out.zip"), "rezipped", "--move", "--owner", odooRole, "--data-dir", w.data, "--json", "--ordered")
	r.want(t, exitOK)
	r.report(t, &rr)
	w.wantSame(t, sourceDB, "rezipped")
	if err := bench.CompareTrees(w.filestore(sourceDB), w.filestore("rezipped")); err != nil {
		t.Error(err)
	}
	wantRecord(t, at("straight.zip"), d.Record.Filestore.Files)
	w.odx(t, "convert", at("straight.zip"), at("again"), "--check").want(t, exitOK)
}

// TestDumpZip_Engines makes the same zip whether the rows are streamed into it
// or come from an archive, of a database with what is no table of its own:
// large objects, a table without columns, partitions, a materialized view.
func TestDumpZip_Engines(t *testing.T) {
	w := sharedWorld(t)
	w.exec(t, "postgres", `CREATE DATABASE "Od d"`)
	w.drop(t, "Od d")
	w.exec(t, "Od d", `SELECT lo_from_bytea(0, convert_to(repeat('large ' || i, 30000), 'UTF8')) FROM generate_series(1, 3) i;
		CREATE TABLE "none" (); INSERT INTO "none" DEFAULT VALUES;
		CREATE TABLE empty (a int);
		CREATE TABLE parted (a int, b text) PARTITION BY LIST (a);
		CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
		CREATE TABLE parted_2 PARTITION OF parted (b DEFAULT 'x') FOR VALUES IN (2);
		INSERT INTO parted SELECT 1 + i % 2, repeat('b', i) FROM generate_series(1, 2000) i;
		CREATE MATERIALIZED VIEW counted AS SELECT a, count(*) FROM parted GROUP BY a`)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", "Od d", at("folder")).want(t, exitOK)
	w.odx(t, "convert", at("folder"), at("converted.zip")).want(t, exitOK)
	wantNames, want := members(t, at("converted.zip"))
	for _, more := range [][]string{{"-j3"}, {"--engine", "pg_dump"}, {"--compress", "none"}} {
		zip := at("straight.zip")
		w.odx(t, append([]string{"dump", "Od d", zip}, more...)...).want(t, exitOK)
		names, texts := members(t, zip)
		if more[0] == "-j3" && !slices.Equal(names, wantNames) {
			t.Errorf("members %q, want %q", names, wantNames)
		}
		if !bytes.Equal(texts["dump.sql"], want["dump.sql"]) || len(want["dump.sql"]) == 0 {
			t.Errorf("%s: dump.sql differs", more)
		}
		w.odx(t, "convert", zip, at("back"), "--check").want(t, exitOK)
		w.odx(t, "restore", at("back"), "back").want(t, exitOK) // compares the digests in odx.json
		w.exec(t, "postgres", "DROP DATABASE back")
		remove(t, zip)
		remove(t, at("back"))
	}
}

// wantRecord makes sure that a zip's odx.json counts its files.
func wantRecord(t *testing.T, path string, files int64) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	r, err := z.Open("odx/odx.json")
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Filestore struct {
			Files int64 `json:"files"`
		} `json:"filestore"`
	}
	if err := json.NewDecoder(r).Decode(&record); err != nil || record.Filestore.Files != files || files == 0 {
		t.Errorf("odx.json has %d files, want %d; %v", record.Filestore.Files, files, err)
	}
}

// TestDumpZip_Link has a folder of the filestore that is a link within it: what is
// not in the zip is missing, though it is there.
func TestDumpZip_Link(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	store, name := w.copyStore(t, dir)
	folder := filepath.Join(store, filepath.Dir(name))
	if err := errors.Join(os.Rename(folder, filepath.Join(store, "moved")), os.Symlink("moved", folder)); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "backup.zip")
	w.odx(t, "dump", sourceDB, target, "--filestore", store).want(t, exitLosses, "is a link", name)
	w.odx(t, "verify", target).want(t, exitLosses, name)
}

// TestDumpZip_Failures leaves nothing, or a zip that is said to lack files.
func TestDumpZip_Failures(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	store, name := w.copyStore(t, t.TempDir())
	remove(t, filepath.Join(store, name))
	target := filepath.Join(dir, "backup.zip")
	w.odx(t, "dump", sourceDB, target, "--filestore", store, "--strict").want(t, exitFailed, "missing", name)
	w.odx(t, "dump", "no such database", target, "--data-dir", w.data).want(t, exitFailed, "does not exist")
	w.odx(t, "dump", sourceDB, target+".sql", "--data-dir", w.data).want(t, exitUsage, "a folder or a zip")
	w.odx(t, "dump", sourceDB, "-", "--data-dir", w.data, "--json").want(t, exitUsage, "standard output")
	w.nothingLeft(t, dir)
	wantOnly(t, dir)
	w.brokenPipe(t)
	w.odx(t, "dump", sourceDB, target, "--filestore", store).want(t, exitLosses, name)
	before := readAll(t, target)
	w.odx(t, "dump", sourceDB, target, "--filestore", store).want(t, exitFailed, "exists")
	if !bytes.Equal(before, readAll(t, target)) {
		t.Error("the zip that was there has been changed")
	}
	names, _ := members(t, target)
	if slices.Contains(names, "filestore/"+name) || !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "filestore/") }) {
		t.Errorf("%d members", len(names))
	}
	wantOnly(t, dir, "backup.zip")
}

// brokenPipe dumps to a reader that has gone away. Nothing is left of the
// archive that the zip is made of.
func (w *world) brokenPipe(t *testing.T) {
	t.Helper()
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	work := t.TempDir()
	cmd := w.command(t.Context(), "dump", sourceDB, "-", "--data-dir", w.data)
	cmd.Env = append(cmd.Env, "TMPDIR="+work)
	cmd.Stdout = out
	finish(t, cmd).want(t, exitFailed, "broken pipe")
	wantOnly(t, work)
}
