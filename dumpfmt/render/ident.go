package render

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// reservedSince gives, by the release from which on it holds, the words that
// fmtId puts in quotes: all keywords but unreserved ones, as pg_get_keywords()
// lists them on servers 13, 15, 17 and 18 and src/include/parser/kwlist.h of
// 14 and 16 has them.
var reservedSince = map[int]string{
	13: `all analyse analyze and any array as asc asymmetric authorization between bigint binary
		bit boolean both case cast char character check coalesce collate collation column
		concurrently constraint create cross current_catalog current_date current_role
		current_schema current_time current_timestamp current_user dec decimal default deferrable
		desc distinct do else end except exists extract false fetch float for foreign freeze from
		full grant greatest group grouping having ilike in initially inner inout int integer
		intersect interval into is isnull join lateral leading least left like limit localtime
		localtimestamp national natural nchar none normalize not notnull null nullif numeric
		offset on only or order out outer overlaps overlay placing position precision primary
		real references returning right row select session_user setof similar smallint some
		substring symmetric table tablesample then time timestamp to trailing treat trim true
		union unique user using values varchar variadic verbose when where window with
		xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi
		xmlroot xmlserialize xmltable`,
	16: `json_array json_arrayagg json_object json_objectagg system_user`,
	17: `json json_exists json_query json_scalar json_serialize json_table json_value merge_action`,
}

// reservedWords gives the words that a release puts in quotes.
func reservedWords(r release) map[string]bool {
	words := make(map[string]bool)
	for _, major := range slices.Collect(maps.Keys(reservedSince)) {
		if major > max(r.major, 13) {
			continue
		}
		for _, w := range strings.Fields(reservedSince[major]) {
			words[w] = true
		}
	}
	return words
}

// ident writes a name as an SQL identifier, in quotes where it needs them.
func (p *printer) ident(name string) {
	if isPlain(name) && !p.reserved[name] && !p.s.opts.QuoteAll {
		p.buf = append(p.buf, name...)
		return
	}
	p.buf = append(p.buf, '"')
	for len(name) > 0 {
		n := 1
		switch {
		case name[0] == '"':
			p.buf = append(p.buf, '"', '"')
		case name[0] < utf8.RuneSelf || !p.checked:
			p.buf = append(p.buf, name[0])
		default:
			var r rune
			if r, n = utf8.DecodeRuneInString(name); r == utf8.RuneError && n == 1 {
				p.text(invalidCharacter)
				break
			}
			p.text(name[:n])
		}
		name = name[n:]
	}
	p.buf = append(p.buf, '"')
}

// invalidCharacter stands for a byte of a name that is not valid UTF-8, so that
// the server refuses the name (pg_encoding_set_invalid).
const invalidCharacter = "\xc0 "

// isPlain tells whether a name consists of what needs no quotes.
func isPlain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && c != '_' && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	return name != ""
}

// qualified writes a name with its schema, if it has one.
func (p *printer) qualified(schema, name string) {
	if schema != "" {
		p.ident(schema)
		p.text(".")
	}
	p.ident(name)
}
