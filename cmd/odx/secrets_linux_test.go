package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// descendants gives a process and all that it started, with their arguments.
func descendants(t *testing.T, root int) map[string]string {
	t.Helper()
	found := map[string]string{fmt.Sprint(root): ""}
	for grown := true; grown; {
		grown = false
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range stats {
			text, _ := os.ReadFile(path) // the process may have ended
			pid := filepath.Base(filepath.Dir(path))
			after := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
			if len(after) < 2 {
				continue
			}
			_, isChild := found[after[1]]
			if _, seen := found[pid]; isChild && !seen {
				arguments, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				found[pid], grown = string(arguments), true
			}
		}
	}
	return found
}

// TestSecrets_Processes looks at odx and all that it starts for odx verify
// --restore, which needs no password: none of them has that in its environment or
// in its arguments, and none may write a core file.
func TestSecrets_Processes(t *testing.T) {
	const secret = "s3cret-of-another-server"
	temp := scratchDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := withoutServer(ctx, "verify", "--restore", slowScript(t), "--temp-dir", temp)
	cmd.Env = append(cmd.Env, "PGPASSWORD="+secret, "PGSSLPASSWORD="+secret)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serverOf(t, ctx, temp)
	var all map[string]string
	for isRunning := false; !isRunning && ctx.Err() == nil; {
		all = descendants(t, cmd.Process.Pid)
		for _, arguments := range all {
			isRunning = isRunning || strings.Contains(arguments, "pg_restore")
		}
	}
	// Who may not be looked into has files in /proc that are root's.
	if info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid)); err != nil {
		t.Error(err)
	} else if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 {
		t.Errorf("odx can be looked into: its environ is user %d's", st.Uid)
	}
	core := regexp.MustCompile(`(?m)^Max core file size +0 +0 `)
	for pid, arguments := range all {
		environ, err := os.ReadFile("/proc/" + pid + "/environ")
		if err == nil && arguments != "" && strings.Contains(string(environ), secret) { // odx itself was given it
			t.Errorf("the environment of %q has the password", arguments)
		}
		if strings.Contains(arguments, secret) {
			t.Errorf("arguments: %q", arguments)
		}
		if limits, err := os.ReadFile("/proc/" + pid + "/limits"); err == nil && !core.Match(limits) {
			t.Errorf("%q may write a core file:\n%s", arguments, limits)
		}
	}
	if len(all) < 3 {
		t.Errorf("only %d processes: %v", len(all), all)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r := finish(t, cmd)
	r.want(t, exitInterrupted)
	r.lacks(t, secret)
	wantOnly(t, temp)
}

// TestSecrets_Modes looks at every file and folder that a dump, a conversion and
// a zip make.
func TestSecrets_Modes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // of the children too: odx sees to it itself
	w := sharedWorld(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", sourceDB, at("backup"), "--data-dir", w.data).want(t, exitOK)
	w.odx(t, "dump", sourceDB, at("straight.zip"), "--data-dir", w.data).want(t, exitOK)
	runWithoutServer(t, "convert", at("backup"), at("backup.zip")).want(t, exitOK)
	runWithoutServer(t, "convert", at("backup.zip"), at("again")).want(t, exitOK)
	runWithoutServer(t, "convert", at("backup"), at("script.sql")).want(t, exitOK)
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if files++; info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("%d files, %v", files, err)
	}
}
