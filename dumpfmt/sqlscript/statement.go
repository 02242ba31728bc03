package sqlscript

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// scanStatement finds the end of the statement at start.
func (s *Scanner) scanStatement() (Kind, error) {
	var n nesting
	for {
		kind, size, err := s.token()
		if err != nil {
			return 0, s.explain(err)
		}
		text := s.buf[s.pos : s.pos+size]
		if kind == Space || kind == Remark {
			err = s.refuse(text, s.pos)
		} else {
			err = n.token(kind, text)
		}
		if err != nil {
			return 0, s.here(err)
		}
		s.pos += size
		if n.isEnd {
			break
		}
	}
	if i := bytes.IndexByte(s.buf[s.start:s.pos], 0); i >= 0 {
		return 0, &placedError{i, errZero}
	}
	if err := s.need(1); err != nil && err != io.EOF {
		return 0, err
	}
	if s.pos < len(s.buf) && s.buf[s.pos] == '\n' {
		s.pos++
	}
	return s.classify()
}

// explain says more of an end within a statement.
func (s *Scanner) explain(err error) error {
	if err == s.readErr || !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("statement has no end: %w", err)
}

// here makes err one about the token at pos, unless it has a place.
func (s *Scanner) here(err error) error {
	var placed *placedError
	if errors.As(err, &placed) {
		return err
	}
	return &placedError{s.pos - s.start, err}
}

// nesting sees the tokens of a statement, but blanks and comments, and tells where it ends.
type nesting struct {
	parens int
	words  int    // that were looked at, up to 4
	first  string // first letters of those with which the statement starts
	begun  bool   // BEGIN was the last token but blanks
	atomic int    // depth of BEGIN ATOMIC and CASE
	isEnd  bool
}

var (
	errBackslash = errors.New("backslash outside quotes: psql would take it for a command")
	errParens    = errors.New("closing parenthesis without an opening one")
)

func (n *nesting) token(kind TokenKind, text []byte) error {
	begun := n.begun
	n.begun = false
	switch {
	case kind == Word:
		n.word(text, begun)
	case kind != Symbol:
	case text[0] == '(':
		n.parens++
	case text[0] == ')':
		if n.parens--; n.parens < 0 {
			return errParens
		}
	case text[0] == ';':
		n.isEnd = n.parens == 0 && n.atomic == 0
	case text[0] == '\\':
		return errBackslash
	}
	return nil
}

// word sees a word. The body of a function starts with BEGIN ATOMIC, outside
// parentheses; names that are keywords are quoted in it.
func (n *nesting) word(text []byte, begun bool) {
	if n.words < 4 {
		n.words++
		if i := slices.IndexFunc(startWords, func(w string) bool { return isWord(text, w) }); i < 0 {
			n.words = 4
		} else {
			n.first += startWords[i][:1]
		}
	}
	switch {
	case n.atomic > 0 && isWord(text, "case"):
		n.atomic++
	case n.atomic > 0 && isWord(text, "end"):
		n.atomic--
	case !n.makesFunction() || n.parens > 0 || n.atomic > 0:
	case isWord(text, "begin"):
		n.begun = true
	case begun && isWord(text, "atomic"):
		n.atomic = 1
	}
}

// startWords are those with which a statement that makes a function starts.
var startWords = []string{"create", "or", "replace", "function", "procedure"}

// makesFunction tells whether the statement makes a function or procedure.
func (n *nesting) makesFunction() bool {
	switch {
	case len(n.first) >= 2 && n.first[0] == 'c' && (n.first[1] == 'f' || n.first[1] == 'p'):
		return true
	case len(n.first) >= 4 && n.first[:3] == "cor":
		return n.first[3] == 'f' || n.first[3] == 'p'
	}
	return false
}

// isWord tells whether a word is this keyword, which is in lower case.
func isWord(text []byte, keyword string) bool {
	return len(text) == len(keyword) && bytes.EqualFold(text, []byte(keyword))
}

// classify tells a COPY from other statements and sees settings that matter.
func (s *Scanner) classify() (Kind, error) {
	text := s.buf[s.start:s.pos]
	switch {
	case startsWith(text, "copy"):
		if !bytes.HasPrefix(text, []byte("COPY ")) || !bytes.HasSuffix(text, []byte(" FROM stdin;\n")) {
			return 0, errors.New(`COPY statement other than "COPY ... FROM stdin;"`)
		}
		s.inRows = true
		return Copy, nil
	case startsWith(text, "set"):
		return Statement, s.setting(text)
	}
	return Statement, nil
}

// startsWith tells whether the first token of text is this keyword.
func startsWith(text []byte, keyword string) bool {
	return len(text) >= len(keyword) && isWord(text[:run(text, wordBytes)], keyword)
}

// setting sees a SET statement. Other ways to write those that matter are
// refused.
func (s *Scanner) setting(text []byte) error {
	switch string(text) {
	case "SET standard_conforming_strings = on;\n":
		s.isOff = false
		return nil
	case "SET standard_conforming_strings = off;\n":
		s.isOff = true
		return nil
	}
	l := NewLexer(text, true)
	for range 3 { // SET, a blank, the name
		t, _ := l.Next()
		switch string(bytes.ToLower(t.Text)) {
		case "standard_conforming_strings", "local", "session":
			if !bytes.HasPrefix(text, []byte("SET SESSION AUTHORIZATION ")) {
				return fmt.Errorf("setting is not as pg_dump writes it: %.80q", text)
			}
		case "client_encoding":
			return checkEncoding(text)
		}
	}
	return nil
}

// embedding are the encodings in which a byte of a longer character may be
// one below 128, such as a backslash.
var embedding = []string{"BIG5", "GB18030", "GBK", "JOHAB", "SJIS", "SHIFT_JIS_2004", "UHC"}
