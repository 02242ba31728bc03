// Package pgtool finds PostgreSQL's own programs and runs them. It is the only
// package that starts programs, so that what follows holds for all of them.
//
// # Finding
//
// A [Finder] looks in the folder named by the user, and nowhere else if there
// is one; otherwise on PATH and in the folders where packages put the programs
// of several versions side by side. The version is what `TOOL --version` says,
// never what a path looks like. Debian's pg_wrapper, which is what PATH has
// there under the name of every program, chooses a version by its own rules
// and is passed over; the programs that it would start are found themselves.
//
//	pg_dump      refuses servers newer than itself: the newest one that is at
//	             least as new as the server
//	pg_restore   reads archives of its own version and older: the newest one
//	             that is not newer than the server, so that it sets no parameter
//	             which that server does not know; failing that the oldest one
//	             that reads the archive
//
// # Running
//
// Each child is the leader of a process group of its own, so that a Ctrl-C
// meant for odx reaches odx alone, which then ends its children in order:
//
//	context ends          stop signal (SIGTERM) to the leader: pg_dump and
//	                      pg_restore then end their workers, and cancel what
//	                      these run in the server
//	leader gone           the same signal to what is left of its group
//	Grace later           SIGKILL to the whole group
//	odx dies              Linux sends the stop signal to the leader
//	                      (PR_SET_PDEATHSIG)
//
// Linux ties the last one to the thread that started the child. Start and wait
// therefore happen on one goroutine that is locked to its thread.
//
// A process that has left the group and keeps the pipe open cannot make Run
// wait for ever: the pipe is closed a short time after the leader is gone.
//
// What a child writes to stderr is passed on line by line as it comes; its last
// lines are kept for the error. Of one line at most [MaxLine] bytes are kept.
//
// # Memory
//
// The kernel's peak of a child's memory starts, for a program started from Go,
// with the peak of the process that started it. On Linux the child's own peak
// is therefore read from /proc while it runs, and the kernel's number is used
// where it must be the child's own, being larger than that of this process.
//
// # Systems
//
// Linux has all of this. Other Unix systems lack the signal on odx's death.
// Windows has neither groups nor signals: cancelling ends the leader at once.
package pgtool
