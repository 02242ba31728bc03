// Package dump makes a backup in the fast layout: pg_dump in parallel, the
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
//  4. pg_dump in that snapshot, and the filestore copied at the same time:
//     Odoo writes a file before it commits the row that names it;
//  5. the copy checked against the list of attachments of the snapshot.
//
// The snapshot is held until pg_dump has ended, the guard until the last file
// is checked. Both sessions are watched; the guard is given up in time when
// somebody queues behind it, because writers queue behind that somebody.
package dump
