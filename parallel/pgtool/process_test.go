//go:build unix

package pgtool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"odx/parallel/pgtool"
)

// helper names the part that this test program plays when it starts itself.
const helper = "ODX_TEST_HELPER"

func TestMain(m *testing.M) {
	parts := map[string]func() int{
		"say": say, "environment": environment, "ignore": ignore, "leave": leave, "memory": memory, "parent": parent,
	}
	if part, ok := parts[os.Getenv(helper)]; ok {
		os.Exit(part())
	}
	os.Exit(m.Run())
}

// self returns a command that starts this program in a part.
func self(part string, args ...string) pgtool.Command {
	return pgtool.Command{Tool: os.Args[0], Args: args, Env: []string{helper + "=" + part}}
}

// waitFor polls for a state of another process. The time is only there to end
// a test that would not.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("no %s after a minute", what)
			return
		}
	}
}

func isGone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// isEnded also counts a process that nobody has reaped, which is so in a
// container without an init.
func isEnded(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return isGone(pid)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

// say writes a text to stderr, a number of times, and ends with a status.
func say() int {
	times, _ := strconv.Atoi(os.Args[2])
	status, _ := strconv.Atoi(os.Args[3])
	_, _ = io.WriteString(os.Stderr, strings.Repeat(os.Args[1], times))
	return status
}

func TestRun_Stderr(t *testing.T) {
	var got []string
	c := self("say", "a long line without an end ", "100000", "3")
	c.Stderr = func(line string) { got = append(got, line) }
	usage, err := pgtool.Run(t.Context(), c)
	var exit *pgtool.ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || exit.Signal != "" || exit.Tool != os.Args[0] {
		t.Fatalf("got %#v, want exit status 3", err)
	}
	if len(got) != 1 || len(got[0]) != pgtool.MaxLine {
		t.Errorf("got %d lines", len(got))
	}
	if len(exit.Stderr) > 3000 || !strings.HasPrefix(exit.Stderr, "a long line") {
		t.Errorf("tail of %d bytes: %s", len(exit.Stderr), exit.Stderr)
	}
	if usage != exit.Usage || usage.CPU() <= 0 || usage.PeakRSS < 1<<20 {
		t.Errorf("usage is %+v, in the error %+v", usage, exit.Usage)
	}
}

// Output faster than it is read must neither be lost nor hold up the end.
func TestRun_ManyLines(t *testing.T) {
	n := 0
	c := self("say", "pg_dump: dumping contents of table\n", "50000", "0")
	c.Stderr = func(string) { n++ }
	if _, err := pgtool.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if n != 50000 {
		t.Errorf("got %d lines, want 50000", n)
	}
}

func TestRun_Output(t *testing.T) {
	var out bytes.Buffer
	want := strings.Repeat("0123456789", 100_000)
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: "/bin/cat", Args: []string{path}, Stdout: &out})
	if err != nil || out.String() != want {
		t.Errorf("got %d bytes, %v, want %d", out.Len(), err, len(want))
	}
}

func environment() int {
	for _, kv := range os.Environ() {
		fmt.Println(kv)
	}
	fmt.Fprintln(os.Stderr, "no")
	return 1
}

// Nothing of this process's environment leaks in, and nothing of the child's
// into the error.
func TestRun_Environment(t *testing.T) {
	var out bytes.Buffer
	c := self("environment")
	c.Env = append(c.Env, "PGPASSWORD=secret")
	c.Stdout = &out
	_, err := pgtool.Run(t.Context(), c)
	if got, want := out.String(), helper+"=environment\nPGPASSWORD=secret\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "secret") {
		t.Errorf("got error %#v", err)
	}
	out.Reset()
	_, err = pgtool.Run(t.Context(), pgtool.Command{Tool: "/usr/bin/env", Stdout: &out})
	if err != nil || out.Len() > 0 {
		t.Errorf("without Env got %q, %v", out.String(), err)
	}
}

func TestStart_NoSuchProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pg_dump")
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: path})
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "start pg_dump: ") {
		t.Errorf("got %v", err)
	}
}

func TestStart_ContextDone(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := pgtool.Run(ctx, pgtool.Command{Tool: "/nowhere"}); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}

// A child that stops when asked to gives the cause, not an ExitError.
func TestRun_Cancel(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := pgtool.Start(ctx, pgtool.Command{Tool: "/bin/sleep", Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	cancel(cause)
	if err := p.Wait(); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
	if !isGone(p.PID()) {
		t.Errorf("process %d is still there", p.PID())
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal after the end: %v", err)
	}
}

// A child that fails just before the context ends has failed by itself.
func TestRun_FailureBeforeCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := pgtool.Start(ctx, pgtool.Command{Tool: "/bin/false"})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	cancel()
	var exit *pgtool.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Code != 1 {
		t.Errorf("got %v, want exit status 1", err)
	}
}

// ignore says "ready" and pays no attention to signals that can be ignored.
func ignore() int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	fmt.Fprintln(os.Stderr, "ready", os.Getpid())
	time.Sleep(10 * time.Minute)
	return 0
}

func TestRun_Kill(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := self("ignore")
	c.Grace = 50 * time.Millisecond
	c.Stderr = func(string) { cancel() }
	p, err := pgtool.Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if !isGone(-p.PID()) {
		t.Errorf("group %d is still there", p.PID())
	}
}

// leave starts a process that ignores SIGTERM and has the same stderr, and
// ends before it. If asked to, the process leaves the group.
func leave() int {
	status, _ := strconv.Atoi(os.Args[2])
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{helper + "=ignore"}
	cmd.Stderr = os.Stderr
	if os.Args[1] == "session" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if err := cmd.Start(); err != nil {
		return 99
	}
	if os.Args[1] == "stay" {
		time.Sleep(10 * time.Minute)
	}
	return status
}

// left runs leave, and returns the number of the process that was left behind.
func left(t *testing.T, where string, status int) (pid int, err error) {
	t.Helper()
	c := self("leave", where, strconv.Itoa(status))
	c.Grace = 50 * time.Millisecond
	c.Stderr = func(line string) {
		if n, ok := strings.CutPrefix(line, "ready "); ok {
			pid, _ = strconv.Atoi(n)
		}
	}
	_, err = pgtool.Run(t.Context(), c)
	return pid, err
}

// What a dead leader leaves in its group is ended, and nothing is waited for
// longer than that.
func TestRun_Orphan(t *testing.T) {
	for _, status := range []int{0, 7} {
		pid, err := left(t, "group", status)
		var exit *pgtool.ExitError
		if status == 0 && err != nil || status != 0 && (!errors.As(err, &exit) || exit.Code != status) {
			t.Errorf("got %v, want exit status %d", err, status)
		}
		if pid != 0 { // it may have been ended before it said anything
			waitFor(t, "end of the orphan", func() bool { return isEnded(pid) })
		}
	}
}

// A process in another session is none of ours, but may not make Run hang.
func TestRun_OrphanOfAnotherSession(t *testing.T) {
	pid, err := left(t, "session", 0)
	if err != nil {
		t.Error(err)
	}
	if pid == 0 {
		t.Fatal("the orphan did not start")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("orphan is gone: %v", err)
	}
}

// A killed leader, as by the kernel for want of memory, takes its group along.
func TestRun_LeaderKilled(t *testing.T) {
	worker := make(chan int, 1)
	c := self("leave", "stay", "0")
	c.Grace = 50 * time.Millisecond
	c.Stderr = func(line string) {
		pid, _ := strconv.Atoi(strings.TrimPrefix(line, "ready "))
		worker <- pid
	}
	p, err := pgtool.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	pid := <-worker
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var exit *pgtool.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Signal != "killed" || exit.Code != -1 {
		t.Errorf("got %#v, want signal killed", err)
	}
	waitFor(t, "end of the worker", func() bool { return isEnded(pid) })
}

// parent plays odx: it starts the program named by its arguments, says its
// number and waits.
func parent() int {
	p, err := pgtool.Start(context.Background(), pgtool.Command{
		Tool: os.Args[1], Args: os.Args[2:], Env: pgtool.ChildEnv(os.Environ(), nil, helper),
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(p.PID())
	_ = p.Wait()
	return 0
}

// memory has 64 MiB resident, longer than it takes to be seen.
func memory() int {
	block := make([]byte, 64<<20)
	for i := range block {
		block[i] = 1
	}
	fmt.Fprintln(os.Stderr, "ready")
	time.Sleep(10 * time.Minute)
	runtime.KeepAlive(block)
	return 0
}

func TestUsage_Add(t *testing.T) {
	got := pgtool.Usage{PeakRSS: 5, User: 1, System: 2}
	got.Add(pgtool.Usage{PeakRSS: 3, User: 10, System: 20})
	if want := (pgtool.Usage{PeakRSS: 5, User: 11, System: 22}); got != want || got.CPU() != 33 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
