package rebuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

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
	_, after, _ := strings.Cut(text, ownerTo)
	name, _ := sqlscript.NewLexer([]byte(after), b.isConforming()).Next()
	owner, ok := b.printedName(newCursor(string(name.Text), b.isConforming()))
	if !ok {
		return errOwnerEdited
	}
	for _, oid := range oids {
		for _, part := range []string{"ALTER LARGE OBJECT ", oid, ownerTo, string(name.Text), ";\n"} {
			if text, ok = strings.CutPrefix(text, part); !ok {
				return errOwnerEdited
			}
		}
	}
	if text != "\n" {
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
