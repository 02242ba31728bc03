// Package pgarchive reads the archives of pg_dump, directory format and custom
// format, without any PostgreSQL program, and writes their table of contents.
//
// The formats have no specification but pg_dump itself. What follows was read
// in src/bin/pg_dump of PostgreSQL 13.23, 15.18 and 18.6
// (pg_backup_archiver.c: WriteHead, ReadHead, WriteToc, ReadToc, WriteOffset;
// pg_backup_directory.c, pg_backup_custom.c, compress_io.c) and tried with
// pg_restore 13 to 18.
//
// # Numbers and strings
//
//	byte     one byte
//	int      a sign byte (1 is negative), then the magnitude in intSize bytes,
//	         the lowest first; pg_dump writes intSize 4
//	string   an int with the length in bytes, then the bytes; NULL is length -1
//	number   a string of decimal digits
//	offset   a byte (1 not set, 2 set, 3 no data), then offSize bytes, the
//	         lowest first
//
// # Header
//
//	bytes    "PGDMP"
//	byte ×3  archive version and revision
//	byte     intSize
//	byte     offSize
//	byte     format: 1 custom, 3 tar, which the directory format also writes
//	int      compression level, before 1.15: -1 default, 0 none
//	byte     compression algorithm, since 1.15: none, gzip, lz4, zstd
//	int ×7   local time: second, minute, hour, day, month from 0, year from
//	         1900, daylight saving time
//	string   name of the database
//	string   version of the server
//	string   version of pg_dump
//	int      number of entries
//
// # Entry
//
//	int      dump ID, above 0, unique
//	int      1 if it has data, otherwise 0
//	number   OID of the catalog that the object is in, 0 if none
//	number   OID of the object, 0 if none
//	string   tag, never NULL
//	string   kind, never NULL
//	int      section, since 1.11
//	string   definition
//	string   drop statement
//	string   copy statement
//	string   schema
//	string   tablespace
//	string   table access method, since 1.14
//	int      relkind, since 1.16
//	string   owner
//	string   "true" for a table with OIDs, otherwise "false"
//	number…  dump IDs of dependencies, then a NULL
//	string   name of the data file, "" if none (directory format)
//	offset   place of the data (custom format)
//
// In a directory-format archive toc.dat ends with the last entry.
//
// # Versions
//
//	1.10  PostgreSQL 8.0 to 8.3       tablespace
//	1.11  8.4                         section
//	1.12  9.0 on                      an entry for each large object
//	1.13  minor releases of 2018, 11  SEARCHPATH entry
//	1.14  12 to 15                    table access method
//	1.15  16                          compression algorithm
//	1.16  17, 18                      relkind, large objects in groups
//
// All of them are read and written; anything else is refused. pg_restore reads
// older versions than its own and refuses newer ones; see [Archive.NeedsMajor].
//
// # Data files of the directory format
//
// An entry's file has the name in the entry, or that with .gz, .lz4 or .zst
// after it; the first of these that exists counts, whatever the header says.
// The content of a TABLE DATA entry is COPY text, then "\.", an end of line and
// two empty lines; with --inserts, statements and two empty lines. A BLOBS
// entry names a list with a line for each large object, its OID and the name
// of its file; before 1.16 the list is blobs.toc whatever the entry says.
//
// # Data blocks of the custom format
//
// Blocks follow the table of contents, in any order, without gaps:
//
//	byte     1 data, 3 large objects
//	int      dump ID of the entry
//	stream   the data; or, for each large object, an int with its OID and a
//	         stream, and an int 0 after the last one
//
// A stream is chunks of an int with their length and that many bytes, up to one
// of length 0. The chunks joined are what the header's compression says: plain
// text, a zlib stream (called gzip there), lz4 frames or zstd frames. If the
// offsets in the entries are not set, because pg_dump wrote into a pipe, the
// blocks are found by a walk through the file.
//
// # Not supported
//
// The tar format itself; archives from before PostgreSQL 8.0; numbers of more
// than 32 bits; encodings of numbers that pg_dump does not write, such as minus
// zero, because they would not be written the same again.
package pgarchive
