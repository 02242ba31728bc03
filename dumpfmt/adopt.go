package dumpfmt

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// AdoptDir takes over the folder that a run which is no more has left under
// construction for target: its work goes on. As with CreateDir and ReplaceDir
// (isReplacing) nobody else may work on the target. It gets a temporary name of
// this process's. The result is nil, with no error, if there is no such folder.
func AdoptDir(path, target string, isReplacing bool) (*PendingDir, error) {
	target, err := inFolder(target)
	if err != nil {
		return nil, err
	}
	if filepath.Dir(path) != filepath.Dir(target) || tempPattern.FindStringSubmatch(filepath.Base(path)) == nil {
		return nil, fmt.Errorf("%s is no folder under construction for %s", path, target)
	}
	if err := CheckMovable(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return alone(target, "", !isReplacing, func() (*PendingDir, error) {
		d := &PendingDir{pending{target: target, path: tempSibling(target)}}
		if err := MoveDir(path, d.path); err != nil {
			return nil, err
		}
		if d.lock, err = lockDir(d.path, true); err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", d.path, err), MoveDir(d.path, path))
		}
		return d, nil
	})
}

// Leave keeps the folder under its temporary name, for AdoptDir, and lets it go.
func (d *PendingDir) Leave() {
	d.done = true
	d.unlock()
}
