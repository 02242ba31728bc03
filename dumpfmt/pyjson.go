package dumpfmt

import (
	"unicode/utf16"
	"unicode/utf8"
)

// appendPythonString appends s as Python's json module writes a text
// (json.encoder, ensure_ascii): the short escapes where JSON has one, every
// other character outside " " to "~" as \uXXXX with small hex digits, those
// beyond the basic plane as a surrogate pair.
func appendPythonString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			// A byte that is no UTF-8 is a lone surrogate in Python.
			b = appendUnit(b, 0xdc00+rune(s[i]))
		case r >= ' ' && r <= '~':
			if r == '"' || r == '\\' {
				b = append(b, '\\')
			}
			b = append(b, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = appendUnit(appendUnit(b, high), low)
		default:
			b = appendEscape(b, r)
		}
		i += size
	}
	return append(b, '"')
}

// appendEscape appends a character of the basic plane as an escape.
func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return appendUnit(b, r)
}

// appendUnit appends a UTF-16 code unit as \uXXXX.
func appendUnit(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
