package rebuild

import (
	"strings"

	"odx/dumpfmt/sqlscript"
)

// global makes a parser of what has a name and no schema.
func global(words ...string) func(*cursor, *subject) bool {
	return func(c *cursor, s *subject) (ok bool) {
		if c.words(words...) {
			s.name, ok = c.name()
		}
		return ok
	}
}

// local makes a parser of what has a name and a schema.
func local(words ...string) func(*cursor, *subject) bool {
	return func(c *cursor, s *subject) bool { return c.words(words...) && s.named(c) }
}

// named takes the name of the subject.
func (s *subject) named(c *cursor) bool {
	k, ok := c.qualified()
	s.be(k)
	return ok
}

// be gives the subject this name.
func (s *subject) be(k key) { s.schema, s.name, s.hasSchema = k.schema, k.name, true }

// belong makes the subject a part of a relation, in whose schema it is. Its
// tag is the relation's name and its own.
func (s *subject) belong(to key, own string) {
	s.on, s.own = to, own
	s.be(key{to.schema, to.name + " " + own})
}

func routine(word string) func(*cursor, *subject) bool {
	return func(c *cursor, s *subject) bool {
		s.hasArgs = true
		return c.words("CREATE", word) && s.named(c)
	}
}

func parseACL(c *cursor, s *subject) bool {
	s.anySchema, s.anyTag = true, true
	return c.option("GRANT", "REVOKE") || c.words("SET", "SESSION", "AUTHORIZATION")
}

func parseConversion(c *cursor, s *subject) bool {
	if !c.words("CREATE") {
		return false
	}
	c.option("DEFAULT")
	return c.words("CONVERSION") && s.named(c)
}

func parseLanguage(c *cursor, s *subject) (ok bool) {
	if !c.words("CREATE") {
		return false
	}
	if c.words("OR") && !c.words("REPLACE") {
		return false
	}
	c.option("TRUSTED")
	c.option("PROCEDURAL")
	if c.words("LANGUAGE") {
		s.name, ok = c.name()
	}
	return ok
}

// parseOperator reads "CREATE OPERATOR s.<> (".
func parseOperator(c *cursor, s *subject) (ok bool) {
	if !c.words("CREATE", "OPERATOR") {
		return false
	}
	if s.schema, ok = c.name(); !ok || !c.symbol(".") {
		return false
	}
	s.hasSchema = true
	var name strings.Builder
	for c.ok && c.token.Kind == sqlscript.Symbol && string(c.token.Text) != "(" {
		name.Write(c.token.Text)
		c.next()
	}
	s.name = name.String()
	return s.name != "" && c.symbol("(")
}

// parseSchema reads "CREATE SCHEMA s", or the comment that stands for it.
func parseSchema(c *cursor, s *subject) (ok bool) {
	switch {
	case c.words("CREATE", "SCHEMA"):
		s.name, ok = c.name()
		return ok
	case c.atEnd() || c.isWord("ALTER"):
		s.anyTag = true
		return true
	}
	return false
}

func parseDefault(c *cursor, s *subject) bool {
	table, ok := alterTable(c)
	if !ok || !c.words("ALTER", "COLUMN") {
		return false
	}
	column, ok := c.name()
	s.belong(table, column)
	return ok
}

// parseConstraint reads "ALTER TABLE s.t ADD CONSTRAINT c PRIMARY KEY" and the
// like. The table may be a domain.
func parseConstraint(c *cursor, s *subject) bool {
	table, ok := alterTable(c)
	if !ok && c.words("DOMAIN") {
		table, ok = c.qualified()
		s.isDomain = true
	}
	if !ok || !c.words("ADD", "CONSTRAINT") {
		return false
	}
	name, ok := c.name()
	s.belong(table, name)
	s.hasIndex = c.isWord("PRIMARY") || c.isWord("UNIQUE") || c.isWord("EXCLUDE")
	s.isUnique = s.hasIndex
	return ok
}

func parseForeignKey(c *cursor, s *subject) (ok bool) {
	if !parseConstraint(c, s) || !c.words("FOREIGN", "KEY") || !c.find("REFERENCES") {
		return false
	}
	s.to, ok = c.qualified()
	return ok
}

func parseIndex(c *cursor, s *subject) bool {
	if !c.words("CREATE") {
		return false
	}
	s.isUnique = c.words("UNIQUE")
	if !c.words("INDEX") {
		return false
	}
	name, ok := c.name()
	if !ok || !c.words("ON") {
		return false
	}
	c.option("ONLY")
	s.on, ok = c.qualified()
	s.be(key{s.on.schema, name})
	s.own = name
	return ok
}

func parseIndexAttach(c *cursor, s *subject) (ok bool) {
	if !c.words("ALTER", "INDEX") {
		return false
	}
	s.to, ok = c.qualified()
	return ok && c.words("ATTACH", "PARTITION") && s.named(c)
}

// parsePart reads the name of a part of a relation, which stands after one of
// these words.
func parsePart(c *cursor, s *subject, before ...string) bool {
	name, ok := c.name()
	if !ok || !c.find(before...) {
		return false
	}
	table, ok := c.qualified()
	s.belong(table, name)
	return ok
}

func parsePolicy(c *cursor, s *subject) bool {
	return c.words("CREATE", "POLICY") && parsePart(c, s, "ON")
}

// parseSwitch reads "ALTER TABLE s.t DISABLE TRIGGER g" and the like, which is
// all that there is of a trigger or rule that came with a parent's.
func parseSwitch(c *cursor, s *subject, what string) bool {
	table, ok := alterTable(c)
	s.isSwitch = true
	if !ok || !c.option("DISABLE", "ENABLE") {
		return false
	}
	c.option("ALWAYS", "REPLICA")
	if !c.words(what) {
		return false
	}
	name, ok := c.name()
	s.belong(table, name)
	return ok
}

func parseTrigger(c *cursor, s *subject) bool {
	if c.isWord("ALTER") {
		return parseSwitch(c, s, "TRIGGER")
	}
	if !c.words("CREATE") {
		return false
	}
	c.option("CONSTRAINT")
	return c.words("TRIGGER") && parsePart(c, s, "ON")
}

// parseRule reads a rule. That of a view is printed as the view.
func parseRule(c *cursor, s *subject) bool {
	if c.isWord("ALTER") {
		return parseSwitch(c, s, "RULE")
	}
	if !c.words("CREATE") {
		return false
	}
	if c.words("OR") {
		if !c.words("REPLACE", "VIEW") {
			return false
		}
		view, ok := c.qualified()
		s.belong(view, "_RETURN")
		s.isReturn = true
		return ok
	}
	return c.words("RULE") && parsePart(c, s, "TO")
}

func parseRowSecurity(c *cursor, s *subject) bool {
	table, ok := alterTable(c)
	s.on = table
	s.be(table)
	return ok && c.words("ENABLE", "ROW", "LEVEL", "SECURITY")
}

func parseStatistics(c *cursor, s *subject) (ok bool) {
	if !c.words("CREATE", "STATISTICS") || !s.named(c) || !c.find("FROM") {
		return false
	}
	s.on, ok = c.qualified()
	return ok
}

func parsePublicationTable(c *cursor, s *subject) bool {
	if !c.words("ALTER", "PUBLICATION") {
		return false
	}
	publication, ok := c.name()
	if !ok || !c.words("ADD", "TABLE") {
		return false
	}
	c.option("ONLY")
	s.on, ok = c.qualified()
	s.own = publication
	s.be(key{s.on.schema, publication + " " + s.on.name})
	return ok
}

func parsePublicationSchema(c *cursor, s *subject) bool {
	if !c.words("ALTER", "PUBLICATION") {
		return false
	}
	publication, ok := c.name()
	if !ok || !c.words("ADD", "TABLES", "IN", "SCHEMA") {
		return false
	}
	schema, ok := c.name()
	s.own, s.to = publication, key{name: schema}
	s.be(key{schema, publication + " " + schema})
	return ok
}
