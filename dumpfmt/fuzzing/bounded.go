// Package fuzzing holds fuzz targets to bounds: what reads a stranger's input may
// take time and memory that grow with its size, and no more.
package fuzzing

import (
	"fmt"
	"os"
	"runtime/metrics"
	"testing"
	"time"
)

// An input of n bytes may have allocTotal + n*allocPerByte bytes allocated, live
// or not, which bounds the work as well, and all of longest to be done with. Both
// are far beyond what any seed takes.
const (
	allocTotal   = 256 << 20
	allocPerByte = 16 << 10
)

// longest is the processor's time for one input. A run that is shorter than that
// ends before an input that has no end is seen: LimitVariable names less.
var longest = limit(os.Getenv(LimitVariable), time.Minute)

// LimitVariable is the environment's variable with another longest.
const LimitVariable = "ODX_FUZZ_LIMIT"

func limit(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return otherwise
}

// Bounded watches the rest of a fuzz target, which is to call what it returns in
// the end; n is the size of the input in bytes.
//
//	defer fuzzing.Bounded(t, len(data))()
func Bounded(t testing.TB, n int) (done func()) {
	t.Helper()
	// Without it go test would wait for an input that has no end, and then call
	// its time over.
	began, most := processorTime(), longest
	watchdog := time.NewTicker(most / 10)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-watchdog.C:
			}
			if processorTime()-began > most {
				panic(fmt.Sprintf("%d bytes of input take longer than %v", n, most))
			}
		}
	}()
	before := allocated()
	return func() {
		watchdog.Stop()
		close(ended)
		if took := allocated() - before; took > allocTotal+uint64(n)*allocPerByte {
			t.Errorf("%d bytes of input had %d bytes allocated", n, took)
		}
	}
}

// allocated gives the bytes that the process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
