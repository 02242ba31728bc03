package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestInUse_Removed refuses to read a backup that another odx is removing.
func TestInUse_Removed(t *testing.T) {
	w := smallWorld(t)
	backup := smallBackup(t, w)
	latest := filepath.Join(filepath.Dir(backup), "latest")
	if err := os.Symlink(backup, latest); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(backup)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", backup}, {"verify", latest}, {"verify", backup, backup}, {"convert", backup, backup + ".zip"},
		{"restore", backup, "failed", "--data-dir", w.data},
		{"restore", filepath.Join(backup, "dump"), "failed", "--data-dir", w.data, "--filestore-from", latest + "/"},
	} {
		w.odx(t, args...).want(t, exitFailed, "in use by another odx", "odx: hint: ")
	}
	w.nothingLeft(t)
	wantOnly(t, filepath.Dir(backup), "backup", "latest")
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_SH); err != nil { // as a reader has it
		t.Fatal(err)
	}
	w.odx(t, "verify", latest, backup).want(t, exitOK)
}
