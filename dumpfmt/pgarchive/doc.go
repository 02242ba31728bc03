// Package pgarchive reads the archives of pg_dump, directory format and custom
// format, and writes their table of contents.
package pgarchive
