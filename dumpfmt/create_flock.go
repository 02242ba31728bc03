//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package dumpfmt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// lockDir opens a folder and locks it, until the file is closed or the process
// ends: to keep it (own), or to see whether somebody else has it. The latter
// does not wait, and two that look do not disturb each other. Children do not
// inherit the lock. If the file system knows no locks, own goes on without.
func lockDir(path string, own bool) (*os.File, error) { return lock(path, unix.O_DIRECTORY, own) }

// lookAtFile is lockDir for a file that is somebody else's.
func lookAtFile(path string) (*os.File, error) { return lock(path, unix.O_NONBLOCK, false) }

// lockOpen locks a file that was just made, as lockDir does its own. The lock is that
// of the file's own descriptor, and outlives its closing: SMB lets no other one write
// where one has a lock.
func lockOpen(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return flock(os.NewFile(uintptr(fd), f.Name()), f.Name(), true)
}

// isHeld tells from what lockDir and lookAtFile return whether somebody else has
// the lock. It closes the file.
func isHeld(f *os.File, err error) bool {
	if f != nil {
		_ = f.Close() // only looked at
	}
	return errors.Is(err, unix.EWOULDBLOCK)
}

func lock(path string, flag int, own bool) (*os.File, error) {
	f, err := os.OpenFile(path, unix.O_NOFOLLOW|flag, 0)
	if err != nil {
		return nil, err
	}
	return flock(f, path, own)
}

// flock locks what is open, or closes it.
func flock(f *os.File, path string, own bool) (_ *os.File, err error) {
	how := unix.LOCK_SH | unix.LOCK_NB
	if own {
		how = unix.LOCK_EX
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil && own {
		err = stillAt(path, f)
	}
	if err == nil || own && cannotLock(err) {
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// cannotLock tells whether an error means that the file system has no locks.
func cannotLock(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) ||
		errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EINVAL)
}

// claim locks something that is finished, against its removal or in order to
// remove it (alone), without waiting.
func claim(path string, alone bool) (*os.File, error) {
	how, mode := unix.LOCK_SH|unix.LOCK_NB, unix.O_RDONLY
	if alone {
		how, mode = unix.LOCK_EX|unix.LOCK_NB, unix.O_RDWR // as NFS wants it of files
	}
	f, err := os.OpenFile(path, mode|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if alone && err != nil {
		f, err = os.OpenFile(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		return nil, err
	}
	switch err = unix.Flock(int(f.Fd()), how); {
	case err == nil:
		err = stillAt(path, f)
	case errors.Is(err, unix.EWOULDBLOCK):
		err = fmt.Errorf("%s: %w", path, ErrInUse)
	case cannotLock(err), errors.Is(err, unix.EBADF): // of a file on NFS that may not be written
		return f, nil
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// stillAt fails if what is open is no longer the one at path.
func stillAt(path string, f *os.File) error {
	there, err := os.Lstat(path)
	if err != nil {
		return err
	}
	here, err := f.Stat()
	if err == nil && !os.SameFile(here, there) {
		err = fs.ErrNotExist
	}
	return err
}
