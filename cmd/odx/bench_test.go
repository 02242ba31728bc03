package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odx/bench/advise"
)

// TestBench runs as a role that may do nothing but read.
func TestBench(t *testing.T) {
	w := sharedWorld(t)
	w.exec(t, "postgres", "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN IN ROLE pg_read_all_data")
	dir := t.TempDir()
	r := w.odx(t, "bench", sourceDB, "--dir", dir, "--sample", "2", "--rounds", "1", "--max-jobs", "2", "-U", "reader", "--json")
	r.want(t, exitOK, "odx: reading the sample once")
	var report advise.Report
	r.report(t, &report)
	if report.Database != sourceDB || len(report.Jobs) != 2 || len(report.Compress) < 2 || report.Advice.Jobs < 1 || report.Advice.Compress == "" {
		t.Errorf("got %+v", report)
	}
	wantOnly(t, dir)

	r = w.odx(t, "bench", sourceDB, "--dir", dir, "--sample", "1", "--rounds", "1", "--max-jobs", "1")
	r.want(t, exitOK, "odx: --jobs 1 --compress gzip:", "for the database without its filestore", "sample:", "fastest here")
	if r.stdout != "" {
		t.Errorf("stdout without --json: %s", r.stdout)
	}
	wantOnly(t, dir)
}

func TestBench_Refused(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	tests := []struct {
		name  string
		args  []string
		code  int
		words []string
	}{
		{"no database", nil, exitUsage, []string{"odx bench takes DBNAME"}},
		{"no jobs", []string{sourceDB, "--max-jobs", "0"}, exitUsage, []string{"--max-jobs must be at least 1"}},
		{"unknown database", []string{"nowhere", "--dir", dir}, exitFailed, []string{"nowhere", "odx: hint: psql -l"}},
		{"no such folder", []string{sourceDB, "--dir", dir + "/none"}, exitFailed, []string{dir + "/none"}},
		{"no rows", []string{"postgres", "--dir", dir}, exitFailed, []string{"no table with rows"}},
		{"no pg_dump", []string{sourceDB, "--pg-bin", dir}, exitFailed, []string{"no pg_dump", "odx: hint: install it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.odx(t, append([]string{"bench"}, tt.args...)...).want(t, tt.code, tt.words...)
			wantOnly(t, dir)
		})
	}
	r := w.odx(t, "bench", "nowhere", "--dir", dir, "--json")
	if r.code != exitFailed || !strings.Contains(r.stdout, `"status": "failed"`) {
		t.Errorf("exit code %d, stdout %s", r.code, r.stdout)
	}
}

func TestBench_Interrupted(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	cmd := w.command(t.Context(), "bench", sourceDB, "--dir", dir, "--rounds", "50")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; { // until there is something that could be left
		if time.Now().After(deadline) {
			t.Fatalf("nothing is made: %s", &stderr)
		}
		made, err := filepath.Glob(filepath.Join(dir, "odx-tmp-bench-*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(made) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at below
	result{code: cmd.ProcessState.ExitCode(), stderr: stderr.String()}.want(t, exitInterrupted, "interrupted; nothing half-made is left")
	wantOnly(t, dir)
}
