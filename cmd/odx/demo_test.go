package main

import "testing"

// TestDemo does what the README begins with, on little data. What the environment
// says of the user's own server is nothing to it.
func TestDemo(t *testing.T) {
	temp := scratchDir(t)
	cmd := withoutServer(t.Context(), "demo", "--size", "2", "--json")
	cmd.Env = append(cmd.Env, "PGOPTIONS=-c role=nobody_here", "PGPASSWORD=secret", "PGSSLMODE=verify-full", "TMPDIR="+temp)
	r := finish(t, cmd)
	r.want(t, exitOK)
	var report struct {
		Same bool `json:"same"`
	}
	r.report(t, &report)
	if !report.Same {
		t.Error(r.stdout)
	}
	wantOnly(t, temp)
}
