// Package odoozip reads and writes the zip that Odoo's database manager makes
// and restores.
//
// # Members
//
// As odoo/tools/osutil.py (zip_dir) and odoo/service/db.py (dump_db,
// restore_db) of Odoo 14 to 19 write and read them:
//
//	dump.sql        plain script of pg_dump --no-owner
//	manifest.json   versions and installed modules; never read back
//	filestore/...   the attachments, as they lie in the filestore
//	odx/...         odx's own members, last; Odoo does not look at them
//
// dump_db puts dump.sql first and goes on in the order in which the file system
// lists files; [Compare] has a fixed order that agrees with that. There are no
// directory members, extra fields or comments. restore_db takes the member
// dump.sql and those whose names start with filestore/, and passes over any
// other. It reads with Python's zipfile, which decides here wherever programs
// differ: which end record counts, and which of two members with one name.
//
// # The file
//
// The format is PKWARE's APPNOTE.TXT 6.3.10. Numbers are little endian. Each
// member is a local header and the data; the central directory and the end
// record follow.
//
//	local header            central directory       end record
//	 0  4  PK\x03\x04        0  4  PK\x01\x02        0  4  PK\x05\x06
//	 4  2  version needed    4  2  version made by   4  2  this disk
//	 6  2  flags             6  2  version needed    6  2  disk of directory
//	 8  2  method            8  2  flags             8  2  members, this disk
//	10  4  time, date       10  2  method           10  2  members
//	14  4  CRC-32           12  4  time, date       12  4  directory, bytes
//	18  4  bytes, packed    16  4  CRC-32           16  4  directory, offset
//	22  4  bytes of text    20  4  bytes, packed    20  2  length of comment
//	26  2  length of name   24  4  bytes of text    22     comment
//	28  2  length of extra  28  2  length of name
//	30     name, extra      30  2  length of extra
//	                        32  2  length of comment
//	                        34  2  disk
//	                        36  2  internal attributes
//	                        38  4  external attributes
//	                        42  4  offset of local header
//	                        46     name, extra, comment
//
// A number that does not fit is all ones and stands, with 64 bits, in the extra
// field 1 (text, packed, offset: those that do not fit, in this order) or in a
// zip64 end record, which a locator just before the end record leads to.
//
// Reader reads the directory itself rather than with archive/zip, which keeps
// several times the memory for each member, does not look at disk numbers, at
// overlapping members or at what the local headers say, checks no CRC-32 that
// is zero, and has the same error for everything. Writer writes the headers
// itself because archive/zip announces no zip64 sizes in local headers.
//
// # What Reader accepts
//
// Stored and deflated members; zip64; data descriptors, which it does not need;
// directories, with their trailing slash; bytes before the first member and
// after the end record; extra fields and comments, which it ignores but for
// zip64 sizes and the time of Info-ZIP. Everything in one folder, as in a zip
// made by hand, is the same as without it: see [Reader.Top]. Of several members
// with one name the last in the directory counts, the others are [KindOther].
//
// It refuses as unsupported: encrypted members and directories, archives of
// several disks, other methods. It refuses as damaged, or as made to deceive:
// unsafe names (see [CheckName]), links and devices, a file that is also a
// folder, members that overlap, more text than deflate can hold, local headers
// that differ from the directory.
//
// # What Writer writes
//
// Version 2.0, made on Unix, regular files. A member that fits into one piece
// has its sizes in the local header, as Odoo's own have; a larger one, which is
// written before its size is known, has flag 3, a zip64 field in the local
// header if it may grow beyond 4 GiB, and a data descriptor. Names other than
// ASCII are marked as UTF-8. Times are clamped to 1980 to 2107.
package odoozip
