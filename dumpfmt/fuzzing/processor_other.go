//go:build !unix

package fuzzing

import "time"

var began = time.Now()

// processorTime is the time that has gone by, where the system does not tell more.
func processorTime() time.Duration { return time.Since(began) }
