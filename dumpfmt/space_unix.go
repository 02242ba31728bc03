//go:build linux || darwin || freebsd

package dumpfmt

import "golang.org/x/sys/unix"

// FreeSpace gives the bytes that this user may still write where a folder lies.
// Where that cannot be told the error matches errors.ErrUnsupported.
func FreeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
