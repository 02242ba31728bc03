//go:build unix

package doctor

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// tryWrite asks the system, and makes nothing.
func tryWrite(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "write", Path: dir, Err: err}
	}
	return nil
}
