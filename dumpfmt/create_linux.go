package dumpfmt

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// syncDir writes the whole file system of an open folder to the disk. For
// millions of files that takes a fraction of the time of one fsync each, and
// since Linux 5.8 it reports write errors since the folder was opened. Older
// kernels report them to who syncs the file. File systems that have a server behind
// them may pass on to it what a file's sync asks for, and not this.
func syncDir(dir *os.File, path string) error {
	err := unix.Syncfs(int(dir.Fd()))
	if errors.Is(err, unix.ENOSYS) || err == nil && (isKernelBefore(5, 8) || hasServer(path)) {
		return syncTree(path)
	}
	return os.NewSyscallError("syncfs", err)
}

// The file systems that other machines may use as well, or that a program of this one
// serves. The last one is virtiofs too.
var (
	sharedTypes = []int64{unix.NFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, ocfs2Magic, gfs2Magic}
	servedTypes = []int64{unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC}
)

const (
	ocfs2Magic = 0x7461636f
	gfs2Magic  = 0x01161970
)

// isShared tells whether other machines may use the file system of a folder as well;
// overridden in tests.
var isShared = func(path string) bool {
	kind := typeOf(path)
	return slices.Contains(sharedTypes, kind) || slices.Contains(servedTypes, kind)
}

func hasServer(path string) bool { return slices.Contains(servedTypes, typeOf(path)) }

// typeOf gives the number of a file system's type, 0 if it cannot be had.
func typeOf(path string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0
	}
	return int64(uint32(st.Type)) // an int32 on some machines
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
