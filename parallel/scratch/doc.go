// Package scratch proves a backup by restoring it: into a throw-away PostgreSQL
// of this machine's own programs, which is removed afterwards whatever happens.
//
// # What is done
//
// The newest server that is found, and not older than the one the dump was made
// of, gets a cluster in a temporary folder (package pgcluster), and package
// restore loads the database, without the filestore, as a move: no row is
// changed. Then the rows of every table are counted and held against those in
// the dump, as large objects are, and what Odoo depends on is asked for: see
// [Report.Checks].
//
// # What the dump may do
//
// A dump is SQL that somebody else wrote. All of it, and all that is asked
// afterwards, is run as a role that is no superuser and owns nothing but that
// database: it reaches no file, no program and no other server. What only a
// superuser may make is left out and named in the report of the restore. Where
// that is not enough (an extension that is not trusted), [Options.Trusted] lets
// the dump be restored by the cluster's superuser, which is for dumps whose
// origin is known: it may then run programs as the system's user that the server
// runs as.
//
// # What stays after a kill
//
// The server ends with this process. The folder is named odx-tmp-pg-…, is locked
// while it is used, and is what odx clean finds; the next run names it.
package scratch
