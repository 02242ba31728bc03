package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of the given size for the test. Mounting
// takes root, as which CI runs.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small file system")
	}
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull fills the disk under pg_dump, under the copied filestore, and
// under the filestore that a restore makes.
func TestDiskFull(t *testing.T) {
	w := sharedWorld(t)
	good := makeBackup(t, w)
	t.Run("data files", func(t *testing.T) {
		disk := smallDisk(t, "2m")
		r := w.odx(t, "dump", sourceDB, filepath.Join(disk, "backup"), "--no-filestore")
		r.want(t, exitTool, "No space left on device", "odx: hint: the disk is full")
		wantOnly(t, disk)
		w.nothingLeft(t, disk)
	})
	t.Run("copied filestore", func(t *testing.T) {
		disk := smallDisk(t, "4m")
		r := w.odx(t, "dump", sourceDB, filepath.Join(disk, "backup"), "--data-dir", w.data, "--exclude-table-data=*")
		r.want(t, exitFailed, "no space left on device", "odx: hint: the disk is full")
		wantOnly(t, disk)
		w.nothingLeft(t, disk)
	})
	t.Run("restored filestore", func(t *testing.T) {
		disk := smallDisk(t, "4m")
		r := w.odx(t, "restore", good, "failed", "--data-dir", disk)
		r.want(t, exitFailed, "no space left on device", "odx: hint: the disk is full")
		wantOnly(t, disk)
		w.nothingLeft(t, disk)
	})
}
