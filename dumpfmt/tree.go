package dumpfmt

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// syncWorkers is how many files are synced at once: each waits for the disk, or for a
// server.
const syncWorkers = 16

// syncTree writes every file and folder below path to the disk, each by itself.
func syncTree(path string) error {
	tasks := make(chan func() error)
	failures := make([]error, syncWorkers) // the first of each worker
	var workers sync.WaitGroup
	for i := range failures {
		workers.Go(func() {
			for task := range tasks {
				if err := task(); failures[i] == nil {
					failures[i] = err
				}
			}
		})
	}
	err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			tasks <- func() error { return syncOne(name, os.O_RDONLY, isNoSync) }
		case e.Type().IsRegular():
			tasks <- func() error { return syncFile(name) }
		}
		return nil
	})
	close(tasks)
	workers.Wait()
	return errors.Join(append(failures, err)...)
}

// syncFile syncs a file as one that may write it: SMB and Windows do nothing for others.
func syncFile(name string) error {
	err := syncOne(name, os.O_RDWR, func(error) bool { return false })
	if errors.Is(err, fs.ErrPermission) {
		err = syncOne(name, os.O_RDONLY, func(error) bool { return false })
	}
	return err
}

func syncOne(name string, flag int, tolerate func(error) bool) error {
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		return err
	}
	if err = f.Sync(); err != nil && tolerate(err) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// isNoSync tells whether an error says that folders cannot be synced: on Windows, and
// on file systems that need or know no such thing.
func isNoSync(err error) bool {
	return runtime.GOOS == "windows" || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission)
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

// removeTree removes a folder and what is in it, or a file. Folders on the first two
// levels (such as the 256 of a filestore) are emptied by several workers.
func removeTree(path string) error {
	if root, err := openSelf(path); err == nil { // what stays, the last call reports
		emptyFolders(root)
		_ = root.Close() // open for reading
	}
	return os.RemoveAll(path)
}

// openSelf opens a folder, and nothing that a link leads to. Somebody else may be
// allowed to write in it, who could put links in the place of its folders while they
// are removed, by root it may be: through a Root they lead nowhere else.
func openSelf(path string) (*os.Root, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(opened, info) {
		return nil, errors.Join(fs.ErrNotExist, err, root.Close())
	}
	return root, nil
}

func emptyFolders(root *os.Root) {
	folders := make(chan string)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for dir := range folders {
				_ = root.RemoveAll(dir)
			}
		})
	}
	eachFolder(root, ".", func(dir string) {
		eachFolder(root, dir, func(below string) { folders <- below })
	})
	close(folders)
	workers.Wait()
}

// eachFolder calls f for the folders in a folder, with their paths below the root.
// They are read in pieces: a folder may hold millions of files. Errors end it; they
// show on removal.
func eachFolder(root *os.Root, path string, f func(string)) {
	dir, err := root.Open(path)
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
