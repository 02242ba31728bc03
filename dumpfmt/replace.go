package dumpfmt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ReplaceDir is CreateDir for a target that may exist: as CreateDir's it is
// never overwritten, so whoever replaces it moves it aside before Commit.
func ReplaceDir(target string) (*PendingDir, error) {
	return alone(target, "", false, func() (*PendingDir, error) {
		target, err := inFolder(target)
		if err != nil {
			return nil, err
		}
		return makeDir(target)
	})
}

// Retract takes back a Commit: the folder is again under construction, under
// its temporary name. Unless Commit has succeeded it does nothing.
func (d *PendingDir) Retract() (err error) {
	if !d.placed {
		return nil
	}
	if err := MoveDir(d.target, d.path); err != nil {
		return err
	}
	d.placed, d.done = false, false
	d.lock, err = lockDir(d.path, true)
	return err
}

// CheckMovable makes sure, without touching it, that a folder can be moved to
// another name beside it: it is a folder, no link to one, and nothing is
// mounted on it. The error says what it is, and matches syscall.EXDEV for links
// and mount points. Where there is nothing it matches fs.ErrNotExist.
func CheckMovable(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return &fs.PathError{Op: "move the link", Path: path, Err: syscall.EXDEV}
	case !info.IsDir():
		return &fs.PathError{Op: "move", Path: path, Err: syscall.ENOTDIR}
	case isMountPoint(path):
		return &fs.PathError{Op: "move the mount point", Path: path, Err: syscall.EXDEV}
	}
	return nil
}

// MoveDir gives a folder another name in the same parent folder, never over
// something that exists, and brings that to the disk. After an error it has its
// old name, unless the error is joined by one that says otherwise.
func MoveDir(from, to string) error {
	if err := renameNew(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: cause(err)}
	}
	// Where the parent cannot be synced the next Sync of a PendingDir does it.
	if err := syncFolder(filepath.Dir(to)); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
		return errors.Join(fmt.Errorf("write %s to disk: %w", filepath.Dir(to), err), os.Rename(to, from))
	}
	return nil
}

// DiscardDir removes a folder with everything in it. It gets a temporary name
// first, so that a run that is killed leaves nothing that looks whole; left is
// the name that it has after an error.
func DiscardDir(path string) (left string, err error) {
	temp := tempSibling(path)
	if err := MoveDir(path, temp); err != nil {
		return path, err
	}
	return temp, Leftover{Path: temp, IsDir: true}.Remove()
}
