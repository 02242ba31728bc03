package render

import (
	"errors"
	"fmt"
	"strings"

	"odx/dumpfmt/pgarchive"
)

// forEachLine prints a command for each line of a group's definition, which
// are the OIDs of its large objects. Text after the last end of line does not
// count.
func (p *printer) forEachLine(lines, before, after string) {
	for line := range strings.Lines(lines) {
		oid, whole := strings.CutSuffix(line, "\n")
		if whole {
			p.text(before, oid, after, ";\n")
		}
		if len(p.buf) >= pieceSize {
			p.flush()
		}
	}
	p.text("\n")
}

// groupOwner sets the owner of each large object of a group.
func (p *printer) groupOwner(e *pgarchive.Entry) {
	start := len(p.buf)
	p.text(" OWNER TO ")
	p.ident(e.Owner.String)
	after := string(p.buf[start:])
	p.buf = p.buf[:start]
	p.forEachLine(e.Defn.String, "ALTER LARGE OBJECT ", after)
}

// groupACL prints the privileges of a group of large objects: each statement of
// the definition, which names the first of them only, once for each.
func (p *printer) groupACL(e *pgarchive.Entry) error {
	group, err := p.s.groupOf(e)
	if err != nil {
		return err
	}
	rest := e.Defn.String
	for rest != "" {
		var before, after string
		if before, after, rest, err = cutGrant(rest); err != nil {
			return p.s.fail(e, err)
		}
		p.forEachLine(group.Defn.String, before, after)
	}
	return nil
}

// groupOf gives the BLOB METADATA entry that an entry with privileges is for.
func (s *Script) groupOf(e *pgarchive.Entry) (*pgarchive.Entry, error) {
	if len(e.Dependencies) == 0 {
		return nil, s.fail(e, errors.New("no dependency on the group of large objects"))
	}
	group := s.byID[e.Dependencies[0]]
	if group == nil || group.Desc != pgarchive.DescBlobMetadata {
		return nil, s.fail(e, fmt.Errorf("first dependency, %d, is not on a %s", e.Dependencies[0], pgarchive.DescBlobMetadata))
	}
	return group, nil
}

// cutGrant cuts the first statement off and gives what it has before and after
// the number of its large object. Nothing but the names of roles, in double
// quotes, can hold a semicolon.
func cutGrant(text string) (before, after, rest string, err error) {
	const words = "LARGE OBJECT "
	quoted := false
	number, end := 0, -1 // of the number, once it is found
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case end < 0 && strings.HasPrefix(text[i:], words):
			number = i + len(words)
			end = number + len(text[number:]) - len(strings.TrimLeft(text[number:], "0123456789"))
			if end == number {
				return "", "", "", fmt.Errorf("no number after %s in %.100q", words, text)
			}
			i = end - 1
		case c == ';' && end < 0:
			return "", "", "", fmt.Errorf("no large object in %.100q", text[:i+1])
		case c == ';':
			return text[:number], text[end:i], strings.TrimLeft(text[i+1:], " \t\n\v\f\r"), nil
		}
	}
	return "", "", "", fmt.Errorf("statement without an end: %.100q", text)
}
