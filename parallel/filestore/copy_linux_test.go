package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCopy_Full copies to a small file system: the error names the file and
// the reason, and there it ends.
func TestCopy_Full(t *testing.T) {
	target := filepath.Join(t.TempDir(), "small")
	must(t, os.Mkdir(target, 0o700))
	err := syscall.Mount("none", target, "tmpfs", 0, "size=64k,mode=0777")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this process may not mount a file system")
	}
	must(t, err)
	defer func() { must(t, syscall.Unmount(target, syscall.MNT_DETACH)) }()
	source, _ := makeStore(t)
	for _, jobs := range []int{1, 8} {
		_, err := Copy(t.Context(), Options{Source: source, Target: filepath.Join(target, "copy"), Jobs: jobs})
		var p *os.PathError
		if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &p) || p.Path == "" {
			t.Errorf("%d jobs: error %v", jobs, err)
		}
		must(t, os.RemoveAll(filepath.Join(target, "copy")))
	}
}
