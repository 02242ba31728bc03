package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// badDisk shows a folder read-only through FUSE and has its own mind about what
// opening and reading give. It speaks the kernel's protocol itself (fuse.h,
// 7.31): the few requests that reading takes need no library.
type badDisk struct {
	root string // what is shown
	dir  string // where it is mounted
	fd   int

	// Decides how much of a read of n bytes is done, at an offset of a file
	// whose path is relative to root, and with which error; nil reads all.
	read func(path string, off int64, n int) (int, syscall.Errno)
	// Decides what opening a file gives; nil is 0.
	open func(path string) syscall.Errno
	// Gives the times of a file; nil leaves them.
	mtime func(path string) (time.Time, bool)

	mu    sync.Mutex
	nodes []string // paths by number - 1, relative to root
	byRel map[string]uint64
	ended chan struct{}
}

// mount shows the folder until the test ends.
func (b *badDisk) mount(t testing.TB) {
	t.Helper()
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open /dev/fuse: %v", err)
	}
	b.fd, b.nodes, b.byRel, b.ended = fd, []string{"."}, map[string]uint64{".": 1}, make(chan struct{})
	options := "fd=" + strconv.Itoa(fd) + ",rootmode=40000,user_id=0,group_id=0,allow_other"
	if err := syscall.Mount("odx-test", b.dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_RDONLY, options); err != nil {
		syscall.Close(fd)
		t.Fatalf("mount a FUSE file system: %v", err)
	}
	go b.serve()
}

// unmount takes the folder away; a process that still reads in it is told so.
func (b *badDisk) unmount(t testing.TB) {
	t.Helper()
	if err := syscall.Unmount(b.dir, syscall.MNT_DETACH); err != nil {
		t.Errorf("unmount: %v", err)
	}
	select {
	case <-b.ended:
	case <-time.After(30 * time.Second):
		t.Error("the FUSE file system is still in use")
	}
	syscall.Close(b.fd)
}

const (
	fuseLookup     = 1
	fuseForget     = 2
	fuseGetattr    = 3
	fuseOpen       = 14
	fuseRead       = 15
	fuseStatfs     = 17
	fuseRelease    = 18
	fuseFlush      = 25
	fuseInit       = 26
	fuseOpendir    = 27
	fuseReaddir    = 28
	fuseReleasedir = 29
	fuseInterrupt  = 36
	fuseForgets    = 42

	fuseHeader   = 40
	fuseDirectIO = 1 // reads go past the page cache, with their own sizes
)

var le = binary.LittleEndian

// serve answers one request after the other until the folder is unmounted.
func (b *badDisk) serve() {
	defer close(b.ended)
	buf := make([]byte, 1<<20)
	for {
		n, err := syscall.Read(b.fd, buf)
		switch err {
		case nil:
		case syscall.EINTR, syscall.EAGAIN, syscall.ENOENT:
			continue
		default: // ENODEV: unmounted
			return
		}
		op, unique, node, body := le.Uint32(buf[4:]), le.Uint64(buf[8:]), le.Uint64(buf[16:]), buf[fuseHeader:n]
		if op == fuseForget || op == fuseForgets || op == fuseInterrupt {
			continue
		}
		answer, errno := b.answer(op, node, body)
		head := le.AppendUint32(nil, uint32(16+len(answer)))
		head = le.AppendUint32(head, uint32(-int32(errno)))
		head = le.AppendUint64(head, unique)
		syscall.Write(b.fd, append(head, answer...)) // an interrupted request has nobody waiting
	}
}

func (b *badDisk) answer(op uint32, node uint64, body []byte) ([]byte, syscall.Errno) {
	rel := b.path(node)
	switch op {
	case fuseInit:
		return b.hello(body), 0
	case fuseLookup:
		return b.lookup(filepath.Join(rel, string(bytes.TrimRight(body, "\x00"))))
	case fuseGetattr:
		attr, errno := b.attr(rel)
		return append(make([]byte, 16), attr...), errno // valid for no time at all
	case fuseOpen:
		if b.open != nil {
			if errno := b.open(rel); errno != 0 {
				return nil, errno
			}
		}
		return le.AppendUint64(make([]byte, 8), fuseDirectIO), 0
	case fuseOpendir:
		return make([]byte, 16), 0
	case fuseRead:
		return b.data(rel, int64(le.Uint64(body[8:])), int(le.Uint32(body[16:])))
	case fuseReaddir:
		return b.list(rel, le.Uint64(body[8:]), int(le.Uint32(body[16:])))
	case fuseStatfs:
		return make([]byte, 80), 0
	case fuseRelease, fuseReleasedir, fuseFlush:
		return nil, 0
	}
	return nil, syscall.ENOSYS
}

// hello agrees on version 7.31 without any optional feature.
func (b *badDisk) hello(body []byte) []byte {
	out := le.AppendUint32(nil, 7)
	out = le.AppendUint32(out, 31)
	out = le.AppendUint32(out, le.Uint32(body[8:])) // readahead
	return append(out, make([]byte, 64-len(out))...)
}

func (b *badDisk) path(node uint64) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if node == 0 || node > uint64(len(b.nodes)) {
		return "."
	}
	return b.nodes[node-1]
}

func (b *badDisk) lookup(rel string) ([]byte, syscall.Errno) {
	attr, errno := b.attr(rel)
	if errno != 0 {
		return nil, errno
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	node := b.byRel[rel]
	if node == 0 {
		b.nodes = append(b.nodes, rel)
		node = uint64(len(b.nodes))
		b.byRel[rel] = node
	}
	out := le.AppendUint64(nil, node)
	return append(append(out, make([]byte, 32)...), attr...), 0
}

// attr gives struct fuse_attr.
func (b *badDisk) attr(rel string) ([]byte, syscall.Errno) {
	var st syscall.Stat_t
	if err := syscall.Lstat(filepath.Join(b.root, rel), &st); err != nil {
		return nil, err.(syscall.Errno)
	}
	if b.mtime != nil {
		if at, ok := b.mtime(rel); ok {
			st.Mtim.Sec, st.Mtim.Nsec = at.Unix(), int64(at.Nanosecond())
		}
	}
	var out []byte
	for _, v := range []uint64{st.Ino, uint64(st.Size), uint64(st.Blocks), uint64(st.Atim.Sec), uint64(st.Mtim.Sec), uint64(st.Ctim.Sec)} {
		out = le.AppendUint64(out, v)
	}
	for _, v := range []uint32{uint32(st.Atim.Nsec), uint32(st.Mtim.Nsec), uint32(st.Ctim.Nsec), st.Mode, uint32(st.Nlink), st.Uid, st.Gid, 0, 4096, 0} {
		out = le.AppendUint32(out, v)
	}
	return out, 0
}

func (b *badDisk) data(rel string, off int64, n int) ([]byte, syscall.Errno) {
	if b.read != nil {
		allowed, errno := b.read(rel, off, n)
		if errno != 0 {
			return nil, errno
		}
		n = min(n, allowed)
	}
	f, err := os.Open(filepath.Join(b.root, rel))
	if err != nil {
		return nil, syscall.EIO
	}
	defer f.Close()
	buf := make([]byte, n)
	n, _ = f.ReadAt(buf, off) // what is missing at the end is the end
	return buf[:n], 0
}

// list gives entries from number off on, as many as there is room for.
func (b *badDisk) list(rel string, off uint64, room int) (out []byte, _ syscall.Errno) {
	entries, err := os.ReadDir(filepath.Join(b.root, rel))
	if err != nil {
		return nil, syscall.EIO
	}
	for i, e := range entries {
		if uint64(i) < off {
			continue
		}
		kind := uint32(syscall.DT_REG)
		if e.IsDir() {
			kind = syscall.DT_DIR
		}
		entry := le.AppendUint64(nil, uint64(i+2)) // inode numbers in lists are not used
		entry = le.AppendUint64(entry, uint64(i+1))
		entry = le.AppendUint32(entry, uint32(len(e.Name())))
		entry = le.AppendUint32(entry, kind)
		entry = append(entry, e.Name()...)
		entry = append(entry, strings.Repeat("\x00", (8-len(entry)%8)%8)...)
		if len(out)+len(entry) > room {
			break
		}
		out = append(out, entry...)
	}
	return out, 0
}
