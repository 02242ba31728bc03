package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	w, err := b.sink.LargeObject(blobs, oid, b.piece.Offset)
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
	if !b.isConforming() {
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
