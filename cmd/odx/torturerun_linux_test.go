package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// moment is a part of a phase that has gone by, from 0 to 1.
type moment struct {
	phase    string
	fraction float64
}

// span is a phase of a run that met no fault.
type span struct {
	phase  string
	length time.Duration
}

// Phases that odx does not speak of: before its first, and after its end.
const (
	phaseStart = "starting"
	phaseEnd   = "after the end"
)

// running is an odx at work, whose progress is followed.
type running struct {
	cmd   *exec.Cmd
	began time.Time
	ended chan struct{} // closed when it is gone; result is valid then

	mu     sync.Mutex
	spans  []span // lengths of all but the last are known
	since  time.Time
	said   strings.Builder
	result result
}

// progressEvery is how often odx tells its phase in these tests.
const progressEvery = "4ms"

// begin starts odx with the campaign's server and its marks.
func (c *campaign) begin(t testing.TB, env []string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := c.command(ctx, append(args, "--progress-json")...)
	cmd.Env = append(cmd.Env, "ODX_TEST_PROGRESS="+progressEvery, "TMPDIR="+c.tmp, tortureMark)
	cmd.Env = append(cmd.Env, env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: cmd, began: time.Now(), since: time.Now(), ended: make(chan struct{}), spans: []span{{phase: phaseStart}}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer cancel()
		defer close(r.ended)
		r.follow(stderr)
		err := cmd.Wait()
		r.result = result{code: cmd.ProcessState.ExitCode(), stderr: r.said.String()}
		if err != nil {
			r.result.stdout = err.Error() // "signal: killed"
		}
		r.enter(phaseEnd)
	}()
	return r
}

// follow reads what odx says until nobody holds its stderr any more.
func (r *running) follow(stderr io.Reader) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		var p struct{ Phase string }
		if strings.HasPrefix(line, `{"time":`) && json.Unmarshal([]byte(line), &p) == nil {
			if p.Phase != "" {
				r.enter(p.Phase)
			}
		} else {
			r.said.WriteString(line)
		}
		if err != nil {
			return
		}
	}
}

func (r *running) enter(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := &r.spans[len(r.spans)-1]
	if last.phase == phase {
		return
	}
	last.length = time.Since(r.since)
	r.spans = append(r.spans, span{phase: phase})
	r.since = time.Now()
}

// phase is what odx is doing.
func (r *running) phase() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spans[len(r.spans)-1].phase
}

func (r *running) hasEntered(phase string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.phase == phase || s.phase == phaseEnd {
			return true
		}
	}
	return false
}

// reach waits until a moment of the run has come, or the run has ended.
func (r *running) reach(m moment, spans []span) {
	var wait time.Duration
	for _, s := range spans {
		if s.phase == m.phase {
			wait = time.Duration(m.fraction * float64(s.length))
		}
	}
	for !r.hasEntered(m.phase) {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-r.ended:
	case <-time.After(wait):
	}
}

// hangs is how long a run may take, whatever has befallen it.
const hangs = 4 * time.Minute

// wait waits for the end. An odx that does not end is a failure.
func (r *running) wait(t testing.TB) result {
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(hangs):
		_ = r.cmd.Process.Kill()
		<-r.ended
		t.Errorf("odx did not end within %s, in phase %q; stderr:\n%s", hangs, r.phase(), r.result.stderr)
	}
	return r.result
}
