package dumpfmt

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// syncDir writes the whole file system of an open folder to the disk. For
// millions of files that takes a fraction of the time of one fsync each, and
// since Linux 5.8 it reports write errors since the folder was opened. Older
// kernels report them to who syncs the file.
func syncDir(dir *os.File, path string) error {
	err := unix.Syncfs(int(dir.Fd()))
	if errors.Is(err, unix.ENOSYS) || err == nil && isKernelBefore(5, 8) {
		return syncTree(path)
	}
	return os.NewSyscallError("syncfs", err)
}

// isKernelBefore tells whether the kernel is older than this release, or of one
// that cannot be told.
func isKernelBefore(major, minor int) bool {
	var name unix.Utsname
	var x, y int
	if unix.Uname(&name) != nil {
		return true
	}
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &x, &y); n < 2 {
		return true
	}
	return x < major || x == major && y < minor
}

// renameNew renames a folder, never over something that exists.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return renameChecked(from, to) // NFS and others know no flags
	}
	return err
}

// isMountPoint tells whether something is mounted on a folder, as far as the
// kernel says (since Linux 5.8).
func isMountPoint(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// commandOf gives the command of a process, without its arguments; "" if it
// cannot be told.
func commandOf(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return shownCommand(strings.Split(string(line), "\x00"))
}
