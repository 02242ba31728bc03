// Package measure tells what a piece of work costs: time, processor time of
// clients and server apart, memory, bytes written and disk space.
//
// The work is done by child processes of this one, and by a server that is one
// too. On Linux
//
//	wall        the clock
//	client CPU  RUSAGE_CHILDREN: children that have ended, and theirs
//	server CPU  /proc/PID/stat of the postmaster: its own, that of backends
//	            that have ended (cutime, cstime) and that of those which live
//	memory      Pss of all descendants but the server, added up, every 50 ms:
//	            what clients share counts once
//	written     /proc/PID/io. Of clients write_bytes: pages made dirty in the
//	            page cache for a disk, whether they were written back yet or
//	            not; clones of blocks, which write nothing, do not count, nor
//	            does what goes to the server. Of the server wchar, what it
//	            handed to write (it sends to clients by other calls): its log
//	            is synced so often that its pages would count many times, in
//	            folios of up to megabytes
//	disk        statfs of the folder's file system, every 50 ms: the most that
//	            was in use beyond what is in use at the end, sort files of the
//	            server and its log included
//	sync        how long syncfs takes afterwards: what a program has left for
//	            the kernel to write
//
// What else writes to the file system meanwhile disturbs the last two. Other
// systems have the clock only; the rest is 0.
package measure
