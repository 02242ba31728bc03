package pgtool

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A child is first looked at early, because many are short, and then less and
// less often: what is read is a peak, so little is missed between.
const (
	firstLook = 20 * time.Millisecond
	lastLook  = 500 * time.Millisecond
)

// peakWatch finds out the most memory that a child had resident. The kernel's
// ru_maxrss is not reset by exec, and a child started from Go shares the
// memory of this process until then: it reports this process's peak if that is
// larger (exec_mmap in fs/exec.c).
type peakWatch struct {
	own  int64 // this process's peak when the child was started
	seen int64 // the largest one among the child and its children
}

// watch looks at the child until it has exited.
func (w *peakWatch) watch(pid int, exited <-chan struct{}) {
	w.own = peakOf("self")
	wait := firstLook
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-exited:
			return
		case <-timer.C:
		}
		w.look(strconv.Itoa(pid))
		wait = min(2*wait, lastLook)
		timer.Reset(wait)
	}
}

func (w *peakWatch) look(pid string) {
	w.seen = max(w.seen, peakOf(pid))
	// Not every kernel has this file; the workers are not seen then.
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", pid, pid))
	if err != nil {
		return
	}
	for _, child := range strings.Fields(string(children)) {
		w.seen = max(w.seen, peakOf(child))
	}
}

// slack is by how much the kernel's two counts of one peak may differ: each
// processor adds up some pages of its own.
const slack = 32 << 20

// result chooses between the kernel's number and what was seen.
func (w *peakWatch) result(maxrss int64) int64 {
	if maxrss > w.own+slack || w.seen == 0 {
		return maxrss
	}
	return w.seen
}

// peakOf returns the peak of a running process in bytes, 0 if unknown.
func peakOf(pid string) int64 {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(status, []byte("\nVmHWM:"))
	if !found {
		return 0
	}
	value, _, _ := bytes.Cut(rest, []byte(" kB\n"))
	kib, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	if err != nil {
		return 0
	}
	return kib * 1024
}
