// Package sqlscript cuts the plain scripts of pg_dump and pg_restore into
// pieces, as they stream by. The pieces joined are the input, byte for byte.
//
// There is no specification but pg_dump itself, and psql, which reads such
// scripts. What follows was read in PostgreSQL 13.23, 15.18 and 18.6
// (src/bin/pg_dump/pg_backup_archiver.c: RestoreArchive, _printTocEntry;
// src/fe_utils/psqlscan.l; src/backend/parser/scan.l) and tried with scripts of
// pg_dump 13 to 18.
//
// # Pieces
//
// Between statements stand:
//
//	Blank      blanks and ends of lines
//	Comment    "-- …" and the end of its line, or "/* … */"
//	Header     the comment before an item, see below
//	Command    a line for psql, from its backslash to its end
//	Statement  from its first token to its semicolon, and the end of the line
//	           if that follows at once
//	Copy       a Statement that is "COPY … FROM stdin;" and the end of the line
//	Rows       text after a Copy: whole rows, or a part of a very long one
//	RowsEnd    the line "\." after the rows
//
// # Tokens
//
// A semicolon ends a statement unless it is in
//
//	'…'            a quote in it is doubled; backslashes escape if
//	               standard_conforming_strings is off
//	E'…'           backslashes escape always
//	U&'…' B'…' X'…'  backslashes never escape
//	"…"            a quote in it is doubled
//	$tag$…$tag$    if no letter, digit, "_" or "$" stands before it
//	-- …           to the end of the line
//	/* … */        nested
//	( … )          such as the actions of a rule
//	BEGIN ATOMIC … END  the body of a function; each CASE in it has an END too
//
// SET standard_conforming_strings is seen and obeyed.
//
// # Headers
//
// pg_dump writes a header before each item. The line with the name is always
// there. The others come with --verbose, that with dependencies only if there
// are some, the last one only from pg_restore: "Data Pos: 4711" of a
// custom-format file, the name of the data file of a directory.
//
//	--
//	-- TOC entry 215 (class 1259 OID 16385)
//	-- Dependencies: 3 7
//	-- Name: jar; Type: TABLE; Schema: pantry; Owner: cook; Tablespace: cellar
//	-- File: 3348.dat
//	--
//
// and an empty line. "Data for Name:" and "Statistics for Name:" are the other
// ways in which its main line starts. An end of line within a name is printed
// as a blank and nothing is escaped, so that the names cannot always be told
// from the header alone; [Header.Readings] gives the ways to read it. Headers
// are seen between statements only: text that looks like one within a literal,
// a body or a row is not one.
//
// # Not supported
//
// Lines for psql other than \restrict, \unrestrict, \connect and \encoding;
// COPY statements that pg_dump does not write; carriage returns outside
// quotes; zero bytes outside rows; string constants that go on on another line
// after E'…'; client encodings in which a byte below 128 may be a part of a
// longer character (BIG5, GB18030, GBK, JOHAB, SJIS, SHIFT_JIS_2004, UHC).
// All of these are errors that name the place.
package sqlscript
