package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"odx/dumpfmt"
	"odx/parallel/restore"
)

// startConvert starts a command that converts, and waits until it has begun to
// write into the target's folder.
func startConvert(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); len(mustReadDir(t, dir)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is written")
		}
	}
}

// TestHangUp ends a line to odx: the work ends in order, or goes on if nohup had
// odx ignore that.
func TestHangUp(t *testing.T) {
	source := bigArchive(t, 200<<20)
	for _, ignored := range []bool{false, true} {
		dir := t.TempDir()
		cmd := withoutServer(t.Context(), "convert", source, filepath.Join(dir, "x"))
		if ignored {
			nohup := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `trap '' HUP; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)...)
			nohup.Env = cmd.Env
			cmd = nohup
		}
		startConvert(t, cmd, dir)
		for range 2 { // the shell's, and the kernel's when the shell has gone
			if err := cmd.Process.Signal(syscall.SIGHUP); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		_ = cmd.Wait() // the exit code tells
		switch code := cmd.ProcessState.ExitCode(); {
		case ignored && code == exitOK:
			wantOnly(t, dir, "x")
		case !ignored && code == exitInterrupted:
			wantOnly(t, dir)
		default:
			t.Errorf("ignored %v: exit code %d, with %q left", ignored, code, mustReadDir(t, dir))
		}
	}
}

// TestReaderGone lets who reads odx's messages go away, as tee does at Ctrl-C: odx
// does its work, and what it does in the end.
func TestReaderGone(t *testing.T) {
	source := bigArchive(t, 200<<20)
	for _, interrupted := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		cmd := withoutServer(t.Context(), "convert", source, filepath.Join(dir, "x"), "--progress-json")
		cmd.Stderr = w
		startConvert(t, cmd, dir)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want, left := exitOK, []string{"x"}
		if interrupted {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			want, left = exitInterrupted, nil
		}
		_ = cmd.Wait() // the exit code tells
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("interrupted %v: exit code %d, want %d", interrupted, code, want)
		}
		wantOnly(t, dir, left...)
	}
}

// TestExplain_NotRemoved says what an interrupted run could not remove.
func TestExplain_NotRemoved(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := errors.Join(ctx.Err(), fmt.Errorf("convert: %w", &dumpfmt.AbortError{Path: "/backup/odx-tmp-x", Err: syscall.EROFS}))
	text, hint := explain(ctx, err)
	if want := "interrupted; /backup/odx-tmp-x could not be removed: read-only file system"; text != want {
		t.Errorf("%s, want %s", text, want)
	}
	if !strings.Contains(hint, "odx clean --no-server --yes /backup ") {
		t.Errorf("hint: %s", hint)
	}
}

// TestHintFor_Displaced: whoever could take the only copy of files for something that is
// in the way is told what to do with it.
func TestHintFor_Displaced(t *testing.T) {
	exists := &os.LinkError{Op: "rename", Old: "a", New: "b", Err: fs.ErrExist}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"any target":            {exists, "remove it first"},
		"old filestore":         {fmt.Errorf("put it back: %w", errors.Join(exists, &restore.DisplacedError{Folder: "/old", Place: "/now"})), "remove nothing: with Odoo stopped, move what is at /now aside, and then /old there"},
		"made meanwhile":        {fmt.Errorf("%w: %w", restore.ErrMadeMeanwhile, exists), "run the same command again"},
		"unknown what happened": {errors.Join(&restore.UnsureError{}, &restore.DisplacedError{}), ""},
	} {
		if hint := hintFor(tt.err); !strings.Contains(hint, tt.want) || (tt.want == "") != (hint == "") {
			t.Errorf("%s: %s", name, hint)
		}
	}
}

// TestClean_NoServer leaves Odoo's filestore folder alone unless it is named: only
// the server knows which restore is to go on with what is there.
func TestClean_NoServer(t *testing.T) {
	data, other := t.TempDir(), t.TempDir()
	left := filepath.Join(data, "filestore", dumpfmt.TempPrefix+"x")
	conf := filepath.Join(other, "odoo.conf")
	if err := errors.Join(os.MkdirAll(left, 0o700), os.WriteFile(conf, []byte("[options]\ndata_dir = "+data+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	cleanIn(t, other, "--yes", "-c", conf).want(t, exitOK, "nothing is left over")
	wantOnly(t, filepath.Dir(left), filepath.Base(left))
	cleanIn(t, other, "--yes", "-c", conf, "--data-dir", data).want(t, exitOK, "removed folder", left)
	wantOnly(t, filepath.Dir(left))
}
