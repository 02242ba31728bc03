package dumpfmt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestCreateDir(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "backup")
	d := createDir(t, target)
	name := filepath.Base(d.Path())
	if filepath.Dir(d.Path()) != parent || !strings.HasPrefix(name, "odx-tmp-backup-") || tempPattern.FindStringSubmatch(name) == nil {
		t.Errorf("Path() = %q", d.Path())
	}
	if d.Target() != target {
		t.Errorf("Target() = %q, want %q", d.Target(), target)
	}
	if info := lstat(t, d.Path()); runtime.GOOS != "windows" && info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("mode is %v", info.Mode())
	}
	fill(t, d.Path())
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent, "backup")
	wantNames(t, target, "dump", "filestore", "manifest.json")
	if err := d.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second Commit: %v", err)
	}
	if err := d.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	wantNames(t, target, "dump", "filestore", "manifest.json")
}

func TestCreateDir_Abort(t *testing.T) {
	parent := t.TempDir()
	d := createDir(t, filepath.Join(parent, "backup"))
	fill(t, d.Path())
	for range 2 {
		if err := d.Abort(); err != nil {
			t.Fatal(err)
		}
		wantNames(t, parent)
	}
	if err := d.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after Abort: %v", err)
	}
}

func TestCreateDir_Relative(t *testing.T) {
	parent := t.TempDir()
	t.Chdir(parent)
	d := createDir(t, "backup/")
	t.Chdir(t.TempDir()) // the path is that of the call
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent, "backup")
}

func TestCreateDir_TargetExists(t *testing.T) {
	makers := map[string]func(path string) error{
		"file":          func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"empty folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"dangling link": func(path string) error { return os.Symlink("nowhere", path) },
	}
	for about, make := range makers {
		t.Run(about, func(t *testing.T) {
			parent := t.TempDir()
			target := filepath.Join(parent, "backup")
			if err := make(target); err != nil {
				t.Fatal(err)
			}
			if _, err := CreateDir(target); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), target) {
				t.Errorf("before: %v", err)
			}
			wantNames(t, parent, "backup")

			// The same when it comes into being while the work goes on.
			if err := os.Remove(target); err != nil {
				t.Fatal(err)
			}
			d := createDir(t, target)
			fill(t, d.Path())
			if err := make(target); err != nil {
				t.Fatal(err)
			}
			before := lstat(t, target)
			if err := d.Commit(); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), target) {
				t.Errorf("meanwhile: %v", err)
			}
			if err := renameChecked(d.Path(), target); !errors.Is(err, fs.ErrExist) {
				t.Errorf("without renameat2: %v", err)
			}
			if !os.SameFile(before, lstat(t, target)) {
				t.Error("the target is another")
			}
			if err := d.Abort(); err != nil {
				t.Error(err)
			}
			wantNames(t, parent, "backup")
		})
	}
}

func TestCreateDir_BadParent(t *testing.T) {
	parent := t.TempDir()
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := CreateDir(filepath.Join(parent, "missing", "backup"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "parent folder") {
		t.Errorf("missing parent: %v", err)
	}
	_, err = CreateDir(filepath.Join(file, "backup"))
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("file as parent: %v", err)
	}
	if _, err = CreateDir(filepath.Join(parent, strings.Repeat("x", 256))); err == nil {
		t.Error("a name that is too long for the end is not refused at the beginning")
	}
	if _, err = CreateDir(string(filepath.Separator)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("root: %v", err)
	}
	wantNames(t, parent, "file")
}

func TestCreateDir_LongNames(t *testing.T) {
	for _, name := range []string{strings.Repeat("x", 255), strings.Repeat("文", 85), "a" + strings.Repeat("é", 127), "a b\n\"'$"} {
		parent := t.TempDir()
		d := createDir(t, filepath.Join(parent, name))
		temp := filepath.Base(d.Path())
		if len(temp) > 143 || strings.ToValidUTF8(temp, "") != temp {
			t.Errorf("temporary name %q", temp)
		}
		if err := d.Commit(); err != nil {
			t.Error(err)
		}
		wantNames(t, parent, name)
	}
}

func TestLeftovers(t *testing.T) {
	parent := t.TempDir()
	inUse := createDir(t, filepath.Join(parent, "one"))
	killed := createDir(t, filepath.Join(parent, "two"))
	fill(t, killed.Path())
	if killed.lock == nil {
		t.Skip("folders cannot be locked here")
	}
	killed.unlock() // as the kernel does when a process ends
	if err := os.WriteFile(filepath.Join(parent, TempPrefix+"a-file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file := createFile(t, filepath.Join(parent, "file"))
	if err := os.Symlink(killed.Path(), filepath.Join(parent, TempPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(parent, "other"), 0o700); err != nil {
		t.Fatal(err)
	}
	found, _, err := Leftovers(parent)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Path != filepath.Join(parent, TempPrefix+"a-file") || found[0].IsDir ||
		found[1].Path != killed.Path() || !found[1].IsDir || !found[1].ModTime.Equal(lstat(t, killed.Path()).ModTime()) {
		t.Fatalf("Leftovers = %v, want a file and %s", found, killed.Path())
	}
	for _, path := range []string{inUse.Path(), file.Path()} {
		if err := (Leftover{Path: path}).Remove(); err == nil {
			t.Errorf("%s was removed, and is in use", path)
		}
	}
	for _, l := range found {
		if err := l.Remove(); err != nil {
			t.Error(err)
		}
	}
	if found, _, err = Leftovers(parent); err != nil || len(found) != 0 {
		t.Errorf("after removal: %v, %v", found, err)
	}
	if err := inUse.Commit(); err != nil {
		t.Error(err)
	}
	if err := file.Abort(); err != nil {
		t.Error(err)
	}
	wantNames(t, parent, TempPrefix+"link", "one", "other")
	if _, _, err := Leftovers(filepath.Join(parent, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing parent: %v", err)
	}
}

// What lockDir finds gone, CreateDir makes anew.
func TestLockDir_Removed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := lockDir(path, true)
	if lock == nil {
		t.Skip("folders cannot be locked here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := stillAt(path, lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := stillAt(path, lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another in its place: %v", err)
	}
}

func TestSyncTree(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syncTree(dir); err != nil {
		t.Error(err)
	}
	if err := syncTree(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

func createDir(t *testing.T, target string) *PendingDir {
	t.Helper()
	d, err := CreateDir(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Abort() })
	return d
}

// fill makes files and folders on several levels.
func fill(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"manifest.json", "dump/toc.dat", "filestore/ab/abc", "filestore/checklist/ab/abc"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o400); err != nil {
			t.Fatal(err)
		}
	}
}

func lstat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// wantNames checks which names are in a folder, which sorts them.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}
