//go:build unix

package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

func ownerOf(info fs.FileInfo) (uid, gid int) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}

// sameDisk tells whether two are on one file system.
func sameDisk(a, b fs.FileInfo) bool {
	x, okA := a.Sys().(*syscall.Stat_t)
	y, okB := b.Sys().(*syscall.Stat_t)
	return okA && okB && x.Dev == y.Dev
}

// canGive tells whether this process may give files to the owner in p: it has the
// privilege for it (root, CAP_CHOWN), or is that user and belongs to that group.
func canGive(p Permissions) error {
	if mayChown() {
		return nil
	}
	if p.UID >= 0 && p.UID != os.Geteuid() {
		return fmt.Errorf("owner is user %d, this is user %d: %w (run as root or as that user)",
			p.UID, os.Geteuid(), fs.ErrPermission)
	}
	groups, err := os.Getgroups()
	if err != nil {
		return fmt.Errorf("read the groups of this process: %w", err)
	}
	if p.GID >= 0 && p.GID != os.Getegid() && !slices.Contains(groups, p.GID) {
		return fmt.Errorf("group is %d, to which user %d does not belong: %w (run as root or as a member)",
			p.GID, os.Geteuid(), fs.ErrPermission)
	}
	return nil
}
