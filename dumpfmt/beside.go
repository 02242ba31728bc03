package dumpfmt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// OpenBeside opens a file of a backup's folder that lies beside its archive, such
// as odx.json, for reading. Name is its path in the folder. Symbolic links are
// followed within the folder only, and what is no regular file is not opened: a
// stranger's backup could have any file of the machine read, or a device that
// never ends. Both give an error that matches ErrFormat; where there is nothing it
// matches fs.ErrNotExist.
func OpenBeside(backup, name string) (*os.File, error) {
	path := filepath.Join(backup, name)
	root, err := os.OpenRoot(backup)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	switch {
	case err != nil && exists(path): // and yet not by way of the folder
		return nil, &FormatError{Path: path, Offset: -1, Err: fmt.Errorf("a link that leads out of the backup, and is not followed: %w", err)}
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &FormatError{Path: path, Offset: -1, Err: errors.New("not a regular file")}
	}
	return root.Open(name)
}

// ReadBeside reads a file as OpenBeside opens it, and refuses one of more than
// limit bytes.
func ReadBeside(backup, name string, limit int64) ([]byte, error) {
	f, err := OpenBeside(backup, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &FormatError{Path: f.Name(), Offset: -1, Err: fmt.Errorf("more than the %d bytes that are read", limit)}
	}
	return data, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
