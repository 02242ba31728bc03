package dumpfmt

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// TempPrefix begins the name of everything that is not finished. What bears
// such a name and is in nobody's use may be removed.
const TempPrefix = "odx-tmp-"

// maxTempBase is how many bytes of the final name a temporary name repeats, so
// that people see what it was to become. It keeps the name far below the 143
// bytes that the narrowest file system (eCryptfs) allows.
const maxTempBase = 64

// PendingDir is a folder under construction: a temporary sibling of its final
// place, which Commit renames into place and Abort removes. On Unix it is
// locked, so that others can tell it from the leftover of a run that was
// killed; the lock ends with the process. It is for one goroutine.
type PendingDir struct {
	target, path string
	lock         *os.File // the folder itself; nil where folders cannot be locked
	done         bool
}

// CreateDir makes the temporary folder for target, of mode 0700. It is on the
// same file system. If target exists, as whatever it may be, the error matches
// fs.ErrExist; nothing is created in any error.
func CreateDir(target string) (*PendingDir, error) {
	target, err := filepath.Abs(target)
	if err != nil {
		return nil, err
	}
	if err := refuseExisting(target); err != nil {
		return nil, err
	}
	parent := filepath.Dir(target)
	info, err := os.Stat(parent)
	if err != nil {
		return nil, fmt.Errorf("parent folder: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("parent folder: %w", &fs.PathError{Op: "open", Path: parent, Err: syscall.ENOTDIR})
	}
	for {
		d := &PendingDir{target: target, path: filepath.Join(parent, tempName(filepath.Base(target)))}
		if err := os.Mkdir(d.path, 0o700); err != nil {
			return nil, &fs.PathError{Op: "create a folder in", Path: parent, Err: cause(err)}
		}
		if d.lock, err = lockDir(d.path, true); err == nil {
			return d, nil
		}
		// Between the two calls the folder may have been taken for a leftover
		// and removed.
		if gone := os.Remove(d.path); !errors.Is(gone, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", d.path, err), gone)
		}
	}
}

// tempName gives a new name for a folder that is to become base.
func tempName(base string) string {
	if len(base) > maxTempBase {
		base = strings.ToValidUTF8(base[:maxTempBase], "") // the cut may go through a character
	}
	random := make([]byte, 5)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	return TempPrefix + base + "-" + hex.EncodeToString(random)
}

func refuseExisting(target string) error {
	_, err := os.Lstat(target)
	if err == nil {
		return &fs.PathError{Op: "create", Path: target, Err: fs.ErrExist}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// cause is the error inside an error of package os that names a path.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// Path is the temporary folder, absolute. After Commit nothing is there.
func (d *PendingDir) Path() string { return d.path }

// Target is the folder's final place, absolute.
func (d *PendingDir) Target() string { return d.target }

// Sync brings what was written in the folder to the disk. Commit does so too;
// calling it earlier only makes Commit short. On Linux it is one call for the
// whole file system, so it also waits for what other programs have written
// there, and reports a write error of theirs. It cannot be interrupted.
func (d *PendingDir) Sync() error {
	if err := syncDir(d.lock, d.path); err != nil {
		return fmt.Errorf("write %s to disk: %w", d.path, err)
	}
	return nil
}

// Commit brings everything to the disk (as Sync does), renames the folder to
// its final place and brings the rename to the disk. A target that has come
// into being meanwhile is never replaced: the error then matches fs.ErrExist.
// After an error the folder is still under its temporary name, for Abort.
func (d *PendingDir) Commit() error {
	if d.done {
		return fmt.Errorf("put %s in place: %w", d.target, fs.ErrClosed)
	}
	if err := d.Sync(); err != nil {
		return err
	}
	if err := renameNew(d.path, d.target); err != nil {
		return &os.LinkError{Op: "rename", Old: d.path, New: d.target, Err: cause(err)}
	}
	if err := d.syncParent(); err != nil {
		err = fmt.Errorf("write %s to disk: %w", filepath.Dir(d.target), err)
		return errors.Join(err, os.Rename(d.target, d.path))
	}
	d.done = true
	d.unlock()
	return nil
}

// syncParent brings the rename to the disk. Where the parent cannot be opened
// for reading or be synced by itself, its file system is.
func (d *PendingDir) syncParent() error {
	f, err := os.Open(filepath.Dir(d.target))
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		err = syncDir(d.lock, d.target)
	}
	return err
}

// Abort removes the folder with everything in it. After Commit or another
// Abort it does nothing, so it can be deferred.
func (d *PendingDir) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	err := removeTree(d.path)
	d.unlock()
	return err
}

func (d *PendingDir) unlock() {
	if d.lock != nil {
		_ = d.lock.Close() // open for reading: there is nothing to lose
	}
}

// Leftover is a temporary folder of a run that was killed.
type Leftover struct {
	Path    string
	ModTime time.Time
}

// Leftovers lists the temporary folders directly in parent that nobody uses,
// in the order of their names. Folders that this process may not look into are
// not listed, as whether they are in use cannot be told; nor are any where
// folders cannot be locked (Windows). The lock is seen on this machine only: in
// a folder shared over the network another machine's run may be listed.
func Leftovers(parent string) ([]Leftover, error) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil, err
	}
	var found []Leftover
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), TempPrefix) {
			continue
		}
		l := Leftover{Path: filepath.Join(parent, e.Name())}
		lock, err := lockDir(l.Path, false)
		if err != nil || lock == nil {
			continue
		}
		if info, err := lock.Stat(); err == nil {
			l.ModTime = info.ModTime()
			found = append(found, l)
		}
		_ = lock.Close() // open for reading
	}
	return found, nil
}

// Remove deletes the folder with everything in it, unless somebody has come to
// use it.
func (l Leftover) Remove() error {
	lock, err := lockDir(l.Path, false)
	if err != nil {
		return fmt.Errorf("lock %s: %w", l.Path, err)
	}
	if lock != nil {
		defer lock.Close()
	}
	return removeTree(l.Path)
}
