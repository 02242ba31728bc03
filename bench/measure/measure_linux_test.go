package measure

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"odx/parallel/pgtool"
)

// spend is a program that uses at least that much processor time, memory and
// disk: 300 ms, 60 MB and 40 MB.
const spend = `
import os, sys, time
memory = bytearray(os.urandom(1 << 20)) * 60
with open(sys.argv[1] + "/lost", "wb") as f:
    for i in range(40):
        f.write(os.urandom(1 << 20))
    f.flush()
    os.fsync(f.fileno())
while time.process_time() < 0.3:
    pass
time.sleep(0.3)
os.remove(sys.argv[1] + "/lost")
`

func TestMeter(t *testing.T) {
	python := "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m, err := Start(0, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgtool.Run(t.Context(), pgtool.Command{Tool: python, Args: []string{"-c", spend, dir}, Env: pgtool.ChildEnv(nil, nil)}); err != nil {
		t.Fatal(err)
	}
	u, err := m.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if u.Wall < 0.6 || u.ClientCPU < 0.3 || u.ClientCPU > u.Wall+0.1 || u.ServerCPU != 0 || u.ServerWritten != 0 || u.Sync < 0 {
		t.Errorf("times: %+v", u)
	}
	if u.Memory < 60_000_000 || u.Memory > 200_000_000 {
		t.Errorf("peak memory %d, want about 70 MB", u.Memory)
	}
	if u.ClientWritten < 40<<20 || u.TempDisk < 0 {
		t.Errorf("wrote %d, temporary %d; want 40 MiB and more", u.ClientWritten, u.TempDisk)
	}
}

// TestMeter_Server takes a child for the server that runs on.
func TestMeter_Server(t *testing.T) {
	p, err := pgtool.Start(t.Context(), pgtool.Command{
		Tool: "/bin/sh", Env: pgtool.ChildEnv(nil, nil),
		// Its own child ends and is waited for; then it works itself.
		Args: []string{"-c", `n=0; sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; while :; do n=$((n+1)); done`},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Start(p.PID(), "")
	if err != nil {
		t.Fatal(err)
	}
	for before := m.before.server; ; {
		now, err := count(p.PID())
		if err != nil {
			t.Fatal(err)
		}
		if now.server >= before+0.3 {
			break
		}
	}
	u, err := m.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if u.ServerCPU < 0.3 || u.ClientCPU > 0.2 || u.Memory > 0 {
		t.Errorf("got %+v, want 0.3 s of the server and nothing of clients", u)
	}
	if err := p.Signal(9); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // it was killed
}

func TestStart_Refused(t *testing.T) {
	if _, err := Start(0, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("got no error for a folder that does not exist")
	}
	if _, err := Start(1<<30, ""); err == nil {
		t.Error("got no error for a server that does not exist")
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := Median(tt.values); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%v: got %v, want %v", tt.values, got, tt.want)
		}
	}
}
