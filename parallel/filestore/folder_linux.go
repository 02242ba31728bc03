//go:build linux && !odx_portable

package filestore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// folder is an open folder.
type folder struct {
	fd   int
	path string
	buf  []byte
}

// openFolder opens the folder at path; links on the way are followed.
func openFolder(path string) (*folder, error) {
	return openFolderAt(unix.AT_FDCWD, path, path, 0)
}

// folder opens a folder in the folder.
func (d *folder) folder(name string) (*folder, error) {
	sub, err := openFolderAt(d.fd, name, "", unix.O_NOFOLLOW)
	if err != nil {
		return nil, d.fail("open", name, errors.Unwrap(err))
	}
	sub.path = d.path + "/" + name
	return sub, nil
}

func openFolderAt(at int, name, path string, flags int) (*folder, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(at, name, flags|unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &folder{fd: fd, path: path}, nil
}

func (d *folder) close() { _ = unix.Close(d.fd) } // open for reading: nothing to lose

// list gives the next names, none at the end. They are in the order of their
// inodes, which is about that of the files on the disk. With an error it gives
// what it had read before.
func (d *folder) list() (entries []entry, err error) {
	if d.buf == nil {
		d.buf = make([]byte, 64<<10)
	}
	for n := 0; err == nil && len(entries) < listSize; {
		n, err = retry(func() (int, error) { return unix.ReadDirent(d.fd, d.buf) })
		if err != nil {
			err = d.fail("read", "", err)
		} else if n == 0 {
			d.buf = nil
			break
		} else {
			entries, err = d.parse(entries, d.buf[:n])
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.inode, b.inode) })
	return entries, err
}

// parse appends the entries in a buffer of struct linux_dirent64: inode, 8
// bytes; offset, 8; length of the record, 2; type, 1; name, ended by a zero.
func (d *folder) parse(entries []entry, buf []byte) ([]entry, error) {
	const nameAt = 19
	for len(buf) > 0 {
		record := buf[:binary.NativeEndian.Uint16(buf[16:])]
		buf = buf[len(record):]
		name, _, _ := bytes.Cut(record[nameAt:], []byte{0})
		if string(name) == "." || string(name) == ".." {
			continue
		}
		e := entry{name: string(name), inode: binary.NativeEndian.Uint64(record)}
		switch record[18] {
		case unix.DT_REG:
			e.kind = kindFile
		case unix.DT_DIR:
			e.kind = kindFolder
		case unix.DT_LNK:
			e.kind = kindLink
		case unix.DT_UNKNOWN: // the file system does not say
			m, err := d.stat(e.name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return entries, err
			}
			e.kind = m.kind
		default:
			e.kind = kindOther
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// stat does not follow links.
func (d *folder) stat(name string) (meta, error) {
	var st unix.Stat_t
	_, err := retry(func() (int, error) {
		return 0, unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return meta{}, d.fail("stat", name, err)
	}
	return metaOf(&st), nil
}

func metaOf(st *unix.Stat_t) meta {
	m := meta{kind: kindOther, size: st.Size, mtime: time.Unix(st.Mtim.Unix())}
	m.uid, m.gid, m.mode = int(st.Uid), int(st.Gid), fs.FileMode(st.Mode&0o7777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		m.kind = kindFile
	case unix.S_IFDIR:
		m.kind = kindFolder
	case unix.S_IFLNK:
		m.kind = kindLink
	}
	return m
}

// mtime is the folder's own.
func (d *folder) mtime() (time.Time, error) {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return time.Time{}, d.fail("stat", "", err)
	}
	return time.Unix(st.Mtim.Unix()), nil
}

// open opens a file for reading. It does not wait for the other end of a FIFO,
// nor leave an access time where it may do without.
func (d *folder) open(name string) (file, meta, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Openat(d.fd, name, flags|unix.O_NOATIME, 0) })
	if err == unix.EPERM { // the file is somebody else's
		fd, err = retry(func() (int, error) { return unix.Openat(d.fd, name, flags, 0) })
	}
	if err != nil {
		return file{}, meta{}, d.fail("open", name, err)
	}
	f := file{fd}
	m, err := f.stat()
	if err != nil {
		f.close()
		return file{}, meta{}, d.fail("stat", name, err)
	}
	return f, m, nil
}

// create makes a new file of mode 0600.
func (d *folder) create(name string) (file, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Openat(d.fd, name, flags, 0o600) })
	return file{fd}, d.fail("create", name, err)
}

// link gives a file of another folder the same name in this one too.
func (d *folder) link(from *folder, name string) error {
	return d.fail("link", name, unix.Linkat(from.fd, name, d.fd, name, 0))
}

// mkdir makes a folder of mode 0700.
func (d *folder) mkdir(name string) error {
	return d.fail("mkdir", name, unix.Mkdirat(d.fd, name, 0o700))
}

// remove removes what is not a folder.
func (d *folder) remove(name string) error {
	return d.fail("remove", name, unix.Unlinkat(d.fd, name, 0))
}

func (d *folder) readlink(name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(d.fd, name, buf)
	if err != nil {
		return "", d.fail("readlink", name, err)
	}
	return string(buf[:n]), nil
}

func (d *folder) symlink(target, name string) error {
	return d.fail("symlink", name, unix.Symlinkat(target, d.fd, name))
}

// chown sets the owner of a link.
func (d *folder) chown(name string, uid, gid int) error {
	return d.fail("chown", name, unix.Fchownat(d.fd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
}

// setTime sets the modification time of a file or link, or of the folder
// itself (".").
func (d *folder) setTime(name string, mtime time.Time) error {
	ts, err := unix.TimeToTimespec(mtime)
	if err == nil {
		times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, ts}
		err = unix.UtimesNanoAt(d.fd, name, times, unix.AT_SYMLINK_NOFOLLOW)
	}
	return d.fail("set the time of", name, err)
}

// give sets the folder's own owner and mode.
func (d *folder) give(uid, gid int, mode fs.FileMode) error {
	return d.fail("set owner and mode of", "", file{d.fd}.give(uid, gid, mode))
}

// file is an open file. Its errors are bare: the caller knows the name.
type file struct{ fd int }

func (f file) close() error { return unix.Close(f.fd) }

func (f file) stat() (meta, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return meta{}, err
	}
	return metaOf(&st), nil
}

// rewind goes back to the start.
func (f file) rewind() error {
	_, err := unix.Seek(f.fd, 0, unix.SEEK_SET)
	return err
}

// read gives 0 at the end of the file.
func (f file) read(buf []byte) (int, error) {
	return retry(func() (int, error) { return unix.Read(f.fd, buf) })
}

func (f file) write(buf []byte) error {
	for len(buf) > 0 {
		n, err := retry(func() (int, error) { return unix.Write(f.fd, buf) })
		if err != nil {
			return err
		}
		buf = buf[n:]
	}
	return nil
}

// copyRange copies up to n bytes from where in stands to where f stands,
// inside the kernel. It is a lasting error that this cannot be done at all.
func (f file) copyRange(in file, n int64) (done int64, lasting bool, err error) {
	got, err := retry(func() (int, error) {
		return unix.CopyFileRange(in.fd, nil, f.fd, nil, int(n), 0)
	})
	switch err {
	case unix.EXDEV, unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.EPERM:
		return 0, true, err
	}
	return int64(max(got, 0)), false, err
}

// give sets owner (unless -1) and mode (unless 0). The owner comes first:
// changing it may clear bits of the mode.
func (f file) give(uid, gid int, mode fs.FileMode) error {
	if uid >= 0 || gid >= 0 {
		if err := unix.Fchown(f.fd, uid, gid); err != nil {
			return err
		}
	}
	if mode == 0 {
		return nil
	}
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetgid != 0 {
		bits |= unix.S_ISGID
	}
	if mode&fs.ModeSticky != 0 {
		bits |= unix.S_ISVTX
	}
	return unix.Fchmod(f.fd, bits)
}

// retry repeats a system call that a signal interrupts, which happens on
// network file systems.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
