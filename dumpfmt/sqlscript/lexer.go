package sqlscript

// Token is a token of a statement. Its text is a part of the statement's.
type Token struct {
	Kind TokenKind
	Text []byte
}

// Lexer goes through the tokens of a statement.
type Lexer struct {
	rest       []byte
	conforming bool
}

// NewLexer makes a lexer of text. Conforming is whether
// standard_conforming_strings is on.
func NewLexer(text []byte, conforming bool) *Lexer {
	return &Lexer{rest: text, conforming: conforming}
}

// Next gives the next token, and false after the last one. Text that ends
// within a token has it as its last one, of kind Unended.
func (l *Lexer) Next() (Token, bool) {
	if len(l.rest) == 0 {
		return Token{}, false
	}
	kind, n, err := cutToken(l.rest, true, l.conforming)
	if err != nil {
		kind, n = Unended, len(l.rest)
	}
	t := Token{Kind: kind, Text: l.rest[:n]}
	l.rest = l.rest[n:]
	return t, true
}

// Rest gives the text after the token that Next gave.
func (l *Lexer) Rest() []byte { return l.rest }
