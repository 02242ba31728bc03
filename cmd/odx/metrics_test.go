package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMetrics_Kept keeps what is known of other databases, and when the last
// run was that did its work.
func TestMetrics_Kept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odx.prom")
	const odd = "a\\b\"c\nd"
	m := metrics{}
	m.note(t.Context(), "dump", "prod", time.Now(), outcomes{bytes: 7}, nil)
	m.note(t.Context(), "dump", odd, time.Now(), outcomes{bytes: 8, missing: 2}, errLosses)
	if err := os.WriteFile(path, m.encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := readMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	m.note(t.Context(), "dump", "prod", time.Now(), outcomes{}, errors.New("bad night"))
	text := string(m.encode())
	for _, line := range []string{
		`odx_last_run_exit_code{command="dump",database="prod"} 1`,
		`odx_last_success_bytes{command="dump",database="prod"} 7`,
		`odx_last_run_exit_code{command="dump",database="a\\b\"c\nd"} 3`,
		`odx_last_success_files_missing{command="dump",database="a\\b\"c\nd"} 2`,
		"# TYPE odx_last_success_timestamp_seconds gauge",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	if n := strings.Count(text, "odx_last_success_timestamp_seconds{"); n != 2 {
		t.Errorf("%d times of success, want 2", n)
	}
}

// TestMetrics_Refused never takes the place of something that odx did not write.
func TestMetrics_Refused(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"other.prom": "node_load1 0.5\n", "text": "important", "odd": `odx_last_run_exit_code{command="dump"} 1` + "\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readMetrics(path); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, err := readMetrics(dir); err == nil {
		t.Error("a folder was read")
	}
	if m, err := readMetrics(filepath.Join(dir, "none")); err != nil || len(m) > 0 {
		t.Errorf("a new file: %v, %v", m, err)
	}
}
