package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
)

// TestVerify runs the command on good and on damaged backups: exit codes, words
// and JSON.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	cellar := filepath.Join(archives, "pg15", "cellar")
	runWithoutServer(t, "convert", cellar, at("good.zip")).want(t, exitOK)
	runWithoutServer(t, "convert", at("good.zip"), at("good")).want(t, exitOK)
	runWithoutServer(t, "verify", at("good"), "--jobs", "2").want(t, exitOK, "verified the fast layout", "whole", "10 rows in 4 tables")
	runWithoutServer(t, "verify", at("good.zip")).want(t, exitOK, "whole")
	runWithoutServer(t, "verify", at("good"), at("good.zip")).want(t, exitOK, "the same")

	if err := os.CopyFS(at("bad"), os.DirFS(at("good"))); err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(at("bad"), dumpfmt.ArchiveDir, "3376.dat.gz"))
	runWithoutServer(t, "verify", at("bad")).want(t, exitFormat, "odx: error: data file (1)", "3376.dat", "odx refuses the restore", "damaged")
	runWithoutServer(t, "verify", at("bad"), "--quiet").want(t, exitFormat, "3376.dat")
	r := runWithoutServer(t, "verify", "--json", at("bad"))
	r.want(t, exitFormat)
	var o struct {
		Status   string `json:"status"`
		ExitCode int    `json:"exit_code"`
		Report   struct {
			Verdict  string `json:"verdict"`
			Findings []struct{ Kind, Severity, Means string }
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &o); err != nil || strings.Contains(r.stderr, "error") {
		t.Fatalf("%v: %s%s", err, r.stdout, r.stderr)
	}
	if o.Status != "damaged" || o.ExitCode != exitFormat || o.Report.Verdict != "damaged" || len(o.Report.Findings) == 0 || o.Report.Findings[0].Means == "" {
		t.Errorf("%+v", o)
	}
	runWithoutServer(t, "verify", at("good.zip"), filepath.Join(archives, "pg15", "cellar-none.dump")).want(t, exitOK, "the same")
	runWithoutServer(t, "verify", at("good.zip"), filepath.Join(archives, "pg17", "cellar")).want(t, exitFailed, "odx: error: ", "differences")
}

func TestVerify_Refusals(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{t.TempDir()}, exitFormat, "no dump in this folder"},
		{[]string{filepath.Join(t.TempDir(), "none")}, exitFailed, "none"},
		{[]string{}, exitUsage, "SOURCE"},
		{[]string{"a", "b", "c"}, exitUsage, "3 arguments"},
		{[]string{"a", "--jobs", "0"}, exitUsage, "--jobs"},
	} {
		runWithoutServer(t, append([]string{"verify"}, tt.args...)...).want(t, tt.code, tt.says)
	}
}
