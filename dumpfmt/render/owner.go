package render

import (
	"fmt"
	"strings"

	"odx/dumpfmt/pgarchive"
)

// owning is how ALTER ... OWNER TO names an object of some kind.
type owning uint8

const (
	ownerUnknown  owning = iota
	ownerNone            // there is no such command for it
	ownerByName          // kind and name
	ownerByAlter         // kind and name, and before 16 ALTER TABLE
	ownerByNumber        // LARGE OBJECT and number
	ownerByDrop          // the words of the drop statement
	ownerByGroup         // a command for each large object
)

var ownerOf = map[string]owning{
	"COLLATION":                 ownerByName,
	"CONVERSION":                ownerByName,
	"DATABASE":                  ownerByName,
	"DOMAIN":                    ownerByName,
	"EVENT TRIGGER":             ownerByName,
	"FOREIGN DATA WRAPPER":      ownerByName,
	"FOREIGN TABLE":             ownerByName,
	"PROCEDURAL LANGUAGE":       ownerByName,
	"PUBLICATION":               ownerByName,
	"SCHEMA":                    ownerByName,
	"SERVER":                    ownerByName,
	"STATISTICS":                ownerByName,
	"SUBSCRIPTION":              ownerByName,
	"TABLE":                     ownerByName,
	"TEXT SEARCH CONFIGURATION": ownerByName,
	"TEXT SEARCH DICTIONARY":    ownerByName,
	"TYPE":                      ownerByName,

	"MATERIALIZED VIEW": ownerByAlter,
	"SEQUENCE":          ownerByAlter,
	"VIEW":              ownerByAlter,

	"BLOB": ownerByNumber,

	"AGGREGATE":       ownerByDrop,
	"FUNCTION":        ownerByDrop,
	"OPERATOR":        ownerByDrop,
	"OPERATOR CLASS":  ownerByDrop,
	"OPERATOR FAMILY": ownerByDrop,
	"PROCEDURE":       ownerByDrop,

	"CAST":                ownerNone,
	"CHECK CONSTRAINT":    ownerNone,
	"CONSTRAINT":          ownerNone,
	"DATABASE PROPERTIES": ownerNone,
	"DEFAULT":             ownerNone,
	"FK CONSTRAINT":       ownerNone,
	"INDEX":               ownerNone,
	"POLICY":              ownerNone,
	"ROW SECURITY":        ownerNone,
	"RULE":                ownerNone,
	"TRIGGER":             ownerNone,
	"USER MAPPING":        ownerNone,
}

// owner prints the command that sets the owner. What cannot be dropped by
// itself has none of its own.
func (p *printer) owner(e *pgarchive.Entry) error {
	if p.s.opts.NoOwner || e.Owner.String == "" || e.DropStmt.String == "" {
		return nil
	}
	if e.Desc == pgarchive.DescBlobMetadata && p.s.release.groupsLargeObjects() {
		p.groupOwner(e)
		return nil
	}
	start := len(p.buf)
	p.text("ALTER ")
	named, err := p.owned(e)
	if err != nil || !named {
		p.buf = p.buf[:start]
		return err
	}
	p.text(" OWNER TO ")
	p.ident(e.Owner.String)
	p.text(";\n\n")
	return nil
}

// owned writes kind and name of the object that an entry makes, and tells
// whether there is one with an owner.
func (p *printer) owned(e *pgarchive.Entry) (bool, error) {
	switch ownerOf[e.Desc] {
	case ownerNone:
		return false, nil
	case ownerByName:
		p.text(e.Desc, " ")
		p.qualified(e.Namespace.String, e.Tag)
	case ownerByAlter:
		desc := e.Desc
		if !p.s.release.altersByKind() {
			desc = "TABLE"
		}
		p.text(desc, " ")
		p.qualified(e.Namespace.String, e.Tag)
	case ownerByNumber:
		p.text("LARGE OBJECT ", e.Tag)
	case ownerByDrop:
		words, ok := strings.CutPrefix(e.DropStmt.String, "DROP ")
		if !ok {
			return false, p.s.fail(e, fmt.Errorf("%.100q does not drop it", e.DropStmt.String))
		}
		words = strings.TrimRight(words, "\n;")
		p.text(words)
		return words != "" || !p.s.release.refusesUnknownOwner(), nil
	default:
		if p.s.release.refusesUnknownOwner() {
			return false, p.s.fail(e, fmt.Errorf("no way is known to set the owner of a %s", e.Desc))
		}
		return false, nil
	}
	return true, nil
}
