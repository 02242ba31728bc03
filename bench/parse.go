package bench

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The notation of the files in schema/, line by line; # starts a comment line.
//
//	table NAME SIZE [inherits=TABLE] [first=ID] [nolog]
//	  COLUMN, COLUMN, ...                 may go on over several lines
//	  check|unique|index|uindex NAME DEFINITION
//	rel NAME COLUMN->TABLE COLUMN->TABLE SIZE
//
// SIZE is rows=N, rows=N*TABLE, rows=list:LIST, rows=attachments, or share=N
// (thousandths of the database) with min=N and max=N.
//
// A column is NAME TYPE[!] [=VALUES] [N%] [index|partial|trgm] [default:EXPR];
// ! means NOT NULL, N% the share of NULLs, VALUES a source of values.go. TYPE
// is an SQL type or ->TABLE[:c|:r] for a foreign key that deletes (c),
// restricts (r) or sets NULL. A comma followed by a blank ends a column and a
// blank ends a word, except in brackets; \, is a plain comma.

//go:embed schema
var schemaFiles embed.FS

// schemaNames are the files read, in order.
var schemaNames = []string{"base", "mail", "account", "stock", "sale", "rel"}

var sqlTypes = map[string]string{
	"int": "integer", "char": "character varying", "text": "text", "bool": "boolean", "num": "numeric",
	"float": "double precision", "date": "date", "ts": "timestamp without time zone",
	"jsonb": "jsonb", "bytea": "bytea",
}

// readSchema reads the described tables.
func readSchema() (*schema, error) {
	s := newSchema()
	for _, name := range schemaNames {
		text, err := schemaFiles.ReadFile("schema/" + name + ".txt")
		if err != nil {
			return nil, err
		}
		if err := parseTables(s, string(text)); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return s, nil
}

func parseTables(s *schema, text string) error {
	var t *table
	for number, line := range strings.Split(text, "\n") {
		var err error
		words := splitWords(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
			continue
		case words[0] == "table":
			if t, err = parseTable(words[1:]); err == nil {
				err = s.add(t)
			}
		case words[0] == "rel":
			var rel *table
			if rel, err = parseRel(words[1:]); err == nil {
				err = s.add(rel)
			}
		case t == nil:
			err = fmt.Errorf("nothing to add %q to", words[0])
		default:
			err = parseBody(t, words, line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	return nil
}

func parseTable(words []string) (*table, error) {
	t := &table{name: unquote(words[0]), log: true, firstID: 1}
	for _, w := range words[1:] {
		key, val, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "nolog":
			t.log = false
		case "inherits":
			t.inherits = val
		case "first":
			t.firstID, err = strconv.ParseInt(val, 10, 64)
		default:
			err = t.size.parse(key, val)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (r *rowRule) parse(key, val string) (err error) {
	switch key {
	case "share":
		r.share, err = strconv.ParseFloat(val, 64)
	case "min":
		r.min, err = strconv.ParseInt(val, 10, 64)
	case "max":
		r.max, err = strconv.ParseInt(val, 10, 64)
	case "rows":
		times, of, product := strings.Cut(val, "*")
		list, isList := strings.CutPrefix(val, "list:")
		switch {
		case product:
			r.of = of
			r.times, err = strconv.ParseInt(times, 10, 64)
		case isList:
			r.list = list
		case val == "attachments":
			r.list = val
		default:
			r.fixed, err = strconv.ParseInt(val, 10, 64)
		}
	default:
		return fmt.Errorf("unknown word %q", key)
	}
	return err
}

func parseRel(words []string) (*table, error) {
	if len(words) != 4 {
		return nil, fmt.Errorf("a relation needs a name, two columns and a size")
	}
	t := &table{name: words[0], rel: true}
	for _, w := range words[1:3] {
		name, ref, ok := strings.Cut(w, "->")
		if !ok {
			return nil, fmt.Errorf("no table in %q", w)
		}
		t.columns = append(t.columns, column{name: name, typ: "integer", notNull: true, ref: ref, onDelete: 'c'})
	}
	key, val, _ := strings.Cut(words[3], "=")
	return t, t.size.parse(key, val)
}

// parseBody reads an indented line.
func parseBody(t *table, words []string, line string) error {
	kind := words[0]
	if !slices.Contains([]string{"check", "unique", "index", "uindex"}, kind) || len(words) < 3 {
		return parseColumns(t, line)
	}
	name := unquote(words[1])
	def := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), kind))
	def = strings.TrimSpace(strings.TrimPrefix(def, words[1]))
	switch kind {
	case "check":
		t.checks = append(t.checks, constraint{name, def})
	case "unique":
		t.uniques = append(t.uniques, constraint{name, def})
	default:
		t.indexes = append(t.indexes, index{name: name, def: def, unique: kind == "uindex"})
	}
	return nil
}

func parseColumns(t *table, line string) error {
	for _, item := range splitItems(line) {
		c, err := parseColumn(splitWords(item))
		if err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		t.columns = append(t.columns, c)
	}
	return nil
}

func parseColumn(words []string) (column, error) {
	if len(words) < 2 {
		return column{}, fmt.Errorf("column %q has no type", words)
	}
	c := column{name: unquote(words[0]), nulls: -1}
	typ, notNull := strings.CutSuffix(words[1], "!")
	c.notNull = notNull
	if ref, ok := strings.CutPrefix(typ, "->"); ok {
		c.typ, c.onDelete = "integer", 'n'
		name, action, found := strings.Cut(ref, ":")
		c.ref = name
		if found {
			c.onDelete = action[0]
		}
	} else {
		base, size, sized := strings.Cut(typ, "(")
		c.typ = sqlTypes[base]
		if c.typ == "" {
			return c, fmt.Errorf("column %s: unknown type %q", c.name, typ)
		}
		if sized {
			c.typ += "(" + size
		}
	}
	for _, w := range words[2:] {
		if err := c.parseWord(w); err != nil {
			return c, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return c, nil
}

func (c *column) parseWord(w string) (err error) {
	switch {
	case w == "index":
		c.index = plainIndex
	case w == "partial":
		c.index = partialIndex
	case w == "trgm":
		c.index = trigramIndex
	case strings.HasPrefix(w, "default:"):
		c.fallback = w[len("default:"):]
	case strings.HasPrefix(w, "="):
		c.value = strings.ReplaceAll(w[1:], `\,`, ",")
	case strings.HasSuffix(w, "%"):
		c.nulls, err = strconv.ParseFloat(strings.TrimSuffix(w, "%"), 64)
	default:
		err = fmt.Errorf("unknown word %q", w)
	}
	return err
}

// splitItems cuts a line at commas followed by a blank or the end.
func splitItems(line string) []string {
	return split(line, func(rest string) int {
		if rest == "," || strings.HasPrefix(rest, ", ") {
			return 1
		}
		return 0
	})
}

// splitWords cuts a line at blanks.
func splitWords(line string) []string {
	return split(line, func(rest string) int {
		if rest[0] == ' ' {
			return 1
		}
		return 0
	})
}

// split cuts s where end finds a separator outside brackets and double quotes.
func split(s string, end func(rest string) int) []string {
	var parts []string
	depth, start, quoted := 0, 0, false
	take := func(to int) {
		if part := strings.TrimSpace(s[start:to]); part != "" {
			parts = append(parts, part)
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
			continue
		case s[i] == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case depth == 0 && end(s[i:]) > 0:
			take(i)
			start = i + 1
		}
	}
	take(len(s))
	return parts
}

// unquote takes the double quotes off a name that has them.
func unquote(name string) string {
	if len(name) > 1 && name[0] == '"' {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}
