// Package bench makes Odoo-like databases and filestores of any size from a
// seed, and compares what a dump and restore made of them. It is the one
// generator of such data: the demo, the tests and the benchmarks use it.
//
// # How a database is made
//
// The files in schema/ describe tables of Odoo 19 in a short notation (see
// parse.go): columns, keys, indexes and, per column, where its values come
// from. Tables that are only referred to, and as many further ones as asked
// for, are added in the same shape (models.go). The plan (plan.go) gives each
// table a number of rows, so that the COPY text of all tables together comes
// near the size asked for with the skew of a real database.
//
// Rows are made in chunks. The random numbers of a chunk depend on the seed,
// the table and the number of the chunk alone, and every table is loaded by
// one COPY in the order of its chunks. So the same seed and options give the
// same rows in the same order, and the same files, whatever the number of jobs.
// Keys and indexes come after the rows, foreign keys last (load.go, build.go).
//
// Memory is bounded by the chunks under way: each of the jobs holds at most
// two more chunks than there are jobs, of about half a megabyte each.
package bench
