//go:build !linux || odx_portable

package filestore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// folder is an open folder.
type folder struct {
	root   *os.Root
	path   string
	names  *os.File // while it is listed
	listed bool
}

// openFolder opens the folder at path; links on the way are followed.
func openFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &folder{root: root, path: path}, nil
}

// folder opens a folder in the folder. If a link comes in its place just then,
// os.Root still does not let it lead out.
func (d *folder) folder(name string) (*folder, error) {
	m, err := d.stat(name)
	if err != nil {
		return nil, err
	}
	if m.kind != kindFolder {
		return nil, d.fail("open", name, syscall.ENOTDIR)
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, d.fail("open", name, bare(err))
	}
	return &folder{root: root, path: filepath.Join(d.path, name)}, nil
}

func (d *folder) close() {
	if d.names != nil {
		_ = d.names.Close() // open for reading: nothing to lose
	}
	_ = d.root.Close()
}

// list gives the next names, none at the end. With an error it gives what it
// had read before.
func (d *folder) list() (entries []entry, err error) {
	if d.listed {
		return nil, nil
	}
	if d.names == nil {
		if d.names, err = d.root.Open("."); err != nil {
			return nil, d.fail("read", "", bare(err))
		}
	}
	found, err := d.names.ReadDir(listSize)
	if err == io.EOF {
		d.listed, err = true, nil
	}
	for _, e := range found {
		entries = append(entries, entry{name: e.Name(), kind: kindOf(e.Type())})
	}
	return entries, d.fail("read", "", bare(err))
}

// stat does not follow links.
func (d *folder) stat(name string) (meta, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return meta{}, d.fail("stat", name, bare(err))
	}
	return metaOf(info), nil
}

func metaOf(info fs.FileInfo) meta {
	m := meta{kind: kindOf(info.Mode()), size: info.Size(), mtime: info.ModTime(), mode: info.Mode() &^ fs.ModeType}
	m.uid, m.gid = ownerOf(info)
	return m
}

// mtime is the folder's own.
func (d *folder) mtime() (time.Time, error) {
	m, err := d.stat(".")
	return m.mtime, err
}

// open opens a file for reading; what is not a file is not opened.
func (d *folder) open(name string) (file, meta, error) {
	m, err := d.stat(name)
	if err != nil {
		return file{}, meta{}, err
	}
	if m.kind != kindFile {
		return file{}, m, nil
	}
	f, err := d.root.Open(name)
	if err != nil {
		return file{}, meta{}, d.fail("open", name, bare(err))
	}
	if m, err = (file{f}).stat(); err != nil {
		_ = f.Close()
		return file{}, meta{}, d.fail("stat", name, err)
	}
	return file{f}, m, nil
}

// create makes a new file of mode 0600.
func (d *folder) create(name string) (file, error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return file{f}, d.fail("create", name, bare(err))
}

// link gives a file of another folder the same name in this one too. No link
// is followed at the name itself; the folders have no links in them, except
// where somebody exchanges them just then.
func (d *folder) link(from *folder, name string) error {
	return d.fail("link", name, bare(os.Link(filepath.Join(from.path, name), filepath.Join(d.path, name))))
}

// mkdir makes a folder of mode 0700.
func (d *folder) mkdir(name string) error {
	return d.fail("mkdir", name, bare(d.root.Mkdir(name, 0o700)))
}

// remove removes what is not a folder.
func (d *folder) remove(name string) error {
	m, err := d.stat(name)
	if err != nil {
		return err
	}
	if m.kind == kindFolder {
		return d.fail("remove", name, syscall.EISDIR)
	}
	return d.fail("remove", name, bare(d.root.Remove(name)))
}

func (d *folder) readlink(name string) (string, error) {
	target, err := d.root.Readlink(name)
	return target, d.fail("readlink", name, bare(err))
}

func (d *folder) symlink(target, name string) error {
	return d.fail("symlink", name, bare(d.root.Symlink(target, name)))
}

// chown sets the owner of a link.
func (d *folder) chown(name string, uid, gid int) error {
	return d.fail("chown", name, bare(d.root.Lchown(name, uid, gid)))
}

// setTime sets the modification time of a file, or of the folder itself (".").
// A link keeps the time at which it was made.
func (d *folder) setTime(name string, mtime time.Time) error {
	if m, err := d.stat(name); err != nil || m.kind == kindLink {
		return err
	}
	return d.fail("set the time of", name, bare(d.root.Chtimes(name, time.Time{}, mtime)))
}

// give sets the folder's own owner and mode.
func (d *folder) give(uid, gid int, mode fs.FileMode) error {
	if uid >= 0 || gid >= 0 {
		if err := d.root.Chown(".", uid, gid); err != nil {
			return d.fail("set owner of", "", bare(err))
		}
	}
	if mode == 0 {
		return nil
	}
	return d.fail("set mode of", "", bare(d.root.Chmod(".", mode)))
}

// file is an open file. Its errors are bare: the caller knows the name.
type file struct{ f *os.File }

func (f file) close() error {
	if f.f == nil {
		return nil // it was not a file
	}
	return bare(f.f.Close())
}

func (f file) stat() (meta, error) {
	info, err := f.f.Stat()
	if err != nil {
		return meta{}, bare(err)
	}
	return metaOf(info), nil
}

// rewind goes back to the start.
func (f file) rewind() error {
	_, err := f.f.Seek(0, io.SeekStart)
	return bare(err)
}

// read gives 0 at the end of the file.
func (f file) read(buf []byte) (int, error) {
	n, err := f.f.Read(buf)
	if err == io.EOF {
		return 0, nil
	}
	return n, bare(err)
}

func (f file) write(buf []byte) error {
	_, err := f.f.Write(buf)
	return bare(err)
}

// copyRange is Linux's alone.
func (f file) copyRange(file, int64) (done int64, lasting bool, err error) {
	return 0, true, errors.ErrUnsupported
}

// give sets owner (unless -1) and mode (unless 0). The owner comes first:
// changing it may clear bits of the mode.
func (f file) give(uid, gid int, mode fs.FileMode) error {
	if uid >= 0 || gid >= 0 {
		if err := f.f.Chown(uid, gid); err != nil {
			return bare(err)
		}
	}
	if mode == 0 {
		return nil
	}
	return bare(f.f.Chmod(mode))
}

// bare takes the path off an error of package os, which lacks the folder's.
func bare(err error) error {
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

func kindOf(mode fs.FileMode) kind {
	switch {
	case mode.IsRegular():
		return kindFile
	case mode.IsDir():
		return kindFolder
	case mode&fs.ModeSymlink != 0:
		return kindLink
	}
	return kindOther
}
