package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// armCopy has odx read a copy of the source, with which a strike may do what it
// likes.
func armCopy(t *testing.T, tr *trial) {
	copied := filepath.Join(tr.root, "copy")
	if err := os.CopyFS(copied, os.DirFS(tr.src)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, copied) })
	tr.swapSource(copied)
}

// swapSource has the first run read another folder; later ones read the source.
func (tr *trial) swapSource(dir string) {
	src := tr.src
	tr.src = dir
	tr.heal(func(*testing.T) { tr.src = src })
}

// pickFile draws one of the files that odx reads, large ones no more often, and
// a place in it.
func (tr *trial) pickFile(t *testing.T) (rel string, at int64) {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(tr.src), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rel = files[tr.rng.IntN(len(files))]
	if tr.rng.IntN(2) == 0 { // most files are the filestore's
		for _, f := range files {
			if dir := filepath.Base(filepath.Dir(f)); dir == "dump" && tr.rng.IntN(4) == 0 {
				rel = f
			}
		}
	}
	info, err := os.Stat(filepath.Join(tr.src, rel))
	if err != nil {
		t.Fatal(err)
	}
	return rel, tr.rng.Int64N(max(info.Size(), 1))
}

// strikeChange overwrites, cuts or lengthens a file.
func strikeChange(t *testing.T, tr *trial) {
	rel, at := tr.pickFile(t)
	tr.touched = rel
	f, err := os.OpenFile(filepath.Join(tr.src, rel), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	switch tr.rng.IntN(3) {
	case 0:
		var b [1]byte
		_, _ = f.ReadAt(b[:], at) // at the end of an empty file there is nothing
		_, err = f.WriteAt([]byte{b[0] ^ 0x55}, at)
	case 1:
		err = f.Truncate(at)
	default:
		_, err = f.WriteAt([]byte("more"), at)
		if err == nil {
			_, err = f.Seek(0, 2)
		}
		if err == nil {
			_, err = f.WriteString("and more")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func strikeVanish(t *testing.T, tr *trial) {
	tr.touched, _ = tr.pickFile(t)
	remove(t, filepath.Join(tr.src, tr.touched))
}

// armDisk has odx read through a disk that is not as it should be.
func (tr *trial) armDisk(t *testing.T, b *badDisk) {
	b.root, b.dir = tr.src, filepath.Join(tr.root, "fuse")
	b.mount(t)
	t.Cleanup(func() { b.unmount(t) })
	tr.swapSource(b.dir)
}

// strikes remembers the phase in which a disk first failed.
func (tr *trial) strikes() {
	if tr.struck == "" && tr.run1 != nil {
		tr.struck = tr.run1.phase()
	}
}

func armReadError(t *testing.T, tr *trial) {
	bad, at := tr.pickFile(t)
	tr.touched = bad
	tr.armDisk(t, &badDisk{read: func(path string, off int64, n int) (int, syscall.Errno) {
		if path != bad || off+int64(n) <= at {
			return n, 0
		}
		if off < at {
			return int(at - off), 0
		}
		tr.strikes()
		return 0, syscall.EIO
	}})
}

func armCutShort(t *testing.T, tr *trial) {
	bad, at := tr.pickFile(t)
	tr.touched = bad
	tr.armDisk(t, &badDisk{read: func(path string, off int64, n int) (int, syscall.Errno) {
		if path != bad || off+int64(n) <= at {
			return n, 0
		}
		tr.strikes()
		return max(int(at-off), 0), 0
	}})
}

func armShortReads(t *testing.T, tr *trial) {
	few := 1 + tr.rng.IntN(5000)
	tr.armDisk(t, &badDisk{read: func(_ string, off int64, n int) (int, syscall.Errno) {
		return 1 + int(off*7+int64(few))%min(n, 8192), 0
	}})
}

func armUnreadable(t *testing.T, tr *trial) {
	bad, _ := tr.pickFile(t)
	tr.touched = bad
	errno := []syscall.Errno{syscall.EACCES, syscall.EIO, syscall.ESTALE}[tr.rng.IntN(3)]
	tr.armDisk(t, &badDisk{open: func(path string) syscall.Errno {
		if path != bad {
			return 0
		}
		tr.strikes()
		return errno
	}})
}

// armTimes gives files that are older than any file system, or of a time to
// come, to an odx and children that live elsewhere.
func armTimes(t *testing.T, tr *trial) {
	zones := []string{"Pacific/Kiritimati", "America/St_Johns", "Asia/Kathmandu", "Nowhere/Atall", ":bad", "UTC-24", "XXX99"}
	times := []time.Time{time.Unix(0, 0), time.Unix(-1<<31, 0), time.Date(1979, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Unix(1<<31, 0), time.Date(2108, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2400, 2, 29, 12, 0, 1, 0, time.UTC)}
	tr.env = []string{"TZ=" + zones[tr.rng.IntN(len(zones))]}
	first := tr.rng.IntN(len(times))
	tr.armDisk(t, &badDisk{mtime: func(path string) (time.Time, bool) {
		return times[(first+len(path)+int(path[len(path)-1]))%len(times)], true
	}})
}

// TestRestore_Unreadable restores from a disk that cannot read one file of the
// filestore, which the database does not name: that is said all the same.
func TestRestore_Unreadable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a bad disk")
	}
	w := sharedWorld(t)
	disk := &badDisk{root: makeBackup(t, w), dir: t.TempDir()}
	extra := "filestore/checklist/00/0000000000000000000000000000000000000000"
	copied := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(copied, os.DirFS(disk.root)); err != nil {
		t.Fatal(err)
	}
	disk.root = copied
	if err := os.MkdirAll(filepath.Dir(filepath.Join(copied, extra)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, extra), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	disk.open = func(path string) syscall.Errno {
		if path == extra {
			return syscall.EIO
		}
		return 0
	}
	disk.mount(t)
	defer disk.unmount(t)
	w.drop(t, "unread")
	r := w.odx(t, "restore", disk.dir, "unread", "--data-dir", w.data, "--analyze=false")
	r.want(t, exitLosses, "1 files or folders", "could not be read", filepath.Base(extra), "input/output error")
	r = w.odx(t, "dump", "unread", filepath.Join(t.TempDir(), "backup"), "--filestore", filepath.Join(disk.dir, "filestore"))
	r.want(t, exitLosses, "1 files or folders", "could not be read", filepath.Base(extra))
}
