package dumpfmt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Store is the filestore of a backup's folder.
type Store struct {
	Path string // of the folder with the files; "" if there is none
	// Link is the symbolic link that led to Path, if that is outside of the
	// backup; else "".
	Link string
}

// String says where the files are, for a message about a link.
func (s Store) String() string {
	return fmt.Sprintf("%s is a link: its files are those in %s", s.Link, s.Path)
}

// FindStore looks for the filestore in the folder of a backup. It may be a link
// to another place, where somebody has put it for want of room; but a stranger's
// could lead anywhere, to have files of this machine taken for the backup's. So
// where it leads there must be nothing but what Odoo puts there: folders of two or
// three hexadecimal digits, and checklist. Else the error matches ErrFormat.
func FindStore(backup string) (Store, error) {
	link := filepath.Join(backup, FilestoreDir)
	info, err := os.Stat(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Store{}, nil
	case err != nil:
		return Store{}, err
	case !info.IsDir():
		return Store{}, nil
	case !isLink(link):
		return Store{Path: link}, nil
	}
	path, err := filepath.EvalSymlinks(link)
	if err != nil {
		return Store{}, err
	}
	if isInside(backup, FilestoreDir) {
		return Store{Path: path}, nil
	}
	strange, err := strangeInStore(path)
	if err == nil && strange != "" {
		err = &FormatError{Path: link, Offset: -1, Err: fmt.Errorf(
			"a link to %s, which is no filestore of Odoo (%.80q is in it), and is not followed", path, strange)}
	}
	if err != nil {
		return Store{}, err
	}
	return Store{Path: path, Link: link}, nil
}

// isInside tells whether links lead from the name to something in the folder.
func isInside(dir, name string) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Stat(name)
	return err == nil
}

// strangeInStore names something that Odoo does not put into a filestore.
func strangeInStore(path string) (string, error) {
	dir, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	for {
		list, err := dir.ReadDir(1024)
		for _, d := range list {
			if !IsStoreFolder(d.Name()) || !d.IsDir() {
				return d.Name(), nil
			}
		}
		if err == io.EOF {
			return "", nil
		}
		if err != nil {
			return "", err
		}
	}
}

// storeChecklist is the folder in which Odoo notes what to look at for removal.
const storeChecklist = "checklist"

// IsStoreFolder tells whether Odoo gives this name to a folder in a filestore: two
// hexadecimal digits, formerly three, or checklist.
func IsStoreFolder(name string) bool {
	return name == storeChecklist || (len(name) == 2 || len(name) == 3) && isHex(name)
}
