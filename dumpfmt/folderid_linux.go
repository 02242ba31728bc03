package dumpfmt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FolderID tells a folder from others of its file system, under whatever name and
// for all time: a number is soon used again for a new folder, so the time of its
// making belongs to it, where the file system knows that. "" if the folder cannot be
// looked at, or where the system does not tell.
func FolderID(path string) string {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		var old unix.Stat_t // which every kernel has, and every sandbox lets through
		if err := unix.Lstat(path, &old); err != nil {
			return ""
		}
		return fmt.Sprint(old.Ino)
	}
	if st.Mask&unix.STATX_BTIME == 0 {
		return fmt.Sprint(st.Ino)
	}
	return fmt.Sprintf("%d-%d.%09d", st.Ino, st.Btime.Sec, st.Btime.Nsec)
}
