package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// sockets gives both ends of a connection, the first of which is read in a thread.
func sockets(t *testing.T, network string) (c, peer net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	plain, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if c, err = inThread(plain); err != nil {
		t.Fatal(err)
	}
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	t.Cleanup(func() { _ = c.Close() })
	if _, ok := c.(*threadConn); !ok || c.RemoteAddr().String() != l.Addr().String() || c.LocalAddr().Network() != network {
		t.Errorf("%T from %s to %s", c, c.LocalAddr(), c.RemoteAddr())
	}
	return c, peer
}

// onBoth runs a test with a Unix socket and with TCP.
func onBoth(t *testing.T, f func(t *testing.T, c, peer net.Conn)) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			c, peer := sockets(t, network)
			f(t, c, peer)
		})
	}
}

// TestThreadConn sends more than any buffer holds, both ways, and the end.
func TestThreadConn(t *testing.T) {
	onBoth(t, func(t *testing.T, c, peer net.Conn) {
		sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<18)
		var g errgroup.Group
		g.Go(func() error {
			_, err := c.Write(sent)
			return err
		})
		g.Go(func() error { // as the server sends
			for rest := sent; len(rest) > 0; rest = rest[min(len(rest), sendBuffer):] {
				if _, err := peer.Write(rest[:min(len(rest), sendBuffer)]); err != nil {
					return err
				}
			}
			return peer.(interface{ CloseWrite() error }).CloseWrite()
		})
		var there []byte
		g.Go(func() (err error) {
			there = make([]byte, len(sent))
			_, err = io.ReadFull(peer, there)
			return err
		})
		here, err := io.ReadAll(c)
		if err := errors.Join(err, g.Wait()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(here, sent) || !bytes.Equal(there, sent) {
			t.Errorf("%d and %d bytes of %d", len(here), len(there), len(sent))
		}
	})
}

// TestThreadConn_Deadline ends reads and writes that wait, and those to come; a
// later deadline loses nothing.
func TestThreadConn_Deadline(t *testing.T) {
	onBoth(t, func(t *testing.T, c, peer net.Conn) {
		buf := make([]byte, 1<<20)
		late := func(_ int, err error) bool {
			var timeout net.Error
			return errors.Is(err, os.ErrDeadlineExceeded) && errors.As(err, &timeout) && timeout.Timeout()
		}
		time.AfterFunc(time.Millisecond, func() { _ = c.SetDeadline(time.Now()) })
		if !late(c.Read(buf)) {
			t.Error("a read goes on after the deadline")
		}
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if !late(c.Read(buf)) {
			t.Error("a read after the deadline")
		}
		_ = c.SetDeadline(time.Time{})
		if n, err := c.Read(buf); n != 1 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		time.AfterFunc(time.Millisecond, func() { _ = c.SetWriteDeadline(time.Now().Add(time.Millisecond)) })
		var err error
		for err == nil { // nobody reads
			_, err = c.Write(buf)
		}
		if !late(0, err) {
			t.Errorf("a write ends with %v", err)
		}
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if !late(c.Read(buf)) {
			t.Error("a read goes on after a deadline to come")
		}
	})
}

// TestThreadConn_Close ends a read that waits.
func TestThreadConn_Close(t *testing.T) {
	onBoth(t, func(t *testing.T, c, peer net.Conn) {
		time.AfterFunc(time.Millisecond, func() { _ = c.Close() })
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a read goes on after the end")
		}
		for c.Close() == nil {
			t.Error("closed twice")
		}
		for _, call := range []func([]byte) (int, error){c.Read, c.Write} {
			if _, err := call([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after the end: %v", err)
			}
		}
		if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the peer reads %d bytes, %v", n, err)
		}
	})
}

// TestThreadConn_Broken has the peer go: reads and writes fail.
func TestThreadConn_Broken(t *testing.T) {
	onBoth(t, func(t *testing.T, c, peer net.Conn) {
		if err := peer.Close(); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		var err error
		for err == nil {
			_, err = c.Write(make([]byte, 1<<10))
		}
	})
}

// TestInThread_NoSocket leaves what is no socket alone.
func TestInThread_NoSocket(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	defer a.Close()
	if c, err := inThread(a); c != a || err != nil {
		t.Errorf("%T, %v", c, err)
	}
}

// endless is a COPY that does not end by itself.
const endless = "COPY (SELECT repeat('x', 100) || generate_series(1, 1000000000000)) TO STDOUT"

// waiting is one that says nothing after some kB.
const waiting = "COPY (SELECT repeat('x', 100) || generate_series(1, 300) UNION ALL SELECT pg_sleep(100000)::text) TO STDOUT"

// after calls a function when something has been written.
type after struct {
	bytes int
	call  func()
}

func (a *after) Write(p []byte) (int, error) {
	before := a.bytes
	if a.bytes -= len(p); before > 0 && a.bytes <= 0 {
		a.call()
	}
	return len(p), nil
}

// TestOpenReading_Interrupted ends a COPY under way: by the context, by the end of
// its backend, and while it waits for the server.
func TestOpenReading_Interrupted(t *testing.T) {
	admin := open(t, settings(), "postgres")
	through := func(r io.Reader) io.Reader { return r }
	for name, tt := range map[string]struct {
		sql       string
		terminate bool
	}{
		"cancelled":              {sql: endless},
		"terminated":             {sql: endless, terminate: true},
		"cancelled, it waits":    {sql: waiting},
		"terminated, it waits":   {sql: waiting, terminate: true},
		"cancelled at the start": {sql: "COPY (SELECT pg_sleep(100000)) TO STDOUT"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := settings().OpenReading(t.Context(), "postgres", "odx test", through)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var pid int
			if err := s.Scan(t.Context(), "SELECT pg_backend_pid()", &pid); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end := cancel
			if tt.terminate {
				end = func() {
					if err := admin.Exec(t.Context(), "SELECT pg_terminate_backend($1)", pid); err != nil {
						t.Error(err)
					}
				}
			}
			out := &after{bytes: 5000, call: end}
			if name == "cancelled at the start" {
				go func() {
					defer end()
					awaitState(t, admin, pid, "active")
				}()
			}
			err = s.Do(func(c *pgx.Conn) error {
				_, err := c.PgConn().CopyTo(ctx, out, tt.sql)
				return err
			})
			if err == nil || tt.terminate == errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			awaitState(t, admin, pid, "gone")
		})
	}
}

// awaitState waits until a backend is in a state, or gone.
func awaitState(t *testing.T, admin *Session, pid int, want string) {
	t.Helper()
	sql := fmt.Sprintf("SELECT COALESCE((SELECT state FROM pg_stat_activity WHERE pid = %d), 'gone')", pid)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		var state string
		if err := admin.Scan(t.Context(), sql, &state); err != nil {
			t.Error(err)
			return
		}
		if state == want {
			return
		}
		if time.Now().After(end) {
			t.Errorf("backend %d is %s, not %s", pid, state, want)
			return
		}
	}
}
