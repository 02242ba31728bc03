// Package dump makes a backup in the fast layout: the database in parallel, the
// filestore beside it, one point in time for both.
//
// The order of locks is what makes it one point in time:
//
//  1. the guard: ROW EXCLUSIVE on ir_attachment, which keeps Odoo's garbage
//     collection of files away (it wants SHARE), so no file that the snapshot
//     names disappears;
//  2. ACCESS SHARE on all tables as the first statements of a REPEATABLE READ
//     transaction, so that nobody truncates or rewrites a table any more
//     (neither is visible to an older snapshot); another session lists the
//     tables until there is none that is not locked;
//  3. the snapshot, exported, and the list again in it: were there another
//     table, it would be in the snapshot without a lock, so start over;
//  4. the database dumped in that snapshot, and the filestore copied at the same
//     time: Odoo writes a file before it commits the row that names it;
//  5. the copy checked against the list of attachments of the snapshot.
//
// The snapshot is held until the database is dumped, the guard until the last file
// is checked. Both sessions are watched; the guard is given up in time when
// somebody queues behind it, because writers queue behind that somebody.
//
// Options.ForUpgrade makes the database's part alone, for upgrade.odoo.com.
//
// # Engines
//
// With EnginePgDump a parallel pg_dump does all of step 4 for the database. With
// EngineDirect it makes the table of contents only: it is run for a custom-format
// archive, which begins with that, into a pipe, and ended (SIGTERM) when it
// comes to the data; the server's log has a line of it, "canceling statement due
// to user request". So the entries are pg_dump's own: their order, numbers,
// dependencies and copy statements, whatever was excluded. Their rows, and the
// large objects, are copied by package pgcopy in the same snapshot, under locks
// that every session takes for itself.
//
// What is packed, such as a zip, gets the rows of the direct engine as they are
// read, in the order of the table of contents; of pg_dump's, and where the
// compression is not gzip, it gets the archive when that is complete.
//
// A data file of the direct engine has the text of pg_dump's, but is compressed
// in pieces: as deflate.Writer writes gzip, so that it can be joined into a zip
// without being decoded; as one zstd frame after the other.
package dump
