package dumpfmt

import (
	"cmp"
	"os"
	"path/filepath"
)

// Scratch is a folder for what a run needs only while it lasts. It is locked as
// a PendingDir is, so that Leftovers lists it once its process was killed.
type Scratch struct{ dir *PendingDir }

// CreateScratch makes a folder of mode 0700 in parent, or in the folder for
// temporary files if that is "". Its name has the purpose in it.
func CreateScratch(parent, purpose string) (*Scratch, error) {
	parent, err := filepath.Abs(cmp.Or(parent, os.TempDir()))
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(filepath.Join(parent, purpose))
	if err != nil {
		return nil, err
	}
	return &Scratch{dir}, nil
}

// Path is the folder, absolute.
func (s *Scratch) Path() string { return s.dir.Path() }

// Remove deletes the folder with everything in it. It may be called again, also
// after an error, and of nil.
func (s *Scratch) Remove() error {
	if s == nil {
		return nil
	}
	if err := removeTree(s.dir.path); err != nil {
		return abortError(s.dir.path, err)
	}
	s.dir.done = true
	s.dir.unlock()
	return nil
}
