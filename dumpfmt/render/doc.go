// Package render prints an archive as the SQL script that pg_restore would make
// of it, byte for byte, without any PostgreSQL program.
//
// The text is that of
//
//	pg_restore -f - [--no-owner] [--no-privileges] ARCHIVE
//
// in the release whose pg_dump made the archive, which is also the text that
// this pg_dump would have written as a plain script. Read in
// src/bin/pg_dump/pg_backup_archiver.c (RestoreArchive, restore_toc_entry,
// _tocEntryRequired, _tocEntryRestorePass, _doSetFixedOutputState,
// _printTocEntry, _getObjectDescription, IssueACLPerBlob) and fe_utils'
// fmtId of PostgreSQL 13.23, 14.10, 15.18, 16, 18.4 and 18.6.
//
// # The script
//
//	title
//	\restrict KEY                    in releases that have it
//	versions of the server and of pg_dump
//	SET block, with the encoding and string syntax of the archive
//	entries: all but those below
//	entries: ACL, ACL LANGUAGE, DEFAULT ACL
//	entries: EVENT TRIGGER, MATERIALIZED VIEW DATA, comments and labels of
//	         event triggers, STATISTICS DATA of the last section
//	title of the end
//	\unrestrict KEY
//
// An entry is, each part where it applies:
//
//	SET default_tablespace, SET default_table_access_method, if they changed
//	a comment with name, kind, schema and owner
//	its definition
//	ALTER ... OWNER TO
//	ALTER TABLE ... SET ACCESS METHOD of a partitioned table
//	its COPY statement and its data
//
// # Differences between releases
//
//	13          --no-owner prints CREATE SCHEMA public for a schema public that
//	            is a mere comment in the archive; 14 too
//	to 15       ALTER TABLE for the owner of views and sequences; kinds of
//	            entries that are not known to have an owner have none
//	16          more reserved words; ALTER VIEW, ALTER SEQUENCE; entries of
//	            unknown kind with an owner are refused
//	17          more reserved words; transaction_timeout; large objects in
//	            groups; access method of partitioned tables
//	18          "Statistics for" in the comments of STATISTICS DATA
//	13.19, 14.16, 15.11, 16.7, 17.3, 18.0
//	            bytes of a name that are not valid UTF-8 are replaced
//	13.22, 14.19, 15.14, 16.10, 17.6, 18.0
//	            \restrict
//
// Archives of releases before 13 are printed as 13 prints them, those of
// releases after 18 as 18 does. If the archive does not say which pg_dump made
// it, it was the newest that writes its archive version.
//
// # Not supported
//
// Options of pg_restore other than the two above, --create among them. Names
// in multibyte encodings other than UTF-8 are not checked; pg_dump has them from
// the server, which lets none in that is not valid.
package render
