package pgcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"odx/parallel/pgtool"
)

const (
	// startTime is the most that a server may take to start, recovery after
	// a crash included.
	startTime = time.Minute
	// stopTime is the most that it may take to end at once.
	stopTime = 15 * time.Second
	// readyDelay is how often the server's own word on its state is read.
	readyDelay = 10 * time.Millisecond
)

// start starts the server and waits until it is ready.
func (c *Cluster) start(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	log, err := os.OpenFile(c.LogPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open server log: %w", err)
	}
	p, err := pgtool.Start(context.WithoutCancel(ctx), pgtool.Command{
		Tool: c.postgres.Path, Args: []string{"-D", c.DataDir()},
		Env: c.environment(), Dir: c.dir, User: c.user,
		// A full disk shall not stop the server, so an error is passed over.
		Stderr: func(line string) { _, _ = log.WriteString(line + "\n") },
		// Ends sessions at once; SIGTERM would wait for them to leave.
		Stop: syscall.SIGQUIT,
	})
	if err != nil {
		return errors.Join(c.explain(err), log.Close())
	}
	go func() {
		<-p.Done()
		_ = log.Close() // see above
	}()
	c.server = p
	if err := c.waitReady(ctx, p); err != nil {
		return fmt.Errorf("start server: %w", errors.Join(err, c.end(syscall.SIGQUIT)))
	}
	return nil
}

// waitReady reads what the server says of its state in postmaster.pid, as
// pg_ctl does, because a connection would tell less: one that is refused may
// be so for many reasons.
func (c *Cluster) waitReady(ctx context.Context, p *pgtool.Process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("not ready after %s", startTime))
	defer cancel()
	look := time.NewTicker(readyDelay)
	defer look.Stop()
	for {
		select {
		case <-p.Done():
			if err := p.Wait(); err != nil {
				return err
			}
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("%w; the log ends with: %s", context.Cause(ctx), c.logTail())
		case <-look.C:
			if c.isReady(p.PID()) {
				return nil
			}
		}
	}
}

// isReady tells whether the server with that number says that it is ready. A
// file that a killed server has left behind has another number in it.
func (c *Cluster) isReady(pid int) bool {
	const stateLine = 7 // LOCK_FILE_LINE_PM_STATUS of PostgreSQL 10 and newer
	text, err := os.ReadFile(filepath.Join(c.DataDir(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := bytes.Split(text, []byte{'\n'})
	return len(lines) > stateLine && string(lines[0]) == strconv.Itoa(pid) &&
		string(bytes.TrimSpace(lines[stateLine])) == "ready"
}

// logTail returns the last lines of the server's log.
func (c *Cluster) logTail() string {
	const most = 2000
	text, err := os.ReadFile(c.LogPath())
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-most):])
}

// end ends the server if it runs, and returns when no process of it is left.
func (c *Cluster) end(how syscall.Signal) error {
	p := c.server
	if p == nil {
		return nil
	}
	if err := p.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop server: %w", err)
	}
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-p.Done():
	case <-late.C:
		if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop server: %w", err)
		}
		<-p.Done()
	}
	// How it ended does not matter: it was told to.
	c.server = nil
	return nil
}

// Crash ends the server as if it had crashed: sessions are cut off, nothing is
// written any more, and the next start has to recover. The folder stays.
func (c *Cluster) Crash() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(syscall.SIGQUIT)
}

// Restart starts the server again, after Crash or, if it runs, after shutting
// it down, which cuts off its sessions. It returns when the server takes
// connections.
func (c *Cluster) Restart(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isRemoved {
		return errors.New("start server: the cluster has been removed")
	}
	if err := c.end(syscall.SIGINT); err != nil {
		return err
	}
	return c.start(ctx)
}

// Stop ends the server at once and removes all of the cluster. Calling it
// again does nothing, unless something could not be removed.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isRemoved {
		return nil
	}
	if err := c.end(syscall.SIGQUIT); err != nil {
		return err
	}
	for _, folder := range c.folders {
		if err := folder.Remove(); err != nil {
			return fmt.Errorf("remove cluster: %w", err)
		}
	}
	c.isRemoved = true
	return nil
}
