package main

import (
	"context"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"

	"odx/parallel"
)

// spareMemory has the garbage collector keep the heap within a fifth of what is
// in use: the directory of a zip with millions of members is most of it, and
// stays. GOGC overrides it.
func spareMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(20)
	}
}

// limitMemory has the garbage collector work harder before odx takes more memory
// than it should: a script with statements of some hundred MB would leave several
// copies of each behind. What is in use grows the limit, since a zip's directory
// may be larger by itself: the collector would run all the time and find nothing.
// GOMEMLIMIT overrides it.
func limitMemory(ctx context.Context, jobs int) (stop func()) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	least := 192<<20 + int64(jobs)*32<<20
	debug.SetMemoryLimit(least)
	live := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	return parallel.Every(ctx, time.Second, func() {
		runtimemetrics.Read(live)
		debug.SetMemoryLimit(max(least, 3*int64(live[0].Value.Uint64())/2))
	})
}
