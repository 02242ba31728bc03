package main

import (
	"os"
	"runtime"
)

// waitInCalls has room for work beside those who wait in system calls: a
// connection and a copier of files for each job. The runtime would otherwise take
// the processor from under each of them after some microseconds and wake a thread
// for it, which costs more than what they do. GOMAXPROCS overrides it.
func waitInCalls(jobs int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2*jobs)
	}
}
