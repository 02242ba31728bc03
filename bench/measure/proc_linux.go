package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ticks is the unit of times in /proc/PID/stat; Linux has had it at 100 a
// second for programs on every common architecture.
const ticks = 100

// count reads what children and server have used up to now.
func count(server int) (c counters, err error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &u); err != nil {
		return c, err
	}
	c.client = float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	if c.written, err = written("self", toDisk); err != nil {
		return c, err
	}
	if server == 0 {
		return c, nil
	}
	c.server, c.byServe, err = countServer(server)
	return c, err
}

// tries is how often a server is counted whose backends keep ending meanwhile.
const tries = 20

// countServer adds up the postmaster and its children. A child that ends while
// they are counted would count twice or not at all, so that is done again.
func countServer(pid int) (cpu float64, bytes int64, err error) {
	for range tries {
		own, reaped, err := cpuOf(pid)
		if err != nil {
			return 0, 0, err
		}
		cpu = own + reaped
		if bytes, err = written(strconv.Itoa(pid), calls); err != nil {
			return 0, 0, err
		}
		for _, child := range children(pid) {
			own, _, err := cpuOf(child)
			n, ioErr := written(strconv.Itoa(child), calls)
			if err := errors.Join(err, ioErr); err != nil && !isGone(err) {
				return 0, 0, err
			}
			cpu, bytes = cpu+own, bytes+n
		}
		if _, now, err := cpuOf(pid); err == nil && now == reaped {
			break
		}
	}
	return cpu, bytes, nil
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// cpuOf returns the processor time of a process and of those that it has waited
// for, in seconds.
func cpuOf(pid int) (own, reaped float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const utime = 11 // stime, cutime and cstime follow
	if len(fields) < utime+4 {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var times [4]float64
	for i := range times {
		if times[i], err = strconv.ParseFloat(fields[utime+i], 64); err != nil {
			return 0, 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return (times[0] + times[1]) / ticks, (times[2] + times[3]) / ticks, nil
}

// Counts of /proc/PID/io.
const (
	toDisk = "write_bytes" // pages made dirty
	calls  = "wchar"       // bytes that were handed to write
)

// written returns the bytes that a process, and those that it has waited for,
// have written, by one of the counts.
func written(pid, count string) (int64, error) {
	text, err := os.ReadFile("/proc/" + pid + "/io")
	if err != nil {
		return 0, err
	}
	n, found := number(text, count+": ", "\n")
	if !found {
		return 0, fmt.Errorf("/proc/%s/io has no %s", pid, count)
	}
	return n, nil
}

// number reads the number between two texts.
func number(text []byte, before, after string) (int64, bool) {
	// A name may be the end of another one: at the start, or after a new line.
	at := bytes.Index(text, []byte("\n"+before))
	if at < 0 {
		return 0, false
	}
	value, _, _ := bytes.Cut(text[at+1+len(before):], []byte(after))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	return n, err == nil
}

// children lists the processes that any thread of a process has started.
func children(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var all []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, f := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(f); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// clientMemory adds up the memory of all descendants but the server.
func clientMemory(server int) int64 {
	var sum int64
	todo := slices.DeleteFunc(children(os.Getpid()), func(pid int) bool { return pid == server })
	for len(todo) > 0 {
		pid := todo[0]
		todo = append(todo[1:], children(pid)...)
		sum += memoryOf(pid)
	}
	return sum
}

// memoryOf returns the share of memory that a process has, 0 if it is gone.
func memoryOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	kib, _ := number(text, "Pss:", " kB")
	return kib * 1024
}
