package main

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestConvert_FullDisk writes to a file system that is too small.
func TestConvert_FullDisk(t *testing.T) {
	big := bigArchive(t, 20<<20)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	text := filepath.Join(t.TempDir(), "big.sql")
	runWithoutServer(t, "convert", big, text).want(t, exitOK)
	for _, way := range [][]string{{big, "x.sql"}, {big, "x", "-Z", "none"}, {text, "x", "-Z", "none"}, {text, "x", "-Z", "none", "-j1"}} {
		args := append([]string{"convert", way[0], filepath.Join(dir, way[1])}, way[2:]...)
		runWithoutServer(t, args...).want(t, exitFailed, "no space left", "the disk is full")
		wantOnly(t, dir)
	}
}
