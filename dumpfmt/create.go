package dumpfmt

import (
	"crypto/rand"
	"crypto/sha256"
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
// that people, and others at work, see what it is to become. It keeps the name
// below the 143 bytes that the narrowest file system (eCryptfs) allows.
const maxTempBase = 64

// PendingDir is a folder under construction: a temporary sibling of its final
// place, which Commit renames into place and Abort removes. On Unix it is
// locked, so that others can tell it from the leftover of a run that was
// killed; the lock ends with the process. It is for one goroutine.
type PendingDir struct {
	pending
}

// pending is what a folder and a file under construction have in common.
type pending struct {
	target, path string
	lock         *os.File // what is at path; nil where that cannot be locked
	done         bool
	placed       bool // done by Commit
}

// CreateDir makes the temporary folder for target, of mode 0700. It is on the
// same file system. If target exists, as whatever it may be, the error matches
// fs.ErrExist; if another process of this machine makes it, the error is an
// *InUseError. Nothing is created in any error.
func CreateDir(target string) (*PendingDir, error) {
	return alone(target, "", true, func() (*PendingDir, error) {
		target, err := newTarget(target)
		if err != nil {
			return nil, err
		}
		return makeDir(target)
	})
}

// makeDir makes the temporary folder for a target, whose path is absolute.
func makeDir(target string) (_ *PendingDir, err error) {
	for {
		d := &PendingDir{pending{target: target, path: tempSibling(target)}}
		if err := os.Mkdir(d.path, 0o700); err != nil {
			return nil, &fs.PathError{Op: "create a folder in", Path: filepath.Dir(target), Err: cause(err)}
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

// newTarget makes the path of a target absolute, unless the target exists or
// its folder does not.
func newTarget(target string) (path string, err error) {
	if path, err = filepath.Abs(target); err != nil {
		return "", err
	}
	if err := refuseExisting(path); err != nil {
		return "", err
	}
	return inFolder(path)
}

// inFolder makes the path of a target absolute, unless its folder does not
// exist.
func inFolder(target string) (path string, err error) {
	if path, err = filepath.Abs(target); err != nil {
		return "", err
	}
	parent := filepath.Dir(path)
	info, err := os.Stat(parent)
	if err != nil {
		return "", fmt.Errorf("parent folder: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("parent folder: %w", &fs.PathError{Op: "open", Path: parent, Err: syscall.ENOTDIR})
	}
	return path, nil
}

// tempSibling gives a new temporary name beside a target. It tells for whom,
// since when, and whose it is: see tempPattern.
func tempSibling(target string) string {
	random := make([]byte, 5)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	name := fmt.Sprintf("%s%s-%s-%d-%s-%x", TempPrefix, tempBase(filepath.Base(target)), time.Now().UTC().Format(tempTime), os.Getpid(), thisHost(), random)
	return filepath.Join(filepath.Dir(target), name)
}

// tempBase gives what a temporary name repeats of a name: of a long one the
// beginning, and a digest that tells it from others.
func tempBase(base string) string {
	if len(base) <= maxTempBase {
		return base
	}
	sum := sha256.Sum256([]byte(base))
	digest := fmt.Sprintf("-%x", sum[:4])
	return strings.ToValidUTF8(base[:maxTempBase-len(digest)], "") + digest // the cut may go through a character
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
		return d.placedError()
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return d.Place()
}

// Place is Commit of a folder that is on the disk already, see Sync: what is left
// is to rename it.
func (d *PendingDir) Place() error {
	if d.done {
		return d.placedError()
	}
	return d.commit()
}

func (d *PendingDir) placedError() error {
	return fmt.Errorf("put %s in place: %w", d.target, fs.ErrClosed)
}

// commit renames what is finished and brings the rename to the disk.
func (p *pending) commit() error {
	if err := renameNew(p.path, p.target); err != nil {
		return &os.LinkError{Op: "rename", Old: p.path, New: p.target, Err: cause(err)}
	}
	if err := syncParent(p.lock, p.target); err != nil {
		err = fmt.Errorf("write %s to disk: %w", filepath.Dir(p.target), err)
		return errors.Join(err, os.Rename(p.target, p.path))
	}
	p.done, p.placed = true, true
	p.unlock()
	return nil
}

// syncParent brings the name of a file or folder, which is open, to the disk. Where
// the folder that it is in cannot be opened for reading or be synced by itself, the
// file system is; and where nothing can be locked (Windows), neither can.
func syncParent(open *os.File, path string) error {
	if open == nil {
		return nil
	}
	err := syncFolder(filepath.Dir(path))
	if err != nil {
		err = syncDir(open, path)
	}
	return err
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Abort removes the folder with everything in it. After Commit or another
// Abort it does nothing, so it can be deferred.
func (d *PendingDir) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	err := abortError(d.path, removeTree(d.path))
	d.unlock()
	return err
}

// AbortError says that what was not finished could not be removed.
type AbortError struct {
	Path string
	Err  error
}

func (e *AbortError) Error() string { return fmt.Sprintf("%s could not be removed: %v", e.Path, e.Err) }
func (e *AbortError) Unwrap() error { return e.Err }

func abortError(path string, err error) error {
	if err == nil {
		return nil
	}
	return &AbortError{path, err}
}

func (p *pending) unlock() {
	if p.lock != nil {
		_ = p.lock.Close() // open for reading: there is nothing to lose
	}
}

// Leftover is a temporary folder or file of a run that was killed.
type Leftover struct {
	Path    string
	IsDir   bool
	ModTime time.Time
}

// Notice tells people of it, and what to do.
func (l Leftover) Notice() string {
	return fmt.Sprintf("left over from a run that was killed: %s; remove it with odx clean --no-server --yes %s", l.Path, filepath.Dir(l.Path))
}

// Leftovers lists the temporary folders and files directly in parent that
// nobody uses, in the order of their names. Those that this process may not
// look into are not listed, as whether they are in use cannot be told; nor are
// any where they cannot be locked (Windows).
//
// On a file system that other machines use as well a lock shows on one machine only.
// There those of this machine are listed; the others, and those of which nobody knows
// whose they are, make up the second list: they may be in use.
func Leftovers(parent string) (found, foreign []Leftover, err error) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil, nil, err
	}
	shared := isShared(parent)
	for _, e := range entries {
		if !e.IsDir() && !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), TempPrefix) {
			continue
		}
		l := Leftover{Path: filepath.Join(parent, e.Name()), IsDir: e.IsDir()}
		lock, err := l.lock()
		if err != nil || lock == nil {
			continue
		}
		if info, err := lock.Stat(); err == nil {
			l.ModTime = info.ModTime()
			if shared && hostOf(e.Name()) != thisHost() {
				foreign = append(foreign, l)
			} else {
				found = append(found, l)
			}
		}
		_ = lock.Close() // open for reading
	}
	return found, foreign, nil
}

// lock makes sure that nobody uses it.
func (l Leftover) lock() (*os.File, error) {
	if info, err := os.Lstat(l.Path); err == nil && info.Mode().IsRegular() {
		return lookAtFile(l.Path)
	}
	return lockDir(l.Path, false)
}

// Remove deletes the folder with everything in it, or the file, unless somebody
// has come to use it.
func (l Leftover) Remove() error {
	lock, err := l.lock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", l.Path, err)
	}
	if lock != nil {
		defer lock.Close()
	}
	return removeTree(l.Path)
}
