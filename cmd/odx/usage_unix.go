//go:build unix

package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// usageOfSelf asks the system what this process used so far.
func usageOfSelf() self {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return self{}
	}
	unit := int64(1 << 10)
	if runtime.GOOS == "darwin" { // counts bytes, the others kilobytes
		unit = 1
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return self{PeakRSS: int64(u.Maxrss) * unit, CPU: cpu.Seconds()}
}
