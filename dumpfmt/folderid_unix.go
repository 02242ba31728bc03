//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package dumpfmt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FolderID tells a folder from others of its file system, under whatever name; ""
// if it cannot be looked at, or where the system does not tell.
func FolderID(path string) string {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return ""
	}
	return fmt.Sprint(st.Ino)
}
