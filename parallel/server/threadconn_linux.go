package server

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sendBuffer is what the server sends at once when it has more to say, in
	// bytes (PQ_SEND_BUFFER_SIZE in pqcomm.c).
	sendBuffer = 8 << 10
	// gatherPause is for how long it may go on before the next read: less than it
	// takes to fill the buffer of a Unix socket.
	gatherPause = 200 * time.Microsecond
	// waitStep is how long a read or write may wait until it notices that its
	// deadline has changed.
	waitStep = 20 * time.Millisecond
)

// threadConn is a connection for long answers, whose reads wait in a system call.
// With the network poller each 8 kB that the server sends wake a thread of this
// process, whether somebody waits for them or not. One goroutine may read and
// another write.
type threadConn struct {
	fd            int
	local, remote net.Addr

	use     sync.RWMutex // held for reading by who uses the descriptor
	closed  atomic.Bool
	reading atomic.Pointer[time.Time] // deadlines; nil is none
	writing atomic.Pointer[time.Time]

	streaming bool // the last read gave as much as the server sends at once
}

var _ net.Conn = (*threadConn)(nil)

// inThread takes a socket over, with its options. What is no socket, such as a
// connection with TLS, stays as it is.
func inThread(c net.Conn) (net.Conn, error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return c, nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return c, err
	}
	t := &threadConn{local: c.LocalAddr(), remote: c.RemoteAddr()}
	var failed error
	err = raw.Control(func(fd uintptr) { t.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil && failed != nil {
		err = os.NewSyscallError("fcntl", failed)
	}
	if err != nil {
		return c, err
	}
	if err := c.Close(); err != nil { // takes it out of the poller
		_ = unix.Close(t.fd)
		return c, err
	}
	return t, nil
}

// Read waits for something and gives what has come by then.
func (t *threadConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	pause := t.streaming
	n, err := t.again(&t.reading, unix.POLLIN, func() (int, error) {
		n, err := unix.Read(t.fd, p)
		if err == unix.EAGAIN && pause {
			gather()
			n, err = unix.Read(t.fd, p)
		}
		return n, err
	})
	t.streaming = n >= sendBuffer
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return n, t.fail("read", err)
}

// gather lets the server go on. Whoever polls instead is woken by the first that
// it sends.
func gather() {
	pause := unix.NsecToTimespec(int64(gatherPause))
	_ = unix.Nanosleep(&pause, nil)
}

// Write writes all of p.
func (t *threadConn) Write(p []byte) (done int, err error) {
	for done < len(p) && err == nil {
		var n int
		n, err = t.again(&t.writing, unix.POLLOUT, func() (int, error) { return unix.Write(t.fd, p[done:]) })
		done += n
	}
	return done, t.fail("write", err)
}

// again repeats a call that does not wait until it can be done. Its errors are
// bare.
func (t *threadConn) again(deadline *atomic.Pointer[time.Time], events int16, call func() (int, error)) (int, error) {
	t.use.RLock()
	defer t.use.RUnlock()
	for {
		if t.closed.Load() {
			return 0, net.ErrClosed
		}
		step := waitStep
		if d := deadline.Load(); d != nil {
			if step = min(step, time.Until(*d)); step <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
		}
		n, err := call()
		if err == unix.EAGAIN {
			milliseconds := int((step + time.Millisecond - 1) / time.Millisecond)
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: events}}, milliseconds)
			if err == nil {
				continue
			}
		}
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// fail makes of an error what package net makes of it.
func (t *threadConn) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(unix.Errno); ok {
		err = os.NewSyscallError(op, err)
	}
	return &net.OpError{Op: op, Net: t.remote.Network(), Source: t.local, Addr: t.remote, Err: err}
}

// Close ends reads and writes under way.
func (t *threadConn) Close() error {
	if t.closed.Swap(true) {
		return t.fail("close", net.ErrClosed)
	}
	_ = unix.Shutdown(t.fd, unix.SHUT_RDWR) // wakes them; an error says that the peer is gone
	t.use.Lock()
	defer t.use.Unlock()
	return t.fail("close", unix.Close(t.fd))
}

func (t *threadConn) LocalAddr() net.Addr  { return t.local }
func (t *threadConn) RemoteAddr() net.Addr { return t.remote }

func (t *threadConn) SetDeadline(d time.Time) error {
	setDeadline(&t.reading, d)
	setDeadline(&t.writing, d)
	return nil
}

func (t *threadConn) SetReadDeadline(d time.Time) error {
	setDeadline(&t.reading, d)
	return nil
}

func (t *threadConn) SetWriteDeadline(d time.Time) error {
	setDeadline(&t.writing, d)
	return nil
}

func setDeadline(deadline *atomic.Pointer[time.Time], d time.Time) {
	if d.IsZero() {
		deadline.Store(nil)
		return
	}
	deadline.Store(&d)
}
