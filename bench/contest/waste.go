package contest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"odx/dumpfmt"
)

// waste is what runs have made. ext4 is slow in making files for a minute after
// others were removed (it does not give their inodes away so soon), for which
// the next peer would pay: so it is kept for as long as there is room.
type waste struct {
	dir  string
	free int64 // bytes on the disk when there was no waste
	kept int   // folders
}

// add moves a folder there, if there is one.
func (w *waste) add(folder string) error {
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return err
	}
	err := os.Rename(folder, filepath.Join(w.dir, strconv.Itoa(w.kept)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	w.kept++
	return err
}

// settles is how long a disk is left alone after much was removed.
const settles = time.Minute

// reap removes the waste when half of the room is gone.
func (w *waste) reap(ctx context.Context) error {
	free, err := dumpfmt.FreeSpace(filepath.Dir(w.dir))
	if err != nil {
		return err
	}
	if w.kept == 0 {
		w.free = free
	}
	if free > w.free/2 {
		return nil
	}
	w.kept = 0
	if err := os.RemoveAll(w.dir); err != nil {
		return err
	}
	select {
	case <-time.After(settles):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
