package measure

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// diskUsed returns what is in use of a folder's file system, 0 if unknown.
func diskUsed(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Blocks-s.Bfree) * s.Bsize
}

// flush waits until a folder's file system has nothing left to write.
func flush(dir string) (err error) {
	if dir == "" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return unix.Syncfs(int(f.Fd()))
}
