// Package retention decides which backups in a folder are kept, and removes the
// others.
//
// # What is a backup
//
// Scan looks at what lies directly in a folder, at nothing below and at nothing
// that a link leads to. A backup is a folder in the fast layout, or a zip, with
// odx's own record (odx.json) of a dump: the record says which database it is of
// and when it was made, so that copying a backup, or touching it, changes
// nothing. It counts as complete if the record has a time of beginning and end,
// and if every file of dump/ that it names is there with the size that it says,
// and the filestore too if it had files; of a zip, if its directory is whole and
// has dump.sql. That the contents are right is not looked at.
//
// What only looks like a backup, or is not complete, is named with the reason,
// counts for nothing and is left alone. What does not even look like one is not
// mentioned. Names of unfinished work (dumpfmt.TempPrefix) are for odx clean.
//
// # What is kept
//
// Backups are judged apart by kind. A kind is a database, by name and, in Odoo's
// case, database.uuid, so that two of one name do not push out each other's; and what
// was left out of it, the filestore or the rows of some tables, so that a quick dump
// without them never takes the place of a whole backup. Copies of one dump (a folder
// and the zip made of it) stay or go together. Of each kind are kept
//
//   - the last N, and the last of each of so many days, weeks (ISO 8601) and
//     months that have one, in local time;
//   - more of the newest, until there are as many as the least number;
//   - in any case the newest, and the newest without losses in its filestore.
//
// Periods without a backup do not count: after a month in which backups failed,
// seven days of them are still there.
//
// Removing is dumpfmt.Discard's: first renamed, then removed. Of hard-linked
// files, those of the neighbours stay as they are.
package retention
