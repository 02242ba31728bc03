// Package convert makes a dump of one layout out of one of another. It connects
// to no server and starts no process. Output appears whole or not at all.
//
// # What is kept
//
//	from \ to            script                      directory-format archive
//	script               -                           rebuilt
//	directory format     printed                     recoded
//	custom format        printed                     recoded
//	fast layout          printed, its archive only   recoded, its archive only
//	click-odoo folder    printed, its archive only   recoded, its archive only
//
// printed: The script is byte for byte what pg_restore -f - of the release
// whose pg_dump made the archive prints, with the options given. What only an
// archive has is lost: dump IDs, OIDs, dependencies, drop statements, the time
// of the dump; with NoOwner the owners, with NoPrivileges the privileges.
//
// rebuilt: Every COPY row, statement and large object is kept byte for byte;
// printing the archive gives the script again, apart from the restrict key.
// The archive has the dependencies that a parallel restore needs; OIDs are 0,
// and dump IDs are new.
//
// recoded: All entries stay as they are, with dump IDs, OIDs and dependencies,
// and the data are the same bytes, compressed anew. Of the table of contents
// the header's compression, the names of data files and the offsets change.
//
// The other files of a fast layout or click-odoo folder (manifest, filestore,
// odx.json) have no place in these targets. A report names what was left out.
//
// # Work and memory
//
//	printed   one reader decodes, one file is written
//	rebuilt   one reader scans the script, Jobs goroutines compress
//	recoded   Jobs workers, each with a data file: one goroutine decodes, one
//	          or two compress
//
// Memory is some 8 MiB for each job, and for a script all its SQL; nothing is
// held for each row. The end of a context interrupts all of it between blocks
// of at most 1 MiB, except the final sync of the target.
package convert
