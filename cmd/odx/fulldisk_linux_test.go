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

// TestDiskFull fills the disk under the data of a dump, under the copied
// filestore, and under the filestore that a restore makes.
func TestDiskFull(t *testing.T) {
	w := sharedWorld(t)
	good := makeBackup(t, w)
	const full, hint = "o space left on device", "odx: hint: the disk is full"
	for _, tc := range []struct {
		name, size, target, engine string
		code                       int
		says                       []string
	}{
		{"data files", "3m", "backup", "direct", exitFailed, []string{full, hint}},
		{"data files of pg_dump", "3m", "backup", "pg_dump", exitTool, []string{full, hint}},
		{"zip", "4m", "backup.zip", "direct", exitFailed, []string{full, hint}},
		{"zip for which there is no room", "1m", "backup.zip", "direct", exitFailed, []string{"too little room", "odx: hint: make room"}},
		{"folder for which there is no room", "1m", "backup", "direct", exitFailed, []string{"MB are free", "odx: hint: make room"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk := smallDisk(t, tc.size)
			r := w.odx(t, "dump", sourceDB, filepath.Join(disk, tc.target), "--no-filestore", "--engine", tc.engine)
			r.want(t, tc.code, tc.says...)
			wantOnly(t, disk)
			w.nothingLeft(t, disk)
		})
	}
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
