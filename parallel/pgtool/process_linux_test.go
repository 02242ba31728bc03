package pgtool_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"odx/parallel/pgtool"
)

// startParent starts this program as parent, and returns the number of the
// child that it has started, its group being of the same number.
func startParent(t *testing.T, env []string, args ...string) (odx *exec.Cmd, child int) {
	t.Helper()
	odx = exec.Command(os.Args[0], args...)
	odx.Env = append(env, helper+"=parent")
	out, err := odx.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := odx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = odx.Process.Kill()
		_ = odx.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if child, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(line)
	}
	return odx, child
}

// A child goes with the process that started it, also after SIGKILL.
func TestStart_ParentKilled(t *testing.T) {
	odx, child := startParent(t, nil, "/bin/sleep", "600")
	if isGone(child) {
		t.Fatal("the child is not there")
	}
	if err := odx.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "end of the child", func() bool { return isEnded(child) })
}

// The main thread does not end before the process does: it stays with TestMain.
func init() { runtime.LockOSThread() }

// The kernel signals the child when the thread that started it ends. That must
// not be the thread of the caller.
func TestStart_ThreadEnds(t *testing.T) {
	type result struct {
		p   *pgtool.Process
		err error
		tid int
	}
	results := make(chan result)
	go func() {
		runtime.LockOSThread() // without an Unlock: the thread ends with the goroutine
		p, err := pgtool.Start(t.Context(), pgtool.Command{Tool: "/bin/sleep", Args: []string{"600"}})
		results <- result{p, err, syscall.Gettid()}
	}()
	r := <-results
	if r.err != nil {
		t.Fatal(r.err)
	}
	waitFor(t, "end of the thread", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", r.tid))
		return err != nil
	})
	// A signal would arrive at once; one of ours shows that none did before.
	if err := r.p.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if err := r.p.Wait(); err == nil || !strings.Contains(err.Error(), "user defined signal 1") {
		t.Errorf("got %v, want the end by SIGUSR1", err)
	}
}

// The peak is the child's own, and not that of a larger process that started
// it, which is what the kernel says.
func TestRun_PeakRSS(t *testing.T) {
	block := make([]byte, 200<<20)
	for i := range block {
		block[i] = 1
	}
	ready := make(chan struct{}, 1)
	c := self("memory")
	c.Stderr = func(string) { ready <- struct{}{} }
	p, err := pgtool.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	<-ready
	// It is looked at every half second; there is nothing else to wait for.
	time.Sleep(1200 * time.Millisecond)
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil {
		t.Error("no error after SIGKILL")
	}
	runtime.KeepAlive(block)
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		t.Fatal(err)
	}
	// The race detector's shadow makes both larger.
	if got, ours := p.Usage().PeakRSS, own.Maxrss<<10; got < 64<<20 || got > ours*2/3 {
		t.Errorf("peak is %d MiB, want 64 and a few, far below our own %d", got>>20, ours>>20)
	}
}
