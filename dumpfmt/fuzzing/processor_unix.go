//go:build unix

package fuzzing

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what the process has used, in all its threads: on a busy machine
// the clock says little.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
