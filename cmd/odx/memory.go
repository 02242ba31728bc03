package main

import (
	"os"
	"runtime/debug"
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
// copies of each behind. GOMEMLIMIT overrides it.
func limitMemory(jobs int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(192<<20 + int64(jobs)*32<<20)
	}
}
