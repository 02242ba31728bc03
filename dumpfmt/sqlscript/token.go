package sqlscript

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// TokenKind is what a token is.
type TokenKind uint8

// The kinds of tokens.
const (
	Space      TokenKind = iota + 1 // blanks and ends of lines
	Remark                          // "-- …" without the end of the line, or "/* … */"
	Word                            // a keyword or a name without quotes
	QuotedName                      // a name in double quotes
	Constant                        // a string, of any kind of quotes, with its prefix
	Number                          // digits
	Symbol                          // any other byte
	Unended                         // what begins as one of the others and does not end
)

// classes says of each byte what it can be a part of.
var classes = makeClasses()

const (
	spaceByte  = 1 << iota
	startByte  // of a word
	digitByte  // digit
	dollarByte // dollar, which may be in a word but does not start one

	wordBytes = startByte | digitByte | dollarByte
	tagBytes  = startByte | digitByte
)

func makeClasses() (c [256]uint8) {
	for _, b := range []byte(" \t\n\r\f\v") {
		c[b] = spaceByte
	}
	for b := range 256 {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', b == '_', b >= 0x80:
			c[b] = startByte
		case '0' <= b && b <= '9':
			c[b] = digitByte
		case b == '$':
			c[b] = dollarByte
		}
	}
	return c
}

// errMore says that the text ends within a token, or where one may go on.
var errMore = errors.New("more text is needed")

// errContinued is returned for E'…' followed by another string on a new line,
// which goes on with it.
var errContinued = errors.New("string constant goes on on another line")

// cutToken gives the kind and length of the first token of text, which is not
// empty. Unless text is final it gives errMore where more text could change
// the answer.
func cutToken(text []byte, final, conforming bool) (TokenKind, int, error) {
	switch b := text[0]; {
	case classes[b]&spaceByte != 0:
		return Space, run(text, spaceByte), nil
	case classes[b]&startByte != 0:
		return cutWord(text, final, conforming)
	case classes[b]&digitByte != 0:
		return Number, run(text, digitByte), nil
	case b == '\'':
		n, err := cutQuoted(text, 1, final, !conforming)
		return Constant, n, err
	case b == '"':
		n, err := cutDoubled(text, 1, '"', final)
		return QuotedName, n, err
	case b == '$':
		return cutDollar(text, final)
	case b == '-', b == '/':
		return cutRemark(text, final)
	}
	return Symbol, 1, nil
}

// run gives the length of the run of bytes of these classes.
func run(text []byte, of uint8) int {
	for i, b := range text {
		if classes[b]&of == 0 {
			return i
		}
	}
	return len(text)
}

// unfinished is the error for text that ends within a token.
func unfinished(final bool, what string) error {
	if !final {
		return errMore
	}
	return fmt.Errorf("%s has no end: %w", what, io.ErrUnexpectedEOF)
}

// cutWord cuts a word, or a string with a prefix.
func cutWord(text []byte, final, conforming bool) (TokenKind, int, error) {
	n := run(text, wordBytes)
	if n > 1 {
		if n == len(text) && !final {
			return 0, 0, errMore
		}
		return Word, n, nil
	}
	prefix := text[0] | 0x20
	quote := 1
	if prefix == 'u' {
		quote = 2
	}
	if len(text) <= quote && !final {
		return 0, 0, errMore
	}
	if len(text) <= quote || text[quote] != '\'' || quote == 2 && text[1] != '&' {
		return Word, n, nil
	}
	switch prefix {
	case 'e':
		n, err := cutEscaped(text, quote+1, final)
		return Constant, n, err
	case 'b', 'x', 'u':
		n, err := cutDoubled(text, quote+1, '\'', final)
		return Constant, n, err
	}
	return Word, n, nil // N'…' is as '…'
}

// cutQuoted gives the length of the string whose content starts at from.
func cutQuoted(text []byte, from int, final, escapes bool) (int, error) {
	if escapes {
		return cutBackslashes(text, from, final)
	}
	return cutDoubled(text, from, '\'', final)
}

// cutDoubled gives the length of text in quotes of which those in it are
// doubled.
func cutDoubled(text []byte, from int, quote byte, final bool) (int, error) {
	for {
		i := bytes.IndexByte(text[from:], quote)
		if i < 0 {
			return 0, unfinished(final, "quoted text")
		}
		from += i + 1
		switch {
		case from < len(text) && text[from] == quote:
			from++
		case from == len(text) && !final:
			return 0, errMore
		default:
			return from, nil
		}
	}
}

// cutBackslashes is cutDoubled with backslashes that escape.
func cutBackslashes(text []byte, from int, final bool) (int, error) {
	for quote := -1; ; {
		if quote < from {
			i := bytes.IndexByte(text[min(from, len(text)):], '\'')
			if i < 0 {
				return 0, unfinished(final, "quoted text")
			}
			quote = from + i
		}
		if i := bytes.IndexByte(text[from:quote], '\\'); i >= 0 {
			from += i + 2
			continue
		}
		switch from = quote + 1; {
		case from < len(text) && text[from] == '\'':
			from++
		case from == len(text) && !final:
			return 0, errMore
		default:
			return from, nil
		}
	}
}

// cutEscaped cuts E'…' and makes sure that it ends there.
func cutEscaped(text []byte, from int, final bool) (int, error) {
	n, err := cutBackslashes(text, from, final)
	if err != nil {
		return 0, err
	}
	blanks := run(text[n:], spaceByte)
	switch next := n + blanks; {
	case next == len(text) && !final:
		return 0, errMore
	case next < len(text) && text[next] == '\'' && bytes.IndexByte(text[n:next], '\n') >= 0:
		return 0, errContinued
	}
	return n, nil
}

// cutDollar cuts a string in dollar quotes, or a dollar that starts none.
func cutDollar(text []byte, final bool) (TokenKind, int, error) {
	tag := 1
	if len(text) > 1 && classes[text[1]]&startByte != 0 {
		tag += run(text[1:], tagBytes)
	}
	switch {
	case tag == len(text) && !final:
		return 0, 0, errMore
	case tag == len(text) || text[tag] != '$':
		return Symbol, 1, nil
	}
	tag++
	i := bytes.Index(text[tag:], text[:tag])
	if i < 0 {
		return 0, 0, unfinished(final, "text in dollar quotes")
	}
	return Constant, tag + i + tag, nil
}

// cutRemark cuts a comment, or a minus or slash that starts none.
func cutRemark(text []byte, final bool) (TokenKind, int, error) {
	if len(text) == 1 {
		if !final {
			return 0, 0, errMore
		}
		return Symbol, 1, nil
	}
	switch string(text[:2]) {
	case "--":
		end := bytes.IndexByte(text, '\n')
		if end < 0 && !final {
			return 0, 0, errMore
		}
		if end < 0 {
			end = len(text)
		}
		return Remark, end, nil
	case "/*":
		n, err := cutNested(text, final)
		return Remark, n, err
	}
	return Symbol, 1, nil
}

// cutNested gives the length of a comment that may have comments in it.
func cutNested(text []byte, final bool) (int, error) {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch string(text[i : i+2]) {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1, nil
		}
	}
	return 0, unfinished(final, "comment")
}
