package rebuild

import (
	"errors"
	"strings"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

const (
	ownerPart = "; Owner: "
	spacePart = "; Tablespace: "
	ownerTo   = " OWNER TO "
)

// ownable are the kinds of entries for which pg_dump prints ALTER … OWNER, made
// of the kind and the name: true, or of the drop statement: false.
var ownable = map[string]bool{
	"AGGREGATE": false, "FUNCTION": false, "OPERATOR": false, "OPERATOR CLASS": false,
	"OPERATOR FAMILY": false, "PROCEDURE": false,

	"COLLATION": true, "CONVERSION": true, "DATABASE": true, "DOMAIN": true, "EVENT TRIGGER": true,
	"FOREIGN DATA WRAPPER": true, "FOREIGN TABLE": true, "MATERIALIZED VIEW": true,
	"PROCEDURAL LANGUAGE": true, "PUBLICATION": true, "SCHEMA": true, "SEQUENCE": true, "SERVER": true,
	"STATISTICS": true, "SUBSCRIPTION": true, "TABLE": true, "TEXT SEARCH CONFIGURATION": true,
	"TEXT SEARCH DICTIONARY": true, "TYPE": true, "VIEW": true,
}

// splitOwner takes the statement that gives the item its owner off the end of
// its text. For pg_restore to print it again the entry gets a drop statement,
// of which it also takes the names of functions and operators.
func (b *builder) splitOwner(it *item, text string) (string, error) {
	e := &it.entry
	c, rest, ok := b.cutLast(it, text)
	if !ok || !c.isWord("ALTER") {
		return text, nil
	}
	stmt := text[len(rest) : len(text)-len(";\n\n")]
	at := strings.LastIndex(stmt, ownerTo)
	if at < 0 {
		return text, nil
	}
	n := newCursor(stmt[at+len(ownerTo):], b.isConforming())
	owner, ok := b.printedName(n)
	if !ok || !n.atEnd() {
		return text, nil // OWNER TO stands in the definition's last statement
	}
	byName, canOwn := ownable[e.Desc]
	if e.Desc == pgarchive.DescBlob {
		return rest, b.splitBlobOwner(it, stmt[:at], owner)
	}
	if !canOwn {
		return "", errOwnerEdited
	}
	object, ok := b.alteredObject(e.Desc, stmt[:at])
	if !ok || byName && !b.isNamed(it, object) {
		return "", errOwnerEdited
	}
	b.printedName(newCursor(object, b.isConforming()))
	drop := "DROP " + e.Desc + " " + object + ";\n"
	if e.Desc == "SCHEMA" && strings.HasPrefix(rest, "-- *not* creating schema") {
		drop = "-- *not* dropping schema, since initdb creates it\n"
	}
	e.DropStmt = pgarchive.Str(drop)
	return rest, it.own(owner)
}

// printedName takes a name that an archive has without quotes, as pg_restore
// puts them where they are needed, and keeps in mind whether it has some here.
func (b *builder) printedName(c *cursor) (string, bool) {
	if c.ok {
		b.isBare = b.isBare || c.token.Kind == sqlscript.Word
		b.isQuoted = b.isQuoted || c.token.Kind == sqlscript.QuotedName
	}
	return c.name()
}

// alteredObject gives the object's name in "ALTER kind name".
func (b *builder) alteredObject(desc, stmt string) (string, bool) {
	if object, ok := strings.CutPrefix(stmt, "ALTER "+desc+" "); ok {
		return object, true
	}
	switch desc {
	case descView, descMatView, descSequence: // so do releases before 16
		return strings.CutPrefix(stmt, "ALTER TABLE ")
	}
	return "", false
}

// isNamed tells whether text is the name of the item.
func (b *builder) isNamed(it *item, text string) bool {
	c := newCursor(text, b.isConforming())
	if it.entry.Namespace.Valid {
		k, ok := c.qualified()
		return ok && c.atEnd() && k.schema == it.entry.Namespace.String && k.name == it.entry.Tag
	}
	name, ok := c.name()
	return ok && c.atEnd() && name == it.entry.Tag
}

// own gives the item this owner, which must be the header's.
func (it *item) own(owner string) error {
	if it.entry.Owner.String != sanitize(owner) && !(it.noOwner && owner == "-") {
		return errors.New("statement gives another owner than the header")
	}
	it.entry.Owner = pgarchive.Str(owner)
	it.noOwner = false
	return nil
}

func (b *builder) splitBlobOwner(it *item, alter, owner string) error {
	if alter != "ALTER LARGE OBJECT "+it.entry.Tag {
		return errOwnerEdited
	}
	return it.own(owner)
}
