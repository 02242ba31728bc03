// Package contest runs odx and what people use instead of it on the same data,
// one after the other in rounds, and records what each took.
//
//	peers.go   who takes part and what they read, as data: steps with placeholders
//	stage.go   a throw-away server with a generated database and filestore
//	runner.go  runs a peer's steps, measures them, removes what they made
//	contest.go sizes, rounds and numbers of jobs; goes on where a run ended
//	limits.go  what the machine itself can do
//	guard.go   ratios of odx to fixed peers that must not grow
//
// # Fairness
//
// All read the same database, filestore and inputs, from the page cache where
// they fit into it, and write to the same file system. Everything that is dirty
// is written back before each run. What a peer leaves unwritten at its end is
// told beside its time (sync). The peers of a job alternate within a round, so
// that a machine that becomes slower is slower for all.
//
// The server keeps its promises: fsync and full_page_writes are on. Autovacuum
// is off, because it would work during some runs and not during others; odx
// restore gathers statistics as part of its time, and of the peers only those
// do whose name says so.
package contest
