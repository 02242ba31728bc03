package filestore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"odx/dumpfmt"
)

// Permissions are the owner and modes that files and folders get.
type Permissions struct {
	UID, GID int         // -1: those of this process
	FileMode fs.FileMode // permission bits; 0: 0600
	DirMode  fs.FileMode // permission bits, setgid and sticky bit; 0: 0700
}

// alone is what files and folders have without Permissions.
var alone = &Permissions{UID: -1, GID: -1}

func (p *Permissions) String() string {
	uid, gid := p.UID, "any"
	if uid < 0 {
		uid = os.Geteuid()
	}
	if p.GID >= 0 {
		gid = fmt.Sprint(p.GID)
	}
	return fmt.Sprintf("%d:%s and %04o", uid, gid, p.fileMode())
}

func (p *Permissions) fileMode() fs.FileMode {
	if p.FileMode == 0 {
		return 0o600
	}
	return p.FileMode
}

// suit tells whether a file has the owner and mode that p would give it.
func (p *Permissions) suit(m meta) bool {
	uid := p.UID
	if uid < 0 {
		uid = os.Geteuid()
	}
	return m.uid == uid && (p.GID < 0 || m.gid == p.GID) && m.mode == p.fileMode()
}

// CanLink looks at one of the files in a filestore and tells whether it could have a
// second name below the folder to, among files with these permissions.
func CanLink(from, to string, p Permissions) bool {
	can := false
	_ = filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		can = canLink(path, to, p)
		return fs.SkipAll
	})
	return can
}

func canLink(path, to string, p Permissions) bool {
	folder, err := openFolder(filepath.Dir(path))
	if err != nil {
		return false
	}
	defer folder.close()
	m, err := folder.stat(filepath.Base(path))
	if err != nil || !p.suit(m) {
		return false
	}
	_, there, err := nearestFolder(to)
	if err != nil {
		return false
	}
	here, err := os.Lstat(path)
	return err == nil && sameDisk(here, there)
}

// OwnerOf reads owner and modes from the folder at path or, where that does
// not exist, from the nearest folder above it that does. Files get the
// folder's mode without the x bits. On Windows the owner is unknown (-1).
func OwnerOf(path string) (Permissions, error) {
	_, info, err := nearestFolder(path)
	if err != nil {
		return Permissions{}, err
	}
	p := Permissions{DirMode: info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)}
	p.FileMode = p.DirMode & 0o666
	p.UID, p.GID = ownerOf(info)
	return p, nil
}

// nearestFolder is the folder at path or above it that exists.
func nearestFolder(path string) (string, fs.FileInfo, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	for {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			return path, info, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
		if err == nil || filepath.Dir(path) == path {
			return "", nil, fmt.Errorf("%s: not a folder", path)
		}
		path = filepath.Dir(path)
	}
}

// Settle gives what this process has to do so that what it makes at path has the
// owner in p, which is OwnerOf that path's: nothing where that comes by itself, as
// where a file system gives all to one user, or a folder's group to what is in it;
// and what is this user's alone where only a folder above exists that is root's and lets
// this user write, so that nobody's files are there yet. The error says who would have to run
// it. A file system can still refuse (NFS with root squashing, an ID that a container
// does not map), which TryGive finds out.
func Settle(path string, p Permissions) (Permissions, error) {
	refusal := canGive(p)
	if refusal == nil {
		return p, nil
	}
	nearest, _, err := nearestFolder(path)
	if err != nil {
		return p, err
	}
	made, err := os.MkdirTemp(nearest, ownerProbe)
	if err != nil {
		return p, refusal
	}
	defer os.Remove(made) // empty
	info, err := os.Lstat(made)
	if err != nil {
		return p, err
	}
	uid, gid := ownerOf(info)
	if uid == p.UID && (p.GID < 0 || gid == p.GID) {
		p.UID, p.GID = -1, -1
		return p, nil
	}
	if p.UID == 0 && !isSame(nearest, path) {
		return *alone, nil
	}
	return p, refusal
}

// ownerProbe begins the name of a folder that is made to see whose it is.
const ownerProbe = dumpfmt.TempPrefix + "owner-"

func isSame(a, b string) bool {
	b, err := filepath.Abs(b)
	return err == nil && a == b
}

// TryGive makes a folder in parent, gives it to the owner in p and removes it.
func TryGive(parent string, p Permissions) (err error) {
	dir, err := os.MkdirTemp(parent, ownerProbe)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(dir)) }()
	return give(dir, p)
}

// MakeParents makes the folder at path and those above it that are missing,
// each with the owner and mode in p, and lists them, the highest first, for
// RemoveParents. Existing ones are left as they are. After an error none is
// left of those that it made.
func MakeParents(path string, p Permissions) (made []string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("%s: not a folder", path)
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if made, err = MakeParents(filepath.Dir(path), p); err != nil {
		return nil, err
	}
	if err = os.Mkdir(path, 0o700); err == nil {
		made = append(made, path)
		err = give(path, p)
	}
	if err != nil {
		return nil, errors.Join(err, RemoveParents(made))
	}
	return made, nil
}

// RemoveParents removes folders that MakeParents made, but those that are no
// longer empty: somebody else uses them by now.
func RemoveParents(made []string) error {
	for _, dir := range slices.Backward(made) {
		err := os.Remove(dir)
		if entries, readErr := os.ReadDir(dir); readErr == nil && len(entries) > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Give sets owner and mode of an open file or folder that was just made.
func (p Permissions) Give(f *os.File, isDir bool) error {
	if p.UID >= 0 || p.GID >= 0 {
		if err := f.Chown(p.UID, p.GID); err != nil {
			return err
		}
	}
	mode := p.FileMode
	if isDir {
		mode = p.DirMode
	}
	if mode == 0 {
		return nil
	}
	return f.Chmod(mode)
}

// give sets owner and mode of a folder that was just made. Whoever may write in the one
// above it could put a link in its place, for root to give away what that leads to.
func give(dir string, p Permissions) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Lstat(dir); err != nil || !os.SameFile(there, opened) {
		return cmp.Or(err, error(&fs.PathError{Op: "give", Path: dir, Err: fs.ErrNotExist}))
	}
	return p.Give(f, true)
}
