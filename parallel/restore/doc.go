// Package restore puts a backup into a new database: pg_restore in parallel,
// the filestore beside it, with what Odoo itself does on a restore.
//
// Nothing is visible before it is complete. The database is created under a
// temporary name, as a template (a running Odoo lists no templates, and its
// cron workers open none) that PUBLIC may not connect to; the filestore is
// copied beside its final place. Only when everything is loaded, reset,
// neutralized, analyzed and checked do both get their names, in one
// transaction. Whatever fails before that removes both.
//
// With Options.Force the names may be in use: the old database is renamed in the
// same transaction, and the old filestore moved aside just before its commit,
// see replaced.
//
// With Options.FilestoreFrom the backup has new files only, as an upgraded database
// comes: they are put in place first, and then the older ones that they lack. What
// is read, backup and older files, is kept from odx prune until the end.
//
// One run at a time works on a name: see claim. What a run is about is in the
// comment of the database under construction (Record), and what of an archive's
// entries is finished in a schema of it (journal). So another run can go on after
// the first was killed, or has failed and was to keep its work (Options.Keep):
// entries in doubt are dropped and made again, a table has all of its rows or is
// loaded anew. The schema is gone before anything of the dump could notice it.
//
// The folders that are exchanged with the databases are in the Record too
// (Placing). After a kill in between they are put back, unless the transaction
// took place.
//
// A zip or a script is loaded as it is read, see loadScript: pg_restore runs
// what stands before the data and what comes after them, of a table of contents
// that is made of the script, and package pgload loads the data in between.
//
// Two roles take part. The connecting role creates the database and what only
// a superuser may create: extensions and the volatility of unaccent, which odx
// does itself, and C functions, foreign data wrappers, event triggers and the
// like, for which pg_restore runs as that role, before and after the rest.
// Everything else is done as the owner, by SET ROLE, so that Odoo's role owns
// it; what any role may own is handed over to it. Where no superuser takes part,
// such entries are left out and named, extensions only if nothing in the dump
// depends on them.
//
// A dump can hold any SQL, and SET ROLE is no fence against SQL: restoring as
// a superuser trusts the dump as PostgreSQL's own tools do.
package restore
