package rebuild

import (
	"strings"

	"odx/dumpfmt/sqlscript"
)

// kinds are the kinds of entries that pg_dump 13 to 18 writes and that have no
// data.
var kinds = map[string]kind{
	"ACCESS METHOD":                {parse: global("CREATE", "ACCESS", "METHOD")},
	"ACL":                          {parse: parseACL},
	"AGGREGATE":                    {parse: routine("AGGREGATE")},
	"BLOB":                         {parse: starts("SELECT", "pg_catalog")},
	"BLOB METADATA":                {parse: starts("SELECT", "pg_catalog")},
	"CAST":                         {parse: starts("CREATE", "CAST")},
	"CHECK CONSTRAINT":             {isPost: true, parse: parseConstraint},
	"COLLATION":                    {parse: local("CREATE", "COLLATION")},
	"COMMENT":                      {parse: starts("COMMENT", "ON")},
	"CONSTRAINT":                   {isPost: true, parse: parseConstraint},
	"CONVERSION":                   {parse: parseConversion},
	"DATABASE":                     {parse: global("CREATE", "DATABASE")},
	"DATABASE PROPERTIES":          {parse: starts("ALTER")},
	"DEFAULT":                      {parse: parseDefault},
	"DEFAULT ACL":                  {isPost: true, parse: starts("ALTER", "DEFAULT", "PRIVILEGES")},
	"DOMAIN":                       {parse: local("CREATE", "DOMAIN")},
	"EVENT TRIGGER":                {isPost: true, parse: global("CREATE", "EVENT", "TRIGGER")},
	"EXTENSION":                    {parse: global("CREATE", "EXTENSION", "IF", "NOT", "EXISTS")},
	"FK CONSTRAINT":                {isPost: true, parse: parseForeignKey},
	"FOREIGN DATA WRAPPER":         {parse: global("CREATE", "FOREIGN", "DATA", "WRAPPER")},
	"FOREIGN TABLE":                {parse: parseTable},
	"FUNCTION":                     {parse: routine("FUNCTION")},
	"INDEX":                        {isPost: true, parse: parseIndex},
	"INDEX ATTACH":                 {isPost: true, parse: parseIndexAttach},
	"MATERIALIZED VIEW":            {parse: parseMatView},
	"MATERIALIZED VIEW DATA":       {isPost: true, parse: local("REFRESH", "MATERIALIZED", "VIEW")},
	"OPERATOR":                     {parse: parseOperator},
	"OPERATOR CLASS":               {parse: local("CREATE", "OPERATOR", "CLASS")},
	"OPERATOR FAMILY":              {parse: local("CREATE", "OPERATOR", "FAMILY")},
	"POLICY":                       {isPost: true, parse: parsePolicy},
	"PROCEDURAL LANGUAGE":          {parse: parseLanguage},
	"PROCEDURE":                    {parse: routine("PROCEDURE")},
	"PUBLICATION":                  {isPost: true, parse: global("CREATE", "PUBLICATION")},
	"PUBLICATION TABLE":            {isPost: true, parse: parsePublicationTable},
	"PUBLICATION TABLES IN SCHEMA": {isPost: true, parse: parsePublicationSchema},
	"ROW SECURITY":                 {isPost: true, parse: parseRowSecurity},
	"RULE":                         {isPost: true, parse: parseRule},
	"SCHEMA":                       {parse: parseSchema},
	"SECURITY LABEL":               {parse: starts("SECURITY", "LABEL")},
	"SEQUENCE":                     {parse: parseSequence},
	"SEQUENCE OWNED BY":            {parse: local("ALTER", "SEQUENCE")},
	"SEQUENCE SET":                 {parse: parseSetval},
	"SERVER":                       {parse: global("CREATE", "SERVER")},
	"SHELL TYPE":                   {parse: local("CREATE", "TYPE")},
	"STATISTICS":                   {isPost: true, parse: parseStatistics},
	"STATISTICS DATA":              {parse: starts("SELECT")},
	"SUBSCRIPTION":                 {isPost: true, parse: global("CREATE", "SUBSCRIPTION")},
	"TABLE":                        {parse: parseTable},
	"TABLE ATTACH":                 {parse: parseTableAttach},
	"TEXT SEARCH CONFIGURATION":    {parse: local("CREATE", "TEXT", "SEARCH", "CONFIGURATION")},
	"TEXT SEARCH DICTIONARY":       {parse: local("CREATE", "TEXT", "SEARCH", "DICTIONARY")},
	"TEXT SEARCH PARSER":           {parse: local("CREATE", "TEXT", "SEARCH", "PARSER")},
	"TEXT SEARCH TEMPLATE":         {parse: local("CREATE", "TEXT", "SEARCH", "TEMPLATE")},
	"TRANSFORM":                    {parse: starts("CREATE", "TRANSFORM")},
	"TRIGGER":                      {isPost: true, parse: parseTrigger},
	"TYPE":                         {parse: local("CREATE", "TYPE")},
	"USER MAPPING":                 {parse: starts("CREATE", "USER", "MAPPING")},
	"VIEW":                         {parse: parseView},
}

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
	for c.ok && c.token.Kind == sqlscript.Symbol && string(c.token.Text) != "(" {
		s.name += string(c.token.Text)
		c.next()
	}
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
