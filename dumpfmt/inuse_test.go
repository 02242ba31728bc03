//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package dumpfmt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCreate_InUse has a second one come while the first is at work.
func TestCreate_InUse(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, name := range []string{"backup", long} {
		parent := t.TempDir()
		target := filepath.Join(parent, name)
		first, err := CreateDir(target)
		if err != nil {
			t.Fatal(err)
		}
		for what, create := range map[string]func() error{
			"folder":      func() error { _, err := CreateDir(target); return err },
			"file":        func() error { _, err := CreateFile(target); return err },
			"replacement": func() error { _, err := ReplaceDir(target); return err },
		} {
			err := create()
			var used *InUseError
			if !errors.As(err, &used) || !errors.Is(err, ErrInUse) || used.PID != os.Getpid() || used.Path != target ||
				time.Since(used.Since) > time.Minute || time.Since(used.Since) < -time.Minute {
				t.Errorf("%s: %v", what, err)
			}
		}
		wantNames(t, parent, filepath.Base(first.Path()))
		other := createFile(t, filepath.Join(parent, name+"y")) // a name that begins alike
		if err := errors.Join(other.Abort(), first.Abort()); err != nil {
			t.Fatal(err)
		}
		again, err := CreateDir(target)
		if err != nil {
			t.Fatal(err)
		}
		again.unlock() // as if its process had been killed
		last := createFile(t, target)
		if err := errors.Join(last.Abort(), again.Abort()); err != nil {
			t.Error(err)
		}
	}
}

// TestCreate_AtOnce has many begin at the same moment: at most one goes on, and
// nothing of the others is left.
func TestCreate_AtOnce(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "backup")
	var made atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			d, err := CreateDir(target)
			switch {
			case err == nil:
				made.Add(1)
				if err := d.Commit(); err != nil {
					t.Error(err)
				}
			case !errors.Is(err, ErrInUse) && !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() > 1 {
		t.Errorf("%d made the same target", made.Load())
	}
	if made.Load() == 1 {
		wantNames(t, parent, "backup")
	} else {
		wantNames(t, parent)
	}
}

func TestShownCommand(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"/usr/bin/odx", "dump", "postgresql://u:secret@h/db"}, "odx dump"},
		{[]string{"odx", "--password=secret"}, "odx"},
		{[]string{"odx"}, "odx"},
		{[]string{""}, ""},
		{nil, ""},
	} {
		if got := shownCommand(tc.args); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.args, got, tc.want)
		}
	}
}
