package dumpfmt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// PendingFile is a file under construction: a temporary sibling of its final
// place, which Commit renames into place and Abort removes. It is locked as a
// PendingDir is. It is for one goroutine.
type PendingFile struct {
	place pending
	file  *WritebackFile
}

var _ io.Writer = (*PendingFile)(nil)

// CreateFile makes the temporary file for target, of mode 0600. It is on the
// same file system. If target exists, as whatever it may be, the error matches
// fs.ErrExist; if another process of this machine makes it, the error is an
// *InUseError. Nothing is created in any error.
func CreateFile(target string) (*PendingFile, error) { return CreateFileFrom(target, "") }

// CreateFileFrom is CreateFile for what is made of a folder under construction
// that bears the name of the same target.
func CreateFileFrom(target, dir string) (*PendingFile, error) {
	return alone(target, dir, true, func() (*PendingFile, error) {
		target, err := newTarget(target)
		if err != nil {
			return nil, err
		}
		return createBeside(target)
	})
}

// createBeside makes the temporary file for a target, whose path is absolute.
func createBeside(target string) (*PendingFile, error) {
	path := tempSibling(target)
	f, err := CreateNew(path)
	if err != nil {
		return nil, &fs.PathError{Op: "create a file in", Path: filepath.Dir(target), Err: cause(err)}
	}
	lock, err := lockOpen(f.File)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close(), os.Remove(path))
	}
	return &PendingFile{place: pending{target: target, path: path, lock: lock}, file: f}, nil
}

// Path is the temporary file, absolute. After Commit nothing is there.
func (f *PendingFile) Path() string { return f.place.path }

// Target is the file's final place, absolute.
func (f *PendingFile) Target() string { return f.place.target }

// Write appends to the file.
func (f *PendingFile) Write(p []byte) (int, error) { return f.file.Write(p) }

// ReadFrom appends all of r. Where r is a file, the system may copy without the
// bytes passing through memory.
func (f *PendingFile) ReadFrom(r io.Reader) (int64, error) { return f.file.ReadFrom(r) }

// Commit brings the file to the disk, renames it to its final place and brings
// the rename to the disk. A target that has come into being meanwhile is not
// replaced: the error then matches fs.ErrExist. After an error the file is
// still under its temporary name, for Abort.
func (f *PendingFile) Commit() error {
	if f.place.done {
		return fmt.Errorf("put %s in place: %w", f.place.target, fs.ErrClosed)
	}
	// Some systems rename no file that is open.
	if err := errors.Join(f.file.Sync(), f.file.Close()); err != nil {
		return fmt.Errorf("write %s to disk: %w", f.place.path, err)
	}
	return f.place.commit()
}

// Abort removes the file. After Commit or another Abort it does nothing, so it
// can be deferred.
func (f *PendingFile) Abort() error {
	if f.place.done {
		return nil
	}
	f.place.done = true
	_ = f.file.Close() // what was written is given up
	err := abortError(f.place.path, os.Remove(f.place.path))
	f.place.unlock()
	return err
}

// ReplaceFile writes a small file whole, in the place of what bears the name, if
// anything: whoever reads it meanwhile finds the old content or the new one. In
// any error the old one stays.
func ReplaceFile(target string, data []byte, mode fs.FileMode) (err error) {
	if target, err = filepath.Abs(target); err != nil {
		return err
	}
	f, err := createBeside(target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := errors.Join(f.file.Chmod(mode), f.file.Sync(), f.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.place.path, f.place.target); err != nil {
		return err
	}
	f.place.done = true
	defer f.place.unlock()
	return syncParent(f.place.lock, f.place.target)
}
