package rebuild

import (
	"strings"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

// readNames fits a reading of the header to what the definition says, and
// tells whether it does. A tag that the definition does not give is taken from
// the header.
func (b *builder) readNames(it *item, r sqlscript.Reading, s subject) bool {
	e := &it.entry
	tag, isRight := s.fitTag(r.Tag)
	if !isRight {
		return false
	}
	rest := r.Rest
	if it.namedSpace() {
		rest = strings.TrimSuffix(rest, spacePart+sanitize(it.space.String))
	}
	space, owner, ok := "", "", false
	switch {
	case s.anySchema:
		space, owner, ok = b.cutSchema(rest)
	case s.hasSchema:
		owner, ok = strings.CutPrefix(rest, sanitize(s.schema)+ownerPart)
		space = s.schema
	default:
		owner, ok = strings.CutPrefix(rest, "-"+ownerPart)
		space = "-"
	}
	if !ok {
		return false
	}
	if !s.anySchema {
		b.schemas[space] = true
	}
	e.Desc, e.Tag = r.Desc, tag
	e.Namespace = pgarchive.NullString{}
	if space != "-" || s.hasSchema {
		e.Namespace = pgarchive.Str(space)
	}
	e.Owner = pgarchive.NullString{}
	it.noOwner = owner == "-"
	if !it.noOwner {
		e.Owner = pgarchive.Str(owner)
	}
	return true
}

// maxName is longer than any name that a server has: 63 bytes, if it was not
// built for longer ones. It bounds the work on headers.
const maxName = 1 << 10

// cutSchema splits what a header says of schema and owner where only the header
// says it: behind the first schema that was named before, if there is one.
func (b *builder) cutSchema(text string) (schema, owner string, ok bool) {
	for from := 0; ; {
		i := strings.Index(text[from:], ownerPart)
		if i < 0 || from+i > maxName {
			return strings.Cut(text, ownerPart)
		}
		if from += i; b.schemas[text[:from]] {
			return text[:from], text[from+len(ownerPart):], true
		}
		from++
	}
}
