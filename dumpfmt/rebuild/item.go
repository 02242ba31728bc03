package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

// item is an entry in the making.
type item struct {
	entry   pgarchive.Entry
	header  sqlscript.Header
	place   sqlscript.Piece // of the header, without data
	text    string          // all that the script has for it, but for data
	last    []span          // the last statements in text, at most keepStatements
	count   int             // of all statements
	space   pgarchive.NullString
	am      pgarchive.NullString
	spaceIs bool // the default tablespace was set just before it
	subject subject
	noOwner bool  // the header names none
	object  *item // that an ACL is about

	dependsOn map[pgarchive.DumpID]bool
}

// span is a part of a text.
type span struct{ from, to int }

// keepStatements is how many statements from the end of an item may be other
// than its definition: about its owner, and about its access method.
const keepStatements = 2

// readItem reads an item, from its header to the next thing that belongs to
// none or another one.
func (b *builder) readItem() error {
	header, err := sqlscript.ParseHeader(b.piece.Data)
	if err != nil {
		return b.fail(err)
	}
	it := &item{header: header, place: b.piece, space: b.space, am: b.am, spaceIs: b.isSet.space}
	it.place.Data = nil
	amIs := b.isSet.am
	b.isSet.space, b.isSet.am = false, false
	if err := b.number(it); err != nil {
		return b.fail(err)
	}
	if err := b.next(); err != nil {
		return err
	}
	if header.Prefix == sqlscript.PrefixData {
		if it.spaceIs || amIs {
			return b.failAt(it, errors.New("a default is set before data"))
		}
		err = b.readData(it)
	} else if err = b.readText(it); err == nil {
		err = b.define(it)
	}
	if err != nil {
		return err
	}
	if amIs && !it.entry.TableAM.Valid {
		return b.failAt(it, errors.New("a default access method is set before what has none"))
	}
	if it.spaceIs && !it.entry.Tablespace.Valid {
		return b.failAt(it, errors.New("a default tablespace is set before what has none"))
	}
	b.items = append(b.items, it)
	if len(b.items) > dumpfmt.MaxEntries {
		return b.failAt(it, fmt.Errorf("more than %d items", dumpfmt.MaxEntries))
	}
	if d := it.entry.Desc; d == "DATABASE" || d == "DATABASE PROPERTIES" {
		return b.readConnect()
	}
	return nil
}

// failAt places an error at an item.
func (b *builder) failAt(it *item, err error) error {
	return b.sc.FormatError(it.place, fmt.Errorf("%.200q: %w", it.header.Names, err))
}

// reservedIDs are those of ENCODING, STDSTRINGS and SEARCHPATH in an archive
// of a script that names none.
const reservedIDs = 3

// number gives the item its dump ID: the one that the header names, or the
// next one.
func (b *builder) number(it *item) error {
	e := &it.entry
	isVerbose := it.header.TOC != nil
	if len(b.ids) == 0 {
		b.frame.Verbose = isVerbose
	}
	if b.frame.Verbose != isVerbose {
		return errors.New("some headers name a TOC entry and others do not")
	}
	if !isVerbose {
		b.lastID = max(b.lastID, reservedIDs) + 1
		e.ID = b.lastID
		b.ids[e.ID] = true
		return nil
	}
	toc := it.header.TOC
	e.ID, e.TableOID, e.OID = pgarchive.DumpID(toc.ID), toc.TableOID, toc.OID
	if b.ids[e.ID] {
		return fmt.Errorf("two items are TOC entry %d", e.ID)
	}
	b.ids[e.ID] = true
	b.lastID = max(b.lastID, e.ID)
	for _, id := range toc.Dependencies {
		b.frame.Printed[e.ID] = append(b.frame.Printed[e.ID], pgarchive.DumpID(id))
	}
	return nil
}

// isOver tells whether the next piece is no part of an item.
func (b *builder) isOver() bool {
	switch {
	case b.isEnd, b.is(sqlscript.HeaderComment), b.is(sqlscript.Command), b.isDefault():
		return true
	}
	return b.is(sqlscript.Comment) && (string(b.piece.Data) == ruler || b.has(sqlscript.Comment, completedText))
}

// readText reads the text of an item that has no data.
func (b *builder) readText(it *item) error {
	var text strings.Builder
	for !b.isOver() {
		switch b.piece.Kind {
		case sqlscript.Statement:
			if !isDefinition(b.piece.Data) {
				return b.unexpected("a statement as pg_dump writes them")
			}
			from := text.Len()
			it.last = append(it.last, span{from, from + len(b.piece.Data)})
			if len(it.last) > keepStatements {
				it.last = append(it.last[:0], it.last[1:]...)
			}
			it.count++
		case sqlscript.Blank, sqlscript.Comment:
		default:
			return b.unexpected("the text of an item")
		}
		if text.Len()+len(b.piece.Data) > dumpfmt.MaxString {
			return b.failAt(it, fmt.Errorf("definition is longer than %d bytes", dumpfmt.MaxString))
		}
		text.Write(b.piece.Data)
		if err := b.next(); err != nil {
			return err
		}
	}
	it.text = text.String()
	return nil
}

// isDefinition tells whether a statement can be a part of an item without data.
func isDefinition(statement []byte) bool {
	first, _, _ := bytes.Cut(statement[:min(len(statement), 32)], []byte(" "))
	switch string(first) {
	case "CREATE", "ALTER", "COMMENT", "GRANT", "REVOKE", "REFRESH", "SECURITY":
		return true
	case "SET", "RESET":
		return bytes.HasPrefix(statement[len(first):], []byte(" SESSION AUTHORIZATION"))
	case "SELECT":
		rest := bytes.TrimPrefix(statement[len(first):], []byte(" * FROM"))
		return bytes.HasPrefix(rest, []byte(" pg_catalog."))
	}
	return false
}

// define makes the entry of an item without data.
func (b *builder) define(it *item) error {
	if err := b.identify(it); err != nil {
		return b.failAt(it, err)
	}
	it.entry.Section = b.section(it.entry.Desc)
	var err error
	switch d := it.entry.Desc; {
	case d == pgarchive.DescBlobMetadata && !b.groups(), d == pgarchive.DescBlob && b.groups():
		err = fmt.Errorf("pg_dump %d has no items of type %s", b.major, d)
	case d == pgarchive.DescBlobMetadata:
		err = b.defineGroup(it)
	case d == "ACL" && strings.HasPrefix(it.entry.Tag, largeObjectsTag):
		err = b.defineGroupACL(it)
	default:
		if err = b.splitText(it); err == nil && d == pgarchive.DescBlob {
			err = b.defineBlob(it)
		}
	}
	if err == nil {
		err = b.defaults(it)
	}
	if err != nil {
		return b.failAt(it, err)
	}
	it.text = "" // what is still of use is in the entry
	if s := &it.subject; s.relkind == 'r' || s.relkind == 'f' || s.relkind == 'p' {
		k := key{sanitize(s.schema), sanitize(s.name)}
		b.tables[k] = append(b.tables[k], it)
	}
	return nil
}

// errEnd says that an item's text does not end with its empty lines.
var errEnd = errors.New("text of an item does not end as pg_dump ends it")

// splitText splits the text into definition, owner and access method.
func (b *builder) splitText(it *item) error {
	e := &it.entry
	text := it.text
	if e.Desc == pgarchive.DescTable && b.groups() {
		if c, rest, ok := b.cutLast(it, text); ok && c.words("ALTER", "TABLE") {
			if k, ok := c.qualified(); ok && c.words("SET", "ACCESS", "METHOD") {
				am, ok := b.printedName(c)
				if !ok || k != it.subject.key() || !c.symbol(";") || !c.atEnd() {
					return errors.New("statement about the access method is not as pg_dump writes it")
				}
				e.TableAM = pgarchive.Str(am)
				text = rest
				it.last = it.last[:len(it.last)-1]
			}
		}
	}
	text, err := b.splitOwner(it, text)
	if err != nil {
		return err
	}
	defn, ok := strings.CutSuffix(text, "\n\n")
	if !ok || defn == "" {
		return errEnd
	}
	e.Defn = pgarchive.Str(defn)
	return nil
}

// cutLast gives the last statement of text, if it stands after an empty line
// and is followed by one, and the text before it.
func (b *builder) cutLast(it *item, text string) (c *cursor, rest string, ok bool) {
	if len(it.last) == 0 {
		return nil, "", false
	}
	at := it.last[len(it.last)-1]
	if text[at.to:] != "\n" || !strings.HasSuffix(text[:at.from], "\n\n") {
		return nil, "", false
	}
	return newCursor(text[at.from:at.to], b.isConforming()), text[:at.from], true
}
