// Package dumpfmt holds what every layout of an Odoo dump has in common: the
// names of the layouts and how they are told apart, the manifest that Odoo
// writes, odx's own record, store_fname rules, errors and limits. Each file
// format has a sub-package of its own.
//
// It also holds how backups come to be and go: under a temporary name and a lock
// until they are on the disk (PendingDir, PendingFile, Scratch), kept from removal
// while they are read (Use), removed whole (Discard), and what killed runs have left
// of them (Leftovers).
//
// The packages below dumpfmt use the standard library and compression
// packages only. They open no connection, start no process and print nothing.
package dumpfmt
