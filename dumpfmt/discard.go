package dumpfmt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrInUse is returned when a backup is not removed because somebody works
// on it.
var ErrInUse = errors.New("in use by another odx")

// Use keeps Discard away from a folder or a file, until the result is closed or
// the process ends. Several may use it at once. The error matches ErrInUse where
// it is being removed. Where nothing can be locked there is no error, and no
// protection.
func Use(path string) (*InUse, error) {
	lock, err := claim(path, false)
	if err != nil {
		return nil, err
	}
	return &InUse{lock}, nil
}

// UseSource is Use of a backup that is to be read, wherever links on the way to it
// lead.
func UseSource(path string) (*InUse, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	return Use(path)
}

// InUse is a folder or a file that is kept from being removed.
type InUse struct{ lock *os.File }

// Close lets it go.
func (u *InUse) Close() {
	if u != nil && u.lock != nil {
		_ = u.lock.Close() // open for reading
	}
}

// Discard removes a folder with everything in it, or a file. It first gets a
// temporary name, on the disk too: whenever the machine stops, either the whole
// is there or a leftover, and never half of it under its name. Files that have
// other names (hard links) keep those, and their owner, mode and content; links
// in the folder are removed, not followed.
//
// Judged is what the caller has looked at: if something else is at path now, the
// error matches fs.ErrNotExist. It matches ErrInUse if somebody uses it. In both
// cases, and if it cannot be renamed, nothing is changed. If it cannot be removed
// whole the error names the leftover.
func Discard(path string, judged fs.FileInfo) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	lock, err := claim(path, true)
	if err != nil {
		return err
	}
	if lock != nil {
		defer lock.Close()
	}
	if now, err := os.Lstat(path); err != nil {
		return err
	} else if !os.SameFile(now, judged) {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	doomed := tempSibling(path)
	if err := renameNew(path, doomed); err != nil {
		return &os.LinkError{Op: "rename", Old: path, New: doomed, Err: cause(err)}
	}
	if err := syncParent(lock, doomed); err != nil {
		return errors.Join(fmt.Errorf("write %s to disk: %w", filepath.Dir(path), err), renameNew(doomed, path))
	}
	if err := removeDoomed(doomed); err != nil {
		return fmt.Errorf("%s was set aside as %s, and not all of it could be removed: %w", path, doomed, err)
	}
	return nil
}

var removeDoomed = removeTree // overridden in tests
