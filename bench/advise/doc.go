// Package advise finds out how a user's own database is dumped best from this
// machine: it dumps a sample of it with several numbers of jobs and several
// compressions, and reckons what the whole would take.
//
// The sample are whole tables, the largest that fit, so that it is dumped by
// the same program in the same way as the database will be. Nothing is written
// to the server and no lock but ACCESS SHARE is taken. What is dumped goes to a
// temporary folder, which is removed.
//
// What a dump takes without any rows is measured too, and taken off. Where a
// table is dumped by one connection (by pg_dump, and of servers before 14), the whole
// takes at least what its largest table takes alone.
package advise
