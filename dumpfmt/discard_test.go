package dumpfmt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestDiscard(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "backup")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	fill(t, path)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("stays"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(outside, filepath.Join(path, "hard")); err != nil {
		t.Skip(err)
	}
	if err := Discard(path, lstat(t, path)); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent)
	if text, err := os.ReadFile(outside); string(text) != "stays" || err != nil {
		t.Errorf("the other name of a hard link has %q, %v", text, err)
	}
	if runtime.GOOS != "windows" && lstat(t, outside).Mode() != 0o400 {
		t.Errorf("its mode is %v", lstat(t, outside).Mode())
	}
}

// TestDiscard_Refused finds somebody at work, something else under the name,
// and a link.
func TestDiscard_Refused(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "backup.zip")
	if err := os.WriteFile(path, []byte("zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	judged := lstat(t, path)
	if runtime.GOOS != "windows" {
		use, err := Use(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := Discard(path, judged); !errors.Is(err, ErrInUse) {
			t.Errorf("in use: %v", err)
		}
		use.Close()
	}
	other := filepath.Join(parent, "other.zip")
	if err := os.WriteFile(other, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Discard(other, judged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something else: %v", err)
	}
	if err := os.Symlink("backup.zip", filepath.Join(parent, "link.zip")); err != nil {
		t.Fatal(err)
	}
	if err := Discard(filepath.Join(parent, "link.zip"), judged); err == nil {
		t.Error("a link was removed")
	}
	wantNames(t, parent, "backup.zip", "link.zip", "other.zip")
}

// TestDiscard_Interrupted leaves something that is no backup and that Leftovers
// finds, when not all can be removed.
func TestDiscard_Interrupted(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "backup")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	fill(t, path)
	t.Cleanup(func() { removeDoomed = removeTree })
	removeDoomed = func(dir string) error {
		wantNames(t, parent, filepath.Base(dir))
		return errors.Join(os.RemoveAll(filepath.Join(dir, "dump")), errors.New("the disk is gone"))
	}
	err := Discard(path, lstat(t, path))
	if err == nil || !strings.Contains(err.Error(), TempPrefix+"backup-") {
		t.Errorf("Discard: %v", err)
	}
	left, _, err := Leftovers(parent)
	if err != nil || len(left) != 1 {
		t.Fatalf("Leftovers: %v, %v", left, err)
	}
	if err := left[0].Remove(); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent)
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"first", "second"} {
		if err := ReplaceFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != text || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if runtime.GOOS != "windows" && lstat(t, path).Mode() != 0o644 {
			t.Errorf("mode %v", lstat(t, path).Mode())
		}
	}
	wantNames(t, dir, "file")
	sub := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(sub, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceFile(sub, []byte("x"), 0o644); err == nil {
		t.Error("a folder was replaced")
	}
	wantNames(t, dir, "file", "folder")
}
