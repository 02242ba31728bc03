package rebuild

import (
	"strings"

	"odx/dumpfmt/sqlscript"
)

// cursor goes through the tokens of SQL, but for blanks and comments.
type cursor struct {
	lexer      *sqlscript.Lexer
	conforming bool
	token      sqlscript.Token
	ok         bool // there is a token
}

func newCursor(text string, conforming bool) *cursor {
	c := &cursor{lexer: sqlscript.NewLexer([]byte(text), conforming), conforming: conforming}
	c.next()
	return c
}

// next goes past the token.
func (c *cursor) next() {
	for {
		c.token, c.ok = c.lexer.Next()
		if !c.ok || c.token.Kind != sqlscript.Space && c.token.Kind != sqlscript.Remark {
			return
		}
	}
}

func (c *cursor) skip(n int) {
	for range n {
		c.next()
	}
}

func (c *cursor) atEnd() bool { return !c.ok }

// isWord tells whether the token is this keyword.
func (c *cursor) isWord(keyword string) bool {
	return c.ok && c.token.Kind == sqlscript.Word && string(c.token.Text) == keyword
}

// words goes past keywords if they are the next tokens. If only the first of
// them are, it goes past these and gives false.
func (c *cursor) words(keywords ...string) bool {
	for _, w := range keywords {
		if !c.isWord(w) {
			return false
		}
		c.next()
	}
	return true
}

// option goes past one of these keywords, if one is the token.
func (c *cursor) option(keywords ...string) bool {
	for _, w := range keywords {
		if c.words(w) {
			return true
		}
	}
	return false
}

// symbol goes past a token that is this text.
func (c *cursor) symbol(text string) bool {
	if !c.ok || string(c.token.Text) != text {
		return false
	}
	c.next()
	return true
}

// name takes a name, with or without quotes.
func (c *cursor) name() (string, bool) {
	if !c.ok {
		return "", false
	}
	text := string(c.token.Text)
	switch c.token.Kind {
	case sqlscript.Word:
	case sqlscript.QuotedName:
		text = unquoteName(text)
	default:
		return "", false
	}
	c.next()
	return text, true
}

// unquoteName takes the double quotes off a name.
func unquoteName(text string) string {
	return strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
}

// key is a name with its schema.
type key struct{ schema, name string }

// qualified takes a name with its schema.
func (c *cursor) qualified() (k key, ok bool) {
	if k.schema, ok = c.name(); !ok || !c.symbol(".") {
		return k, false
	}
	k.name, ok = c.name()
	return k, ok
}

// find goes past the next of these keywords that stands outside parentheses.
func (c *cursor) find(keywords ...string) bool {
	depth := 0
	for c.ok && !c.isEndOfStatement(depth) {
		switch {
		case depth == 0 && c.option(keywords...):
			return true
		case string(c.token.Text) == "(", string(c.token.Text) == "[":
			depth++
		case string(c.token.Text) == ")", string(c.token.Text) == "]":
			depth--
		}
		c.next()
	}
	return false
}

func (c *cursor) isEndOfStatement(depth int) bool {
	return depth == 0 && string(c.token.Text) == ";"
}

// mentions gives the qualified names in SQL, each once, in the order in which
// they come. Some of them are no names of objects.
func mentions(text string, conforming bool) []key {
	var found []key
	seen := make(map[key]bool)
	c := newCursor(text, conforming)
	for c.ok {
		first, ok := c.name()
		if !ok {
			c.next()
			continue
		}
		for c.symbol(".") { // a.b.c is a.b and b.c
			second, ok := c.name()
			if !ok {
				break
			}
			if k := (key{first, second}); !seen[k] {
				seen[k] = true
				found = append(found, k)
			}
			first = second
		}
	}
	return found
}
