// Package doctor finds out, in well under a second, what would stop a dump or a
// restore, or make it slow: one small file for each kind of check. A check reads
// and changes nothing; it gives findings, and an error only where it could not
// look at all.
//
// What only one of the two commands can know (the backup, programs, owner, target)
// is checked by packages dump and restore before they begin; their Check runs
// that and all of this.
package doctor
