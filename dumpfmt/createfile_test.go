package dumpfmt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func createFile(t *testing.T, target string) *PendingFile {
	t.Helper()
	f, err := CreateFile(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Abort() })
	return f
}

func TestCreateFile(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "dump.sql")
	f := createFile(t, target)
	if info := lstat(t, f.Path()); runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
	for _, text := range []string{"one\n", "two\n"} {
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	wantNames(t, parent, filepath.Base(f.Path()))
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent, "dump.sql")
	if p, err := os.ReadFile(f.Target()); err != nil || string(p) != "one\ntwo\n" {
		t.Errorf("content %q, %v", p, err)
	}
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second Commit: %v", err)
	}
	if err := f.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	wantNames(t, parent, "dump.sql")
}

func TestCreateFile_Abort(t *testing.T) {
	parent := t.TempDir()
	f := createFile(t, filepath.Join(parent, "dump.sql"))
	for range 2 {
		if err := f.Abort(); err != nil {
			t.Fatal(err)
		}
		wantNames(t, parent)
	}
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after Abort: %v", err)
	}
}

func TestCreateFile_TargetExists(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "dump.sql")
	late := createFile(t, target)
	if err := os.WriteFile(target, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateFile(target); !errors.Is(err, fs.ErrExist) {
		t.Errorf("target exists: %v", err)
	}
	if err := late.Commit(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("target came into being: %v", err)
	}
	if err := late.Abort(); err != nil {
		t.Error(err)
	}
	wantNames(t, parent, "dump.sql")
	if p, err := os.ReadFile(target); err != nil || string(p) != "mine" {
		t.Errorf("content %q, %v", p, err)
	}
	if _, err := CreateFile(filepath.Join(parent, "none", "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
}

// TestRenameChecked is what renames where the system has no call that refuses
// to replace.
func TestRenameChecked(t *testing.T) {
	parent := t.TempDir()
	from, to := filepath.Join(parent, "from"), filepath.Join(parent, "to")
	if err := os.WriteFile(from, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := renameChecked(from, to); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent, "to")
	if err := os.WriteFile(from, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := renameChecked(from, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("target exists: %v", err)
	}
	wantNames(t, parent, "from", "to")
}
