// Package dumpfmt holds what every layout of an Odoo dump has in common: the
// names of the layouts and how they are told apart, the manifest that Odoo
// writes, odx's own record, store_fname rules, errors and limits. Each file
// format has a sub-package of its own.
//
// The packages below dumpfmt use the standard library and compression
// packages only. They open no connection, start no process and print nothing.
package dumpfmt
