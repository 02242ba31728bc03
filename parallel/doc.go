// Package parallel and its sub-packages do the work that needs a server or a
// child process, on several workers at once.
//
// A job is what --jobs counts: one connection of pg_dump or pg_restore, or one
// file being copied. A dump with --jobs N looks like this:
//
//	odx ─┬─ guard session      ROW EXCLUSIVE on ir_attachment, to the last file
//	     ├─ snapshot session   ACCESS SHARE on every table, exports the snapshot
//	     ├─ progress session   asks how far the COPYs are (PostgreSQL 14 and newer)
//	     ├─ pg_dump -j N       1 + N connections, all in that snapshot
//	     ├─ N filestore workers
//	     └─ 1 digest worker    SHA-256 of each data file as it is finished
//
// which is N + 4 connections. A restore has pg_restore's N connections, one of
// odx, and N filestore workers; while rows of a zip are loaded, pg_restore's are
// odx's own.
//
// Memory is a fixed part plus one buffer a worker, for rows of a zip three of
// 4 MiB; nothing is held per row, per file or per attachment. Cancelling the context ends everything: children
// get SIGTERM and, if they do not listen, SIGKILL; sessions are closed; what
// was half made is removed.
//
// The package itself holds only the counters that all of them share.
package parallel
