// Package convert makes a dump of one layout out of one of another. It connects
// to no server and starts no process. Output appears whole or not at all.
//
// It also tells whether a dump is whole ([Verify], in verify*.go) and whether two
// are the same ([Compare], in compare*.go). Both read layouts as conversion does,
// with its readers, which is why they are here.
//
// # What is kept
//
//	from \ to            script      archive     Odoo zip    fast layout
//	script               -           rebuilt     -           -
//	directory format     printed     recoded     joined      -
//	custom format        printed     recoded     joined      -
//	fast layout          printed*    recoded*    joined      -
//	click-odoo folder    printed*    recoded*    joined      -
//	Odoo zip             -           -           -           cut or rebuilt
//
// * The archive only: the other files of a fast layout or click-odoo folder
// (manifest, filestore, odx.json) have no place in these targets. A report
// names what was left out.
//
// printed: The script is byte for byte what pg_restore -f - of the release
// whose pg_dump made the archive prints, with the options given. What only an
// archive has is lost: dump IDs, OIDs, dependencies, drop statements, the time
// of the dump; with NoOwner the owners, with NoPrivileges the privileges. With
// QuoteAll the names that are not in definitions have quotes, too, which
// pg_restore never prints but pg_dump --quote-all-identifiers does.
//
// rebuilt: Every COPY row, statement and large object is kept byte for byte;
// printing the archive gives the script again, apart from the restrict key and
// what the report's notes name.
// The archive has the dependencies that a parallel restore needs; OIDs are 0,
// and dump IDs are new.
//
// recoded: All entries stay as they are, with dump IDs, OIDs and dependencies,
// and the data are the same bytes, compressed anew. Of the table of contents
// the header's compression, the names of data files and the offsets change.
//
// joined: dump.sql is what printing without owners gives, or what the archive
// was rebuilt from if that was kept and the archive is unchanged. gzip data
// files stand in it as they are, compressed; anything else is deflated. The
// filestore's files keep content and times. odx's own members (below odx/, last)
// have what dump.sql cannot say: the table of contents, large objects, odx.json,
// what was kept, and where the data files are in dump.sql's data.
//
// cut: The archive comes back from these places as it was, gzip files to the
// byte, others with the same text. odx's members are used only where dump.sql
// has the size, length and CRC-32 that they name.
//
// rebuilt from a zip: As above, and besides what the archive does not say is
// kept: the script's SQL in kept/script.sql.gz, members that belong to neither
// dump nor filestore in extra/, names and order of the members in
// kept/members.gz. With them all members come back byte for byte. Where data
// files are gzip and no level is asked for, they take over the deflated blocks of
// dump.sql: only the first 32 KiB or so and the end of a table's rows are
// compressed.
//
// A dump that goes from the server into a zip is one of these, too: its archive
// has no data files, and what would be in them comes as it is read ([LiveScript]).
//
// # Work and memory
//
//	printed   one reader decodes, one file is written
//	rebuilt   one reader scans the script, Jobs goroutines compress; of a zip,
//	          one more inflates ahead of the reader, Jobs extract the filestore
//	joined    Jobs workers look at data files ahead of the one that joins them;
//	          Jobs deflate SQL, and Jobs the filestore ahead of being written
//	cut       Jobs workers, each with a data file; Jobs extract the filestore
//	recoded   Jobs workers, each with a data file: one goroutine decodes, one
//	          or two compress
//	verified  Jobs workers with a data file each, Jobs that hash files of the
//	          filestore, Jobs that look up attachments; of a script one reads
//
// Memory is some 8 MiB for each job, and for a script all its SQL; nothing is
// held for each row. The end of a context interrupts all of it between blocks
// of at most 1 MiB, except the final sync of the target.
package convert
