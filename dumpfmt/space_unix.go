//go:build linux || darwin || freebsd

package dumpfmt

import "golang.org/x/sys/unix"

// FreeRoom tells what this user may still write where a folder lies. Where that
// cannot be told the error matches errors.ErrUnsupported.
func FreeRoom(dir string) (Room, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Room{}, err
	}
	room := Room{Bytes: int64(st.Bavail) * int64(st.Bsize), Files: int64(st.Ffree)}
	if st.Files == 0 { // the file system makes inodes as it goes
		room.Files = -1
	}
	return room, nil
}
