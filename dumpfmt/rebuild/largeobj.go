package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

// The statements about large objects.
const (
	createText = "SELECT pg_catalog.lo_create('"
	openText   = "SELECT pg_catalog.lo_open('"
	openEnd    = "', 131072);\n"
	writeText  = "SELECT pg_catalog.lowrite(0, '"
	closeText  = "SELECT pg_catalog.lo_close(0);\n"
	numberEnd  = "');\n"
)

// chunkSize is the bytes of a large object in one statement, but the last.
const chunkSize = 16384

// oldList is the file with the list of all large objects before 1.16.
const oldList = "blobs.toc"

// metadataClass is the OID of pg_largeobject_metadata.
const metadataClass = 2613

// parseOID reads an OID as pg_dump prints it.
func parseOID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%.40q is not an OID", text)
	}
	return uint32(n), nil
}

// readLargeObjects reads the data of large objects.
func (b *builder) readLargeObjects(it *item, r sqlscript.Reading) error {
	e := &it.entry
	if !b.readNames(it, r, subject{anyTag: true}) {
		return b.failAt(it, errors.New("header of large objects names a schema"))
	}
	e.Section = b.section(pgarchive.DescBlobs)
	e.File = oldList
	if b.groups() {
		e.File = fmt.Sprintf("blobs_%d.toc", e.ID)
	} else if len(b.lists) > 0 {
		return b.failAt(it, errors.New("large objects come a second time"))
	}
	list := List{Entry: e.ID, File: e.File}
	if err := b.expect("BEGIN;\n", "\n"); err != nil {
		return err
	}
	for !b.has(sqlscript.Statement, "COMMIT;") {
		oid, err := b.readLargeObject(e.ID)
		if err != nil {
			return err
		}
		list.OIDs = append(list.OIDs, oid)
	}
	b.lists = append(b.lists, list)
	return b.expect("COMMIT;\n", "\n")
}

// readLargeObject reads one large object.
func (b *builder) readLargeObject(blobs pgarchive.DumpID) (uint32, error) {
	number, ok := strings.CutSuffix(string(b.piece.Data), openEnd)
	if !ok || !b.has(sqlscript.Statement, openText) {
		return 0, b.unexpected("a large object")
	}
	oid, err := parseOID(number[len(openText):])
	if err != nil {
		return 0, b.fail(err)
	}
	if err := b.next(); err != nil {
		return 0, err
	}
	w, err := b.sink.LargeObject(blobs, oid)
	if err != nil {
		return 0, err
	}
	if err := b.copyChunks(w); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return oid, b.expect(closeText, "\n")
}

// copyChunks decodes the content of a large object.
func (b *builder) copyChunks(w io.Writer) error {
	content := make([]byte, 0, chunkSize)
	for isLast := false; b.has(sqlscript.Statement, writeText); {
		var err error
		if isLast {
			return b.fail(errors.New("large object is cut into other pieces than pg_dump makes"))
		}
		if content, err = b.decodeChunk(content[:0]); err != nil {
			return b.fail(err)
		}
		isLast = len(content) < chunkSize
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

var errChunk = errors.New("content of a large object is not as pg_dump writes it")

func (b *builder) decodeChunk(to []byte) ([]byte, error) {
	mark := `\x`
	if !b.sc.Conforming() {
		mark = `\\x`
	}
	digits, ok := bytes.CutPrefix(b.piece.Data[len(writeText):], []byte(mark))
	digits, isEnd := bytes.CutSuffix(digits, []byte(numberEnd))
	if !ok || !isEnd || len(digits) == 0 || len(digits) > 2*chunkSize || len(digits)%2 != 0 {
		return nil, errChunk
	}
	wrong := byte(0)
	for i := 0; i < len(digits); i += 2 {
		high, low := digitValues[digits[i]], digitValues[digits[i+1]]
		wrong |= high | low
		to = append(to, high<<4|low)
	}
	if wrong > 15 {
		return nil, errChunk
	}
	return to, nil
}

// digitValues are the values of hexadecimal digits in lower case, and above 15
// for all else.
var digitValues = makeDigitValues()

func makeDigitValues() (v [256]byte) {
	for i := range v {
		v[i] = 0xff
	}
	for i, b := range []byte("0123456789abcdef") {
		v[b] = byte(i)
	}
	return v
}

// defineBlob gives the entry of one large object what it has instead of names.
func (b *builder) defineBlob(it *item) error {
	e := &it.entry
	oid, err := parseOID(e.Tag)
	if err != nil {
		return err
	}
	if e.Defn.String != createText+e.Tag+numberEnd {
		return errors.New("statement that makes a large object is not as pg_dump writes it")
	}
	it.isObject(oid)
	e.DropStmt = pgarchive.Str("SELECT pg_catalog.lo_unlink('" + e.Tag + numberEnd)
	return nil
}

// isObject gives the entry the OID of a large object, if the header does not
// name one.
func (it *item) isObject(oid uint32) {
	if it.header.TOC == nil {
		it.entry.TableOID, it.entry.OID = metadataClass, oid
	}
}

// defineGroup makes the entry of a group of large objects: its definition is
// their OIDs, a line for each.
func (b *builder) defineGroup(it *item) error {
	e := &it.entry
	text, owners, hasOwners := strings.Cut(it.text, "\nALTER LARGE OBJECT ")
	var defn strings.Builder
	var oids []string
	for line := range strings.Lines(text) {
		if line == "\n" && !hasOwners {
			continue
		}
		number, ok := strings.CutPrefix(line, createText)
		number, isEnd := strings.CutSuffix(number, numberEnd)
		oid, err := parseOID(number)
		if !ok || !isEnd || err != nil {
			return fmt.Errorf("%.80q is not how pg_dump makes a large object", line)
		}
		if len(oids) == 0 {
			it.isObject(oid)
		}
		oids = append(oids, number)
		defn.WriteString(number + "\n")
	}
	if len(oids) == 0 || !hasOwners && !strings.HasSuffix(text, ";\n\n") {
		return errEnd
	}
	e.Defn, e.DropStmt = pgarchive.Str(defn.String()), pgarchive.Str("-- dummy")
	if !hasOwners {
		return nil
	}
	return b.ownGroup(it, oids, "ALTER LARGE OBJECT "+owners)
}

// ownGroup reads the statements that give a group its owner.
func (b *builder) ownGroup(it *item, oids []string, text string) error {
	first, _, _ := strings.Cut(text, "\n")
	_, end, ok := strings.Cut(first, ownerTo)
	c := newCursor(end, b.sc.Conforming())
	owner, isName := c.name()
	if !ok || !isName || !c.symbol(";") || !c.atEnd() {
		// A name with an end of line in it.
		c = newCursor(text[strings.Index(text, ownerTo)+len(ownerTo):], b.sc.Conforming())
		if owner, ok = c.name(); !ok {
			return errOwnerEdited
		}
		end = text[strings.Index(text, ownerTo)+len(ownerTo):]
		end = end[:strings.Index(end, ";\n")+1]
	}
	var want strings.Builder
	for _, oid := range oids {
		want.WriteString("ALTER LARGE OBJECT " + oid + ownerTo + end + "\n")
	}
	if text != want.String()+"\n" {
		return errOwnerEdited
	}
	return it.own(owner)
}

// largeObjectsTag starts the tag of the ACL of a group.
const largeObjectsTag = "LARGE OBJECTS "

// defineGroupACL makes the ACL entry of a group of large objects. Each of its
// statements is printed for every large object; the entry has those for the
// first one.
func (b *builder) defineGroupACL(it *item) error {
	group := b.findGroup(it.entry.Tag[len(largeObjectsTag):])
	if group == nil {
		return errors.New("no such group of large objects")
	}
	oids := strings.Fields(group.entry.Defn.String)
	var defn strings.Builder
	for text := it.text; text != ""; {
		statement, rest, err := cutGroupStatement(text, oids)
		if err != nil {
			return err
		}
		defn.WriteString(statement + "\n")
		text = rest
	}
	it.entry.Defn = pgarchive.Str(defn.String())
	return nil
}

// brokenEnd stands after each statement that names no large object, and the OID
// before it: pg_dump 17 and 18 print them so, which is of no use but lossless.
const brokenEnd = "(null);"

// cutGroupStatement reads a statement that is repeated for each large object,
// and gives it as it is for the first one.
func cutGroupStatement(text string, oids []string) (statement, rest string, err error) {
	line, _, _ := strings.Cut(text, "\n")
	statement = line
	before, after, ok := strings.Cut(line, "LARGE OBJECT "+oids[0]+" ")
	if ok {
		before, after = before+"LARGE OBJECT ", " "+after
	} else if before, ok = strings.CutSuffix(line, oids[0]+brokenEnd); ok {
		statement, after = before+";", brokenEnd
	}
	if !ok {
		return "", "", fmt.Errorf("%.80q is not about large object %s", line, oids[0])
	}
	for _, oid := range oids {
		want := before + oid + after + "\n"
		if text, ok = strings.CutPrefix(text, want); !ok {
			return "", "", fmt.Errorf("no %.80q", want)
		}
	}
	if text, ok = strings.CutPrefix(text, "\n"); !ok {
		return "", "", errEnd
	}
	return statement, text, nil
}

// findGroup finds the group of large objects with this tag.
func (b *builder) findGroup(tag string) *item {
	i := slices.IndexFunc(b.items, func(it *item) bool {
		return it.entry.Desc == pgarchive.DescBlobMetadata && it.entry.Tag == tag
	})
	if i < 0 {
		return nil
	}
	return b.items[i]
}
