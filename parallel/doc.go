// Package parallel and its sub-packages do the work that needs a server or a
// child process, on several workers at once.
//
// A job is what --jobs counts: one connection that copies or loads rows, or one
// file being copied. A dump with --jobs N looks like this:
//
//	odx ─┬─ guard session      ROW EXCLUSIVE on ir_attachment, to the last file
//	     ├─ snapshot session   ACCESS SHARE on every table, exports the snapshot
//	     ├─ pg_dump            what is in the dump, in that snapshot
//	     ├─ N pgcopy workers   the rows, over a connection each, in that snapshot
//	     ├─ N filestore workers
//	     └─ 1 digest worker    SHA-256 of each data file as it is finished
//
// With --engine pg_dump, pg_dump -j N copies the rows, and a session asks how far its
// COPYs are. A restore has pg_restore's N connections, up to four of odx, and N
// filestore workers; while rows of a zip are loaded, pg_restore's are odx's own.
//
// What stands on what:
//
//	dump     pgcopy, filestore, odoo, doctor, pgtool, server
//	restore  pgload, filestore, odoo, doctor, pgtool, server
//	scratch  restore, pgcluster: a restore into a throw-away server
//	doctor   server: what would stop a command or make it slow
//	pgtool   runs PostgreSQL's programs; server speaks with a server
//
// Memory is a fixed part plus one buffer a worker, for rows of a zip three of
// 4 MiB; nothing is held per row, per file or per attachment. Cancelling the context ends everything: children
// get SIGTERM and, if they do not listen, SIGKILL; sessions are closed; what
// was half made is removed.
//
// The package itself holds what all of them share: the counters of the progress, and
// what is done at intervals.
package parallel
