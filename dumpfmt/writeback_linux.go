package dumpfmt

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback sets the disk to work on a part of a file and does not wait for
// it. Where it cannot, Sync has more to do, and says what is wrong.
func startWriteback(f *os.File, offset, length int64) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) {
		_ = unix.SyncFileRange(int(fd), offset, length, unix.SYNC_FILE_RANGE_WRITE)
	})
}
