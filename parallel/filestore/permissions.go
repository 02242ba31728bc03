package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// OwnerOf reads owner and modes from the folder at path or, where that does
// not exist, from the nearest folder above it that does. Files get the
// folder's mode without the x bits. On Windows the owner is unknown (-1).
func OwnerOf(path string) (Permissions, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Permissions{}, err
	}
	for {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			p := Permissions{DirMode: info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)}
			p.FileMode = p.DirMode & 0o666
			p.UID, p.GID = ownerOf(info)
			return p, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Permissions{}, err
		}
		if err == nil || filepath.Dir(path) == path {
			return Permissions{}, fmt.Errorf("%s: not a folder", path)
		}
		path = filepath.Dir(path)
	}
}

// CanGive tells whether this process may give files to the owner in p: it has
// the privilege for it (root, CAP_CHOWN), or is that user and belongs to that
// group. The error says who would have to run it. A file system can still
// refuse (NFS with root squashing, an ID that a container does not map), which
// TryGive finds out.
func CanGive(p Permissions) error {
	return canGive(p)
}

// TryGive makes a folder in parent, gives it to the owner in p and removes it.
func TryGive(parent string, p Permissions) (err error) {
	dir, err := os.MkdirTemp(parent, "odx-tmp-owner-")
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

// give sets owner and mode of a folder, which was made with mode 0700.
func give(dir string, p Permissions) error {
	if p.UID >= 0 || p.GID >= 0 {
		if err := os.Chown(dir, p.UID, p.GID); err != nil {
			return err
		}
	}
	if p.DirMode == 0 {
		return nil
	}
	return os.Chmod(dir, p.DirMode)
}
