package dumpfmt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLeftovers_Shared: on a file system that other machines use as well only what
// this one has left may be removed.
func TestLeftovers_Shared(t *testing.T) {
	parent := t.TempDir()
	now := time.Now().UTC().Format(tempTime)
	names := map[string]bool{ // whether it is foreign there
		filepath.Base(tempSibling(filepath.Join(parent, "own"))):               false,
		fmt.Sprintf("%sother-%s-1-%s-0123456789", TempPrefix, now, "00000000"): true,
		fmt.Sprintf("%sof-an-older-odx-%s-1-0123456789", TempPrefix, now):      true,
		TempPrefix + "unknown": true,
	}
	for name := range names {
		if err := os.Mkdir(filepath.Join(parent, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	was := isShared
	defer func() { isShared = was }()
	for _, shared := range []bool{false, true} {
		isShared = func(string) bool { return shared }
		own, foreign, err := Leftovers(parent)
		if err != nil || len(own)+len(foreign) != len(names) {
			t.Fatalf("shared %v: %v, %v, %v", shared, own, foreign, err)
		}
		for _, l := range foreign {
			if !shared || !names[filepath.Base(l.Path)] {
				t.Errorf("shared %v: %s is foreign", shared, l.Path)
			}
		}
		if shared && len(foreign) != 3 {
			t.Errorf("foreign: %v", foreign)
		}
	}
}

// TestRemoveTree_Links has links stand where folders stood: what they lead to stays.
func TestRemoveTree_Links(t *testing.T) {
	outside := t.TempDir()
	precious := filepath.Join(outside, "sub", "below", "file")
	if err := os.MkdirAll(filepath.Dir(precious), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tree")
	if err := os.MkdirAll(filepath.Join(path, "aa", "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := openSelf(path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	eachFolder(root, ".", func(dir string) { // as somebody may do who writes there too
		if err := os.Rename(filepath.Join(path, dir), filepath.Join(path, "was")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(path, dir)); err != nil {
			t.Fatal(err)
		}
		eachFolder(root, dir, func(below string) { t.Errorf("%s is to be removed", below) })
		if err := root.RemoveAll(filepath.Join(dir, "sub")); err == nil {
			t.Error("removed through a link")
		}
	})
	if err := removeTree(path); err != nil {
		t.Error(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	if _, err := openSelf(link); err == nil {
		t.Error("a link was opened")
	}
	if err := removeTree(link); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

// TestLockOpen: the lock of a file lasts when what wrote to it is closed.
func TestLockOpen(t *testing.T) {
	f, err := CreateNew(filepath.Join(t.TempDir(), TempPrefix+"x"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockOpen(f.File)
	if err != nil {
		t.Fatal(err)
	}
	if lock == nil {
		t.Skip("files cannot be locked here")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !isHeld(lookAtFile(lock.Name())) {
		t.Error("the lock went with the file")
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	if isHeld(lookAtFile(lock.Name())) {
		t.Error("the lock lasts")
	}
	if strings.Contains(thisHost(), "-") || len(thisHost()) != 8 {
		t.Errorf("host %q", thisHost())
	}
}
