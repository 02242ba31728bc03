package filestore

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"
)

// The methods of folder and file exist twice: folder_linux.go has them with
// few system calls on plain descriptors, folder_other.go with os.Root. Errors
// are *fs.PathError with the whole path. A folder may be used by several
// goroutines, except for list and close.

// listSize is how many names list gives at once, about.
const listSize = 4096

// kind is what an entry of a folder is.
type kind uint8

const (
	kindFile kind = iota
	kindFolder
	kindLink
	kindOther // socket, FIFO, device
)

// entry is a name in a folder.
type entry struct {
	name  string
	inode uint64 // 0 if unknown
	kind  kind
}

// meta is what stat says of a file.
type meta struct {
	kind  kind
	size  int64
	mtime time.Time

	uid, gid int         // -1 where there is no such thing
	mode     fs.FileMode // permission bits; what is setuid, setgid or sticky has more
}

// keepTime is setTime where that can be done: on file systems that give all files to
// one owner, whoever makes them, others cannot. Times only save work: what has the
// same one is not copied again.
func (d *folder) keepTime(name string, mtime time.Time) error {
	err := d.setTime(name, mtime)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// fail wraps the error of an operation on something in the folder; an empty
// name stands for the folder.
func (d *folder) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: filepath.Join(d.path, name), Err: err}
}
