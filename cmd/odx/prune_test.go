package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/retention"
)

// age sets the record of a backup back by days.
func age(t *testing.T, backup string, days int) {
	t.Helper()
	path := filepath.Join(backup, dumpfmt.RecordFile)
	r, err := dumpfmt.ReadRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	r.Started, r.Finished = r.Started.AddDate(0, 0, -days), r.Finished.AddDate(0, 0, -days)
	data, err := r.Encode()
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPrune removes what odx dump and odx convert made, by its record alone.
func TestPrune(t *testing.T) { onServers(t, testPrune) }

func testPrune(t *testing.T, w *world) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", sourceDB, at("old"), "--data-dir", w.data).want(t, exitOK)
	age(t, at("old"), 9)
	w.odx(t, "convert", at("old"), at("old.zip")).want(t, exitOK)
	w.odx(t, "dump", sourceDB, at("older"), "--data-dir", w.data).want(t, exitOK)
	age(t, at("older"), 10)
	w.odx(t, "dump", sourceDB, at("new.zip"), "--data-dir", w.data).want(t, exitOK)
	w.odx(t, "convert", at("old"), at("plain.zip"), "--no-sidecar").want(t, exitOK)
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(at("older"), future, future); err != nil { // the newest by the file system
		t.Fatal(err)
	}

	w.odx(t, "prune", dir).want(t, exitUsage, "nothing says what is to be kept", "--keep-daily")
	w.odx(t, "prune", dir, "--keep-last", "0").want(t, exitUsage)
	w.odx(t, "prune", dir, "--keep-last", "-1").want(t, exitUsage)
	w.odx(t, "prune").want(t, exitUsage)
	w.odx(t, "prune", at("nothing"), "--keep-last", "1").want(t, exitFailed)
	all := []string{"old", "old.zip", "older", "new.zip", "plain.zip"}
	r := w.odx(t, "prune", dir, "--keep-last", "2", "--dry-run")
	r.want(t, exitOK, "plain.zip: no odx.json", "to go    "+at("older"), "3 backups", "1 would be removed")
	wantExactly(t, dir, all...)

	var report retention.Report
	r = w.odx(t, "prune", dir, "--keep-last", "2", "--json")
	r.want(t, exitOK)
	r.report(t, &report)
	if len(report.Backups) != 4 || len(report.Left) != 1 || !report.Backups[3].Removed || report.Backups[0].Database != sourceDB {
		t.Errorf("report: %+v", report)
	}
	wantExactly(t, dir, "old", "old.zip", "new.zip", "plain.zip")
	w.odx(t, "prune", dir, "--keep-daily", "1").want(t, exitOK, "removed  "+at("old"), "1 backups")
	wantExactly(t, dir, "new.zip", "plain.zip")

	// Newer ones with less in them take no whole one's place.
	w.odx(t, "dump", sourceDB, at("quick"), "--no-filestore").want(t, exitOK)
	w.odx(t, "dump", sourceDB, at("quicker"), "--no-filestore", "--exclude-table-data", "mail_*").want(t, exitOK)
	w.odx(t, "prune", dir, "--keep-last", "1").want(t, exitOK, "quick: "+sourceDB, "without the filestore", "without the rows of mail_*")
	wantExactly(t, dir, "new.zip", "plain.zip", "quick", "quicker")
}

// wantExactly fails the test unless a folder holds the names given.
func wantExactly(t *testing.T, dir string, names ...string) {
	t.Helper()
	wantOnly(t, dir, names...)
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestMetrics are written whatever becomes of a dump, and keep when the last
// good one was.
func TestMetrics(t *testing.T) { onServers(t, testMetrics) }

func testMetrics(t *testing.T, w *world) {
	dir := t.TempDir()
	file := filepath.Join(dir, "odx.prom")
	wantLines := func(lines ...string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				t.Errorf("the metrics do not say %s:\n%s", line, text)
			}
		}
		return string(text)
	}
	const labels = `{command="dump",database="` + sourceDB + `"} `
	backup := filepath.Join(dir, "backup")
	args := []string{"dump", sourceDB, backup, "--data-dir", w.data, "--metrics-file", file}
	w.odx(t, args...).want(t, exitOK)
	first := wantLines("odx_last_run_exit_code"+labels+"0", "odx_last_success_files_missing"+labels+"0", "odx_last_run_duration_seconds"+labels)
	wantMode(t, file, 0o644)
	success := first[strings.Index(first, metricSuccess+"{"):]
	success, _, _ = strings.Cut(success, "\n")

	w.odx(t, args...).want(t, exitFailed, "exists")
	wantLines("odx_last_run_exit_code"+labels+"1", success)
	w.odx(t, "dump", "no_such_db", filepath.Join(dir, "none"), "--metrics-file", file).want(t, exitFailed)
	wantLines("odx_last_run_exit_code"+labels+"1", success, `odx_last_run_exit_code{command="dump",database="no_such_db"} 1`)
	w.odx(t, "dump", sourceDB, filepath.Join(dir, "none"), "--config", "/nonexistent", "--metrics-file", file).want(t, exitFailed)
	wantExactly(t, dir, "backup", "odx.prom")

	w.odx(t, "dump", sourceDB, filepath.Join(dir, "none"), "--metrics-file", filepath.Join(dir, "no/such")).want(t, exitUsage, "no such folder")
	w.odx(t, "dump", sourceDB, filepath.Join(dir, "none"), "--metrics-file", backup).want(t, exitFailed, "not replaced")
	wantExactly(t, dir, "backup", "odx.prom")
}
