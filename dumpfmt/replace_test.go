package dumpfmt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestReplaceDir replaces a folder that is moved aside first, takes that back,
// and does it again.
func TestReplaceDir(t *testing.T) {
	parent := t.TempDir()
	target, aside := filepath.Join(parent, "files"), filepath.Join(parent, "files-old")
	fill(t, target)
	d, err := ReplaceDir(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Retract(), os.WriteFile(filepath.Join(d.Path(), "new"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("Commit over a folder: %v", err)
	}
	for _, last := range []bool{false, true} {
		if err := errors.Join(MoveDir(target, aside), d.Commit()); err != nil {
			t.Fatal(err)
		}
		wantNames(t, parent, "files", "files-old")
		wantNames(t, target, "new")
		if last {
			break
		}
		if err := errors.Join(d.Retract(), MoveDir(aside, target)); err != nil {
			t.Fatal(err)
		}
		wantNames(t, parent, "files", filepath.Base(d.Path()))
		if left, _, err := Leftovers(parent); err != nil || runtime.GOOS != "windows" && len(left) > 0 {
			t.Errorf("in use, and yet left over: %v %v", left, err)
		}
	}
	if left, err := DiscardDir(aside); err != nil {
		t.Errorf("%s: %v", left, err)
	}
	wantNames(t, parent, "files")
	if err := errors.Join(d.Retract(), d.Abort()); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent)
}

func TestMoveDir_Existing(t *testing.T) {
	parent := t.TempDir()
	from, to := filepath.Join(parent, "a"), filepath.Join(parent, "b")
	fill(t, from)
	fill(t, to)
	if err := MoveDir(from, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a folder: %v", err)
	}
	wantNames(t, parent, "a", "b")
}

func TestCheckMovable(t *testing.T) {
	parent := t.TempDir()
	folder, file, link := filepath.Join(parent, "folder"), filepath.Join(parent, "file"), filepath.Join(parent, "link")
	fill(t, folder)
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(folder, link)); err != nil {
		t.Fatal(err)
	}
	list := map[string]error{folder: nil, file: syscall.ENOTDIR, link: syscall.EXDEV, filepath.Join(parent, "none"): fs.ErrNotExist}
	if runtime.GOOS == "linux" {
		list["/proc"] = syscall.EXDEV // always a mount point
	}
	for path, want := range list {
		if err := CheckMovable(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}
