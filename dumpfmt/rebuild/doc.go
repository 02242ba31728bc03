// Package rebuild makes an archive of a plain script: the table of contents
// that pg_dump would have written, as far as the script says it, and the data
// for the archive's files. No PostgreSQL program takes part.
//
// The facts come from src/bin/pg_dump of PostgreSQL 13.23, 15.18 and 18.6
// (pg_dump.c; pg_backup_archiver.c: RestoreArchive, _printTocEntry,
// restore_toc_entries_parallel) and were tried with pg_dump and pg_restore 13,
// 15, 17 and 18.
//
// # What becomes of a script
//
//	settings, versions       header, ENCODING, STDSTRINGS, SEARCHPATH
//	header of an item        kind, tag, schema, owner, dump ID with --verbose
//	SQL of an item           definition, as it stands there
//	ALTER … OWNER after it   owner, and a drop statement, without which
//	                         pg_restore prints no owner again
//	ALTER TABLE … SET ACCESS METHOD after a partitioned table's definition
//	                         table access method
//	SET default_tablespace   tablespace of the items from there on that have
//	                         one; SET default_table_access_method likewise
//	COPY … FROM stdin        copy statement; the rows are data
//	INSERT                   data
//	SELECT lo_open …         large objects
//	\restrict, times         Frame
//
// A header has no end of line in its names and quotes nothing. The SQL has the
// names as they are; the header must agree with it.
//
// Definition, owner, tablespace and all the rest are such that pg_restore of the
// release that printed the script prints the same text of the archive. The
// archive's version is that of the pg_dump that made the script.
//
// ACLs stand near the end of a script and, in an archive, behind what they are
// about, where Read puts them, because their place decides to which section
// they belong.
//
// # Dependencies
//
// A script has none, but for a few with --verbose. pg_restore -j makes what
// stands before the data in order, one after another; all else runs as soon as
// what it depends on is done, in three passes: most entries, then ACLs, then
// event triggers and materialized views. So these are given:
//
//	TABLE DATA           its table, first and alone: pg_restore then lets what
//	                     depends on the table wait for the data
//	BLOBS                its BLOB METADATA
//	INDEX, CONSTRAINT    the table
//	CHECK CONSTRAINT     the table or domain
//	INDEX ATTACH         both indexes, both tables
//	FK CONSTRAINT        both tables, the unique indexes and constraints of the
//	                     referenced one, and what is attached to them
//	TRIGGER, RULE, POLICY, ROW SECURITY, STATISTICS  the table
//	TRIGGER, RULE, POLICY  all relations that it names, too
//	TRIGGER that only is switched off  that of the partitioned table too
//	what pg_dump put off behind the data because it needs a primary key
//	                     all relations that it names, and their unique constraints
//	anything after the data  what was put off and is named in it
//	MATERIALIZED VIEW DATA   the view and the refresh before it
//	COMMENT, SECURITY LABEL  what stands before it, or the index that it names
//	ACL                  the object
//	PUBLICATION TABLE    publication and table, or schema
//
// All are on earlier entries. Then come those of pgarchive.SafeForParallel.
//
// # Not supported
//
// Scripts with DROP statements (--clean without --create), with statements that
// switch triggers off for the load (--disable-triggers), with row security
// switched on (--enable-row-security), with SET ROLE or SET
// SESSION AUTHORIZATION for owners, of pg_dump --binary-upgrade and of
// pg_dumpall; data loaded through a partition root without the comment that
// says so, as old minor releases write them, because pg_restore -j would lose
// rows; several scripts in one; anything that was edited so that it is not as
// pg_dump writes it. All of these are errors that name the place.
package rebuild
