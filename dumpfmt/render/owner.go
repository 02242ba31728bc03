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

	"BLOB":          ownerByNumber,
	"BLOB METADATA": ownerByGroup,

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
	how := ownerOf[e.Desc]
	if how == ownerByGroup && !p.s.release.groupsLargeObjects() {
		how = ownerUnknown
	}
	start := len(p.buf)
	p.text("ALTER ")
	switch how {
	case ownerByName:
		p.named(e.Desc, e)
	case ownerByAlter:
		desc := e.Desc
		if !p.s.release.altersByKind() {
			desc = "TABLE"
		}
		p.named(desc, e)
	case ownerByNumber:
		p.text("LARGE OBJECT ", e.Tag)
	case ownerByDrop:
		if len(e.DropStmt.String) < len("DROP ") {
			return p.s.fail(e, fmt.Errorf("drop statement %q", e.DropStmt.String))
		}
		p.text(strings.TrimRight(e.DropStmt.String[len("DROP "):], "\n;"))
	case ownerByGroup:
		p.buf = p.buf[:start]
		p.forEachOwner(e)
		return nil
	default:
		p.buf = p.buf[:start]
		if how == ownerUnknown && p.s.release.refusesUnknownOwner() {
			return p.s.fail(e, fmt.Errorf("no way is known to set the owner of a %s", e.Desc))
		}
		return nil
	}
	p.text(" OWNER TO ")
	p.ident(e.Owner.String)
	p.text(";\n\n")
	return nil
}

// named writes a kind and the name of an object of it.
func (p *printer) named(desc string, e *pgarchive.Entry) {
	p.text(desc, " ")
	p.qualified(e.Namespace.String, e.Tag)
}
