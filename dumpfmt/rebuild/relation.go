package rebuild

import (
	"strings"

	"odx/dumpfmt/sqlscript"
)

func parseTable(c *cursor, s *subject) bool {
	if !c.words("CREATE") {
		return false
	}
	s.relkind = 'r'
	if c.words("FOREIGN") {
		s.relkind = 'f'
	}
	c.option("UNLOGGED")
	if !c.words("TABLE") || !s.named(c) {
		return false
	}
	for c.find("INHERITS", "PARTITION") {
		if !c.symbol("(") {
			if s.relkind == 'r' && c.words("BY") {
				s.relkind = 'p'
			}
			continue
		}
		for ok := true; ok; ok = c.symbol(",") {
			if k, is := c.qualified(); is {
				s.parents = append(s.parents, k)
			}
		}
	}
	for c.symbol(";") { // before 14 a partition is attached here
		var part subject
		if parseTableAttach(c, &part) {
			s.parents = append(s.parents, part.to)
		}
		c.find()
	}
	return true
}

func parseTableAttach(c *cursor, s *subject) bool {
	parent, ok := alterTable(c)
	if !ok || !c.words("ATTACH", "PARTITION") || !s.named(c) {
		return false
	}
	s.to = parent
	return true
}

// alterTable reads "ALTER TABLE ONLY s.t" and the like.
func alterTable(c *cursor) (key, bool) {
	if !c.words("ALTER") {
		return key{}, false
	}
	c.option("FOREIGN")
	if !c.words("TABLE") {
		return key{}, false
	}
	c.option("ONLY")
	return c.qualified()
}

func parseView(c *cursor, s *subject) bool {
	s.relkind = 'v'
	return c.words("CREATE", "VIEW") && s.named(c)
}

func parseMatView(c *cursor, s *subject) bool {
	s.relkind = 'm'
	if !c.words("CREATE") {
		return false
	}
	c.option("UNLOGGED")
	return c.words("MATERIALIZED", "VIEW") && s.named(c)
}

// parseSequence reads CREATE SEQUENCE, or what makes an identity column.
func parseSequence(c *cursor, s *subject) bool {
	if c.isWord("ALTER") {
		table, ok := alterTable(c)
		s.on = table
		if !ok || !c.words("ALTER", "COLUMN") {
			return false
		}
		for c.ok && !c.words("SEQUENCE", "NAME") {
			c.next()
		}
		return s.named(c)
	}
	if !c.words("CREATE") {
		return false
	}
	c.option("UNLOGGED")
	return c.words("SEQUENCE") && s.named(c)
}

// parseSetval reads "SELECT pg_catalog.setval('s.q', 1, true)".
func parseSetval(c *cursor, s *subject) bool {
	if !c.words("SELECT", "pg_catalog") || !c.symbol(".") || !c.words("setval") || !c.symbol("(") ||
		!c.ok || c.token.Kind != sqlscript.Constant {
		return false
	}
	name, ok := unquoteConstant(string(c.token.Text), c.conforming)
	if !ok {
		return false
	}
	n := newCursor(name, c.conforming)
	return s.named(n) && n.atEnd()
}

// unquoteConstant gives the text of a constant as pg_dump writes it for names.
func unquoteConstant(text string, conforming bool) (string, bool) {
	escapes := !conforming
	if rest, ok := strings.CutPrefix(text, "E"); ok {
		text, escapes = rest, true
	}
	if len(text) < 2 || text[0] != '\'' {
		return "", false
	}
	text = strings.ReplaceAll(text[1:len(text)-1], "''", "'")
	if escapes {
		text = strings.ReplaceAll(text, `\\`, `\`)
	}
	return text, true
}
