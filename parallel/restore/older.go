package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"odx/dumpfmt"
)

// ErrNoOlder is returned before any work when Options.FilestoreFrom names no
// filestore.
var ErrNoOlder = errors.New("no filestore to merge with")

// findOlder finds the filestore that the backup's is merged over: the folder at
// path, or that of the backup there.
func (s *source) findOlder(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = errors.New("not a folder; odx convert makes one of a zip")
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNoOlder, path, err)
	}
	dir := path
	if layout, err := dumpfmt.Detect(path); err == nil && layout != dumpfmt.LayoutArchive {
		if err := s.use(path); err != nil {
			return err
		}
		dir = filepath.Join(path, dumpfmt.FilestoreDir)
	}
	if !holdsFiles(dir) {
		return fmt.Errorf("%w: %s has no files in folders of two hexadecimal digits, as Odoo lays them", ErrNoOlder, dir)
	}
	s.older = dir
	s.findBeside()
	return nil
}

// besideDump is where the client of upgrade.odoo.com puts the files of an
// answer: it lays them and the dump into one folder.
func besideDump(dump string) string {
	return filepath.Join(filepath.Dir(filepath.Clean(dump)), dumpfmt.FilestoreDir)
}

// findBeside finds the new files of an upgrade, if they lie beside the dump.
func (s *source) findBeside() {
	switch s.layout {
	case dumpfmt.LayoutArchive, dumpfmt.LayoutCustom, dumpfmt.LayoutScript, dumpfmt.LayoutPackedScript:
	default:
		return // has its filestore in it
	}
	dir := besideDump(s.path)
	if holdsFiles(dir) && !isSameFolder(dir, s.older) {
		s.filestore = dir
	}
}

func isSameFolder(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	two, err := os.Stat(b)
	return err == nil && os.SameFile(one, two)
}

// holdsFiles tells whether a folder has at least one file where Odoo would put
// it. A folder of several filestores has none, nor has an empty one.
func holdsFiles(dir string) bool {
	folders, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, folder := range folders {
		if n := len(folder.Name()); n != 2 && n != 3 || folder.Type() != fs.ModeDir {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, folder.Name()))
		isOdoos := func(f fs.DirEntry) bool { return dumpfmt.IsHashPath(path.Join(folder.Name(), f.Name())) }
		if err == nil && slices.ContainsFunc(files, isOdoos) {
			return true
		}
	}
	return false
}
