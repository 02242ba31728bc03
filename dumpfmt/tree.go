package dumpfmt

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// syncTree writes every file and folder below path to the disk, one by one.
func syncTree(path string) error {
	return filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		flags := os.O_RDONLY
		switch {
		case e.IsDir() && runtime.GOOS == "windows":
			return nil // its folders need no sync, and cannot be
		case runtime.GOOS == "windows":
			flags = os.O_RDWR // asked for by FlushFileBuffers
		case !e.IsDir() && !e.Type().IsRegular():
			return nil
		}
		f, err := os.OpenFile(name, flags, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// renameChecked renames a folder or a file unless the target exists. Between
// the check and the rename of a folder another may make the target, but only an
// empty folder would be replaced then. A file gets its new name first and then
// loses the old one; only where files cannot have two names is there such a
// moment for it too.
func renameChecked(from, to string) error {
	if err := refuseExisting(to); err != nil {
		return err
	}
	if info, err := os.Lstat(from); err == nil && info.Mode().IsRegular() {
		if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrExist) {
			if err == nil {
				err = os.Remove(from)
			}
			return err
		}
	}
	return os.Rename(from, to)
}

// removeTree removes a folder and what is in it. Folders on the first two
// levels (such as the 256 of a filestore) are emptied by several workers.
func removeTree(path string) error {
	folders := make(chan string)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for dir := range folders {
				_ = os.RemoveAll(dir) // what stays, the last call below reports
			}
		})
	}
	eachFolder(path, func(dir string) {
		eachFolder(dir, func(below string) { folders <- below })
	})
	close(folders)
	workers.Wait()
	return os.RemoveAll(path)
}

// eachFolder calls f for the folders in a folder. They are read in pieces: a
// folder may hold millions of files. Errors end it; they show on removal.
func eachFolder(path string, f func(string)) {
	dir, err := os.Open(path)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(1024)
		for _, e := range entries {
			if e.IsDir() {
				f(filepath.Join(path, e.Name()))
			}
		}
		if err == io.EOF || len(entries) == 0 {
			return
		}
	}
}
