package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

// viaRootText starts the comment before data that go through the root of a
// partitioned table.
const viaRootText = "-- load via partition root "

const insertText = "INSERT INTO "

// readData reads the data of a table or of large objects.
func (b *builder) readData(it *item) error {
	it.entry.HadDumper = true
	for _, r := range it.header.Readings() {
		switch r.Desc {
		case pgarchive.DescTableData:
			return b.readTable(it, r)
		case pgarchive.DescBlobs:
			return b.readLargeObjects(it, r)
		}
	}
	return b.failAt(it, errors.New("data of something else than a table or large objects"))
}

// readTable reads the data of a table.
func (b *builder) readTable(it *item, r sqlscript.Reading) error {
	e := &it.entry
	e.Section = b.section(pgarchive.DescTableData)
	e.File = e.ID.DataFile()
	blanks := ""
	if b.has(sqlscript.Comment, viaRootText) {
		e.Defn = pgarchive.Str(strings.TrimSuffix(string(b.piece.Data), "\n"))
		if err := b.next(); err != nil {
			return err
		}
	}
	if b.is(sqlscript.Blank) {
		blanks = string(b.piece.Data)
		if err := b.next(); err != nil {
			return err
		}
	}
	if e.Defn.Valid {
		rest, ok := strings.CutPrefix(blanks, "\n")
		if !ok {
			return b.failAt(it, errors.New("comment about the partition root is not as pg_dump writes it"))
		}
		blanks = rest
	}
	target, err := b.target()
	if err != nil {
		return b.failAt(it, err)
	}
	if err := b.nameTable(it, r, target); err != nil {
		return b.failAt(it, err)
	}
	b.loaded[it.subject.key()] = true
	return b.copyTable(it, blanks)
}

// target gives the table that the next statement loads, none if there are no
// rows in INSERT statements.
func (b *builder) target() (key, error) {
	if !b.is(sqlscript.Copy) && !b.has(sqlscript.Statement, insertText) {
		return key{}, nil
	}
	c := newCursor(b.head(), b.isConforming())
	if !c.words("COPY") && !c.words("INSERT", "INTO") {
		return key{}, errors.New("no table is named")
	}
	k, ok := c.qualified()
	if !ok {
		return k, fmt.Errorf("no table is named in %.80q", b.piece.Data)
	}
	return k, nil
}

// maxHead is more than the start of a statement has that names its table: two
// names of up to 63 bytes, with all quotes doubled.
const maxHead = 1 << 10

// head gives the start of the next piece, which may be a row of some hundred MB.
func (b *builder) head() string { return string(b.piece.Data[:min(len(b.piece.Data), maxHead)]) }

// nameTable finds the table whose data come. An end of line in its name stands
// in the COPY statement and not in the header; but data that go through a
// partition root name that one instead.
func (b *builder) nameTable(it *item, first sqlscript.Reading, target key) error {
	e := &it.entry
	isTarget := target != key{} && !e.Defn.Valid
	for _, r := range it.header.Readings() {
		if r.Desc != pgarchive.DescTableData {
			continue
		}
		s := subject{schema: target.schema, name: target.name, hasSchema: true}
		if isTarget && b.readNames(it, r, s) {
			it.subject = s
			return nil
		}
	}
	if isTarget {
		return fmt.Errorf("data are loaded into another table, %q.%q; "+
			"dump with a pg_dump that marks data loaded through a partition root", target.schema, target.name)
	}
	if k, ok := b.tableInHeader(it); ok {
		it.subject = subject{schema: k.schema, name: k.name, hasSchema: true}
		if b.readNames(it, first, it.subject) || slices.ContainsFunc(it.header.Readings(), func(r sqlscript.Reading) bool {
			return b.readNames(it, r, it.subject)
		}) {
			return nil
		}
	}
	if !b.readNames(it, first, subject{anySchema: true, anyTag: true}) {
		return errors.New("header has no owner")
	}
	it.subject = subject{schema: e.Namespace.String, name: e.Tag, hasSchema: e.Namespace.Valid}
	return nil
}

// tableInHeader finds a table without data whose name is in the header.
func (b *builder) tableInHeader(it *item) (key, bool) {
	for _, r := range it.header.Readings() {
		for from := 0; r.Desc == pgarchive.DescTableData && len(r.Tag) <= maxName; {
			i := strings.Index(r.Rest[from:], ownerPart)
			if i < 0 || from+i > maxName {
				break
			}
			from += i
			for _, t := range b.tables[key{r.Rest[:from], r.Tag}] {
				if k := t.subject.key(); !b.loaded[k] {
					return k, true
				}
			}
			from++
		}
	}
	return key{}, false
}

// copyTable hands the data to the sink. Blanks were read already.
func (b *builder) copyTable(it *item, blanks string) error {
	if b.switchesTriggers() {
		return b.fail(fmt.Errorf("%w: script of pg_dump --disable-triggers; dump without that option "+
			"and give it to pg_restore instead", dumpfmt.ErrUnsupported))
	}
	start := b.piece.Offset - int64(len(blanks))
	if b.is(sqlscript.Copy) {
		it.entry.CopyStmt = pgarchive.Str(string(b.piece.Data))
		start += int64(len(b.piece.Data))
	}
	w, err := b.sink.Table(&it.entry, start)
	if err != nil {
		return err
	}
	switch {
	case b.is(sqlscript.Copy) && blanks == "":
		err = b.copyRows(w)
	case b.is(sqlscript.Statement) && blanks == "":
		err = b.copyInserts(it, w)
	case !b.isOver() || blanks != "\n\n":
		err = b.unexpected("the data of a table")
	default:
		_, err = io.WriteString(w, blanks)
	}
	if err != nil {
		return err
	}
	return w.Close()
}

// switchesTriggers tells whether the next statement is one with which pg_dump
// --disable-triggers starts the data of a table.
func (b *builder) switchesTriggers() bool {
	return b.has(sqlscript.Statement, roleText) || b.has(sqlscript.Statement, "ALTER TABLE ") &&
		bytes.HasSuffix(b.piece.Data, []byte(" DISABLE TRIGGER ALL;\n"))
}

// dataEnd is what stands after the rows or statements of a table.
const dataEnd = "\n\n"

func (b *builder) copyRows(w io.Writer) error {
	if err := b.next(); err != nil {
		return err
	}
	for b.is(sqlscript.Rows) || b.is(sqlscript.RowsEnd) {
		if _, err := w.Write(b.piece.Data); err != nil {
			return err
		}
		if err := b.next(); err != nil {
			return err
		}
	}
	return b.endTable(w)
}

// copyInserts copies INSERT statements into one table.
func (b *builder) copyInserts(it *item, w io.Writer) error {
	target, err := b.target()
	if err != nil {
		return b.fail(err)
	}
	if target == (key{}) {
		return b.unexpected("an INSERT statement")
	}
	text := b.head()
	start := []byte(text[:len(text)-len(b.afterTarget(text))])
	for b.is(sqlscript.Statement) && !b.isDefault() {
		if !bytes.HasPrefix(b.piece.Data, start) || !bytes.HasSuffix(b.piece.Data, []byte(";\n")) {
			return b.unexpected(fmt.Sprintf("a statement that starts with %.80q", start))
		}
		if _, err := w.Write(b.piece.Data); err != nil {
			return err
		}
		if err := b.next(); err != nil {
			return err
		}
	}
	return b.endTable(w)
}

// afterTarget gives what comes after the table's name in an INSERT.
func (b *builder) afterTarget(text string) string {
	l := sqlscript.NewLexer([]byte(text), b.isConforming())
	for range 7 { // INSERT, blank, INTO, blank, the schema, the dot, the table
		l.Next()
	}
	return string(l.Rest())
}

// endTable writes the end of a table's data.
func (b *builder) endTable(w io.Writer) error {
	if err := b.expect(dataEnd); err != nil {
		return err
	}
	_, err := io.WriteString(w, dataEnd)
	return err
}
