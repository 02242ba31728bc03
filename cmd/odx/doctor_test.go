package main

import (
	"path/filepath"
	"strings"
	"testing"

	"odx/parallel/doctor"
)

// TestDoctor looks at a dump and at a restore of what it gave: nothing blocks
// them, until something does; and nothing is made.
func TestDoctor(t *testing.T) { onServers(t, testDoctor) }

func testDoctor(t *testing.T, w *world) {
	backup := filepath.Join(t.TempDir(), "backup")
	w.odx(t, "doctor", sourceDB, backup, "--data-dir", w.data).want(t, exitOK)
	if got := w.odx(t, "dump", sourceDB, backup, "--data-dir", w.data); got.code != exitOK {
		t.Fatal(got.stderr)
	}
	var findings []doctor.Finding
	r := w.odx(t, "doctor", "--restore", backup, "examined", "--data-dir", w.data, "--json")
	r.want(t, exitOK)
	r.report(t, &findings)
	if len(findings) == 0 || len(doctor.Blocked(findings)) > 0 {
		t.Errorf("found %v", findings)
	}
	// A role that may not know the server's folder: that it was not looked at is said (beside that it may create no database).
	w.odx(t, "doctor", "--restore", backup, "examined", "--no-filestore", "--username", odooRole).want(t, exitFailed, "the server's disk was not looked at")
	for _, tt := range []struct {
		name, text string
		args       []string
	}{
		{"jobs", "connections are needed", []string{"doctor", sourceDB, backup + "2", "--data-dir", w.data, "-j9999"}},
		{"the database exists", "exists already", []string{"doctor", "--restore", backup, sourceDB, "--no-filestore"}},
		{"owner", "does not exist", []string{"doctor", "--restore", backup, "examined", "--no-filestore", "--owner", "nobody at all"}},
		{"filestore", "does not exist", []string{"doctor", sourceDB, backup + "2", "--filestore", backup + "3"}},
	} {
		r := w.odx(t, append(tt.args, "--json")...)
		r.want(t, exitFailed)
		r.report(t, &findings)
		blocked := doctor.Blocked(findings)
		if len(blocked) != 1 || !strings.Contains(blocked[0].Text, tt.text) || blocked[0].Do == "" {
			t.Errorf("%s: found %v", tt.name, findings)
		}
	}
	// The command itself stops for the same reason, and makes nothing.
	r = w.odx(t, "dump", sourceDB, backup+"2", "--data-dir", w.data, "-j9999")
	r.want(t, exitFailed)
	if !strings.Contains(r.stderr, "connections are needed") || !strings.Contains(r.stderr, "odx: hint: use fewer --jobs") {
		t.Error(r.stderr)
	}
	if left, err := filepath.Glob(backup + "2*"); err != nil || len(left) > 0 {
		t.Errorf("left: %q %v", left, err)
	}
	w.odx(t, "doctor", sourceDB).want(t, exitUsage)
	// Flags of the other command would be taken for looked at.
	w.odx(t, "doctor", sourceDB, backup+"2", "--force").want(t, exitUsage, "--force is a flag of odx restore")
	w.odx(t, "doctor", "--restore", backup, "examined", "--link-dest", backup).want(t, exitUsage, "--link-dest is a flag of odx dump")
}
