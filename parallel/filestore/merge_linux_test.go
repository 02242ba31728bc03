package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCopy_HardLinkOtherDisk copies everything where the target is on another
// file system, and says why.
func TestCopy_HardLinkOtherDisk(t *testing.T) {
	source, files := makeStore(t)
	disk := filepath.Join(t.TempDir(), "disk")
	must(t, os.Mkdir(disk, 0o700))
	err := syscall.Mount("none", disk, "tmpfs", 0, "size=8m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this process may not mount a file system")
	}
	must(t, err)
	t.Cleanup(func() { must(t, syscall.Unmount(disk, 0)) })
	target := filepath.Join(disk, "copy")
	give := &Permissions{UID: os.Getuid(), GID: -1, FileMode: 0o644}
	r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2, HardLink: true, Permissions: give})
	must(t, err, r.Err())
	if r.Files != files || r.HardLinked != 0 || r.NotLinked != files || len(r.WhyNotLinked) != 1 || !errors.Is(r.WhyNotLinked[0].Err, syscall.EXDEV) {
		t.Errorf("%+v of %d files", r, files)
	}
	wantTree(t, list(t, target), list(t, source))
}
