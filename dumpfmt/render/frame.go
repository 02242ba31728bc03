package render

import (
	"cmp"

	"odx/dumpfmt/pgarchive"
)

// printer makes the text of a script.
type printer struct {
	s        *Script
	reserved map[string]bool
	checked  bool // names are UTF-8, and what is not valid is replaced
	yield    func(Piece, error) bool
	stopped  bool // yield returned false
	buf      []byte

	// What the script has set so far; NULL before the first SET.
	tablespace, tableAM, schema pgarchive.NullString
}

func (p *printer) text(parts ...string) {
	for _, t := range parts {
		p.buf = append(p.buf, t...)
	}
}

// flush hands the text on.
func (p *printer) flush() {
	if len(p.buf) > 0 && !p.stopped {
		p.stopped = !p.yield(Piece{SQL: p.buf}, nil)
	}
	p.buf = p.buf[:0]
}

// script prints all of it.
func (p *printer) script() error {
	p.title()
	p.settings()
	for pass := mainPass; pass <= lastPass; pass++ {
		if err := p.pass(pass); err != nil || p.stopped {
			return err
		}
	}
	p.text("--\n-- PostgreSQL database dump complete\n--\n\n")
	p.restrict(`\unrestrict `)
	p.flush()
	return nil
}

func (p *printer) title() {
	h := &p.s.archive.TOC.Header
	p.text("--\n-- PostgreSQL database dump\n--\n\n")
	p.restrict(`\restrict `)
	if h.ServerVersion.Valid {
		p.text("-- Dumped from database version ", h.ServerVersion.String, "\n")
	}
	if h.DumpVersion.Valid {
		p.text("-- Dumped by pg_dump version ", h.DumpVersion.String, "\n")
	}
	p.text("\n")
}

func (p *printer) restrict(command string) {
	if key := p.s.opts.RestrictKey; key != "" {
		p.text(command, key, "\n\n")
	}
}

// settings prints what holds for the whole script.
func (p *printer) settings() {
	s := &p.s.special
	p.text("SET statement_timeout = 0;\n",
		"SET lock_timeout = 0;\n",
		"SET idle_in_transaction_session_timeout = 0;\n")
	if p.s.release.hasTransactionTimeout() {
		p.text("SET transaction_timeout = 0;\n")
	}
	p.text("SET client_encoding = '", cmp.Or(s.encoding, "SQL_ASCII"), "';\n")
	if s.stdStrings {
		p.text("SET standard_conforming_strings = on;\n")
	} else {
		p.text("SET standard_conforming_strings = off;\n")
	}
	p.text(s.searchPath.String,
		"SET check_function_bodies = false;\n",
		"SET xmloption = content;\n",
		"SET client_min_messages = warning;\n")
	if !s.stdStrings {
		p.text("SET escape_string_warning = off;\n")
	}
	p.text("SET row_security = off;\n\n")
}
