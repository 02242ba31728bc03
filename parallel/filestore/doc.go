// Package filestore copies Odoo's filestore with several workers and compares
// the copy with what the database says is in it.
//
// Copy walks a whole tree: the folders of two (formerly three) hexadecimal
// digits with files named by the SHA-1 of their content, checklist/, and
// whatever else lies there. Names, contents and times are kept; owners and
// modes are given. One goroutine reads folders, in batches, and the workers
// copy files:
//
//	walker ──16 names──► worker: open, create, copy_file_range, set the time
//	       ──16 names──► worker
//
// A folder stays open until its last file is copied and then gets its own
// time, owner and mode. All calls are relative to open folders and follow no
// link, so nothing in the tree can lead out of it, even while it changes.
// On Linux copy_file_range(2) shares the blocks where the file system can
// (XFS, Btrfs, bcachefs), lets the server copy on NFS, and is as fast as or
// faster than read and write elsewhere; where it does not work a buffer is
// used. Hard links become files of their own, holes in files are filled,
// extended attributes are not copied.
//
// Link, called before Copy, gives files of an earlier copy a second name in the
// target, so that only what is new is copied. A Verification takes the SHA-1 of
// what is copied; the content then passes through a buffer.
//
// HardLink and Merge let Copy lay a tree into a target that has files already:
// the answer of an upgrade, say, and then the filestore from before it.
//
// Check reads the list of attachments, one row at a time, and looks every file
// up in the copy.
//
// Memory does not depend on the number of files: a batch of 4,096 names per
// level of folders, 256 KiB per worker, and capped lists of names in results.
//
// Built with the tag odx_portable, Linux uses the code of other systems, so
// that it can be tested there.
package filestore
