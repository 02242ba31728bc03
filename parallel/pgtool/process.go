package pgtool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// pipeDelay is how long after the end of its group a child's pipe is
	// waited for, which a process outside the group may hold.
	pipeDelay = 2 * time.Second
	// groupDelay is how often the group of a dead leader is looked at.
	groupDelay = 10 * time.Millisecond
)

// Process is a child that was started. Its methods may be called from several
// goroutines.
type Process struct {
	cmd   *exec.Cmd
	stop  syscall.Signal
	grace time.Duration

	lines  lineWriter
	stderr *os.File // reading end
	peak   peakWatch

	isStopped atomic.Bool   // the stop signal was sent because the context was done
	exited    chan struct{} // closed when the leader is gone
	done      chan struct{} // closed when all is over; the fields below are set then
	usage     Usage
	err       error
}

// Start starts a program. The child is stopped when ctx is done: with the stop
// signal, and after Grace with SIGKILL. The caller calls Wait.
func Start(ctx context.Context, c Command) (*Process, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p := &Process{
		cmd: exec.Command(c.Tool, c.Args...), stop: c.Stop, grace: c.Grace,
		lines: lineWriter{each: c.Stderr}, exited: make(chan struct{}), done: make(chan struct{}),
	}
	if p.stop == 0 {
		p.stop = syscall.SIGTERM
	}
	if p.grace <= 0 {
		p.grace = DefaultGrace
	}
	// A nil Env would hand on this process's own environment.
	p.cmd.Env = append(make([]string, 0, len(c.Env)), c.Env...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.WaitDelay = c.Dir, c.Stdout, pipeDelay
	err := setProcAttr(p.cmd, c.User, p.stop)
	if err == nil {
		started := make(chan error)
		go p.run(ctx, started)
		err = <-started
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.Tool), err)
	}
	return p, nil
}

// run starts the child and waits for it on one thread that lives as long as
// the child: Linux signals a child whose starting thread has ended.
func (p *Process) run(ctx context.Context, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.start()
	started <- err
	if err != nil {
		return
	}
	var helpers sync.WaitGroup
	helpers.Go(func() { p.watch(ctx) })
	helpers.Go(func() { p.peak.watch(p.PID(), p.exited) })
	read := make(chan struct{})
	go p.readStderr(read)

	err = p.cmd.Wait()
	close(p.exited)
	p.endGroup()
	select {
	case <-read:
	case <-time.After(pipeDelay):
	}
	_ = p.stderr.Close() // ends a read that still waits; nothing is written to it
	<-read
	helpers.Wait()
	p.usage = usageOf(p.cmd.ProcessState)
	p.usage.PeakRSS = p.peak.result(p.usage.PeakRSS)
	p.err = p.result(ctx, err)
	close(p.done)
}

// start makes the pipe itself, because exec's own would be waited for before
// the group could be ended.
func (p *Process) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	p.stderr, p.cmd.Stderr = r, w
	err = p.cmd.Start()
	if closeErr := w.Close(); err == nil && closeErr != nil {
		// The child runs, but the end of its output would never be seen.
		err = errors.Join(closeErr, p.cmd.Process.Kill(), p.cmd.Wait())
	}
	if err != nil {
		_ = r.Close()
	}
	return err
}

func (p *Process) readStderr(read chan<- struct{}) {
	defer close(read)
	// An error is the end of the pipe or its being closed by run.
	_, _ = io.Copy(&p.lines, p.stderr)
	p.lines.flush()
}

// watch stops the child when ctx is done.
func (p *Process) watch(ctx context.Context) {
	select {
	case <-p.exited:
		return
	case <-ctx.Done():
	}
	// Set first: the child may be gone before Signal returns.
	p.isStopped.Store(true)
	if errors.Is(p.Signal(p.stop), os.ErrProcessDone) {
		p.isStopped.Store(false)
		return
	}
	grace := time.NewTimer(p.grace)
	defer grace.Stop()
	select {
	case <-p.exited:
	case <-grace.C:
		killGroup(p.cmd.Process)
	}
}

// endGroup ends what the leader has left behind, such as the workers of a
// pg_dump that was killed.
func (p *Process) endGroup() {
	if signalGroup(p.PID(), p.stop) != nil {
		return // nobody is there
	}
	look := time.NewTicker(groupDelay)
	defer look.Stop()
	grace := time.NewTimer(p.grace)
	defer grace.Stop()
	for {
		select {
		case <-grace.C:
			killGroup(p.cmd.Process)
			return
		case <-look.C:
			if signalGroup(p.PID(), 0) != nil {
				return
			}
		}
	}
}

// result turns what exec's Wait says into what Run promises.
func (p *Process) result(ctx context.Context, err error) error {
	state := p.cmd.ProcessState
	switch {
	case state == nil:
		return fmt.Errorf("wait for %s: %w", filepath.Base(p.cmd.Path), err)
	case state.Success() && (err == nil || errors.Is(err, exec.ErrWaitDelay)):
		// A grandchild that holds the pipes does not make the child fail.
		return nil
	case state.Success():
		return fmt.Errorf("run %s: %w", filepath.Base(p.cmd.Path), err)
	case p.isStopped.Load():
		return context.Cause(ctx)
	}
	return &ExitError{
		Tool: p.cmd.Path, Code: state.ExitCode(), Signal: signalName(state),
		Stderr: p.lines.text(), Usage: p.usage,
	}
}

// Wait waits for the end of the child and tells how it went, as [Run] does. It
// may be called more than once.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Done is closed when the child is gone and Wait does not block any more.
func (p *Process) Done() <-chan struct{} { return p.done }

// Usage returns what the child has used. It waits for its end.
func (p *Process) Usage() Usage {
	<-p.done
	return p.usage
}

// PID returns the child's process number, which is also that of its group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the child alone; on Windows it ends it, whatever
// the signal. It returns [os.ErrProcessDone] if the child is gone.
func (p *Process) Signal(sig syscall.Signal) error { return signalProcess(p.cmd.Process, sig) }
