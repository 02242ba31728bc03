package main

import "golang.org/x/sys/unix"

// forbidCoreDumps has no core file be written of odx, nor of the programs that it
// starts, and lets no other process of the user look into odx: it holds
// passwords. Where the system forbids this, nothing is worse than without it.
func forbidCoreDumps() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
