package sqlscript

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The lines of a header.
const (
	ruler            = "--\n"
	entryLine        = "-- TOC entry "
	dependenciesLine = "-- Dependencies: "
	lineStart        = "-- "
)

// HeaderPrefix is how the main line of a header starts.
type HeaderPrefix string

// The prefixes: of items, of an item's data, and of statistics.
const (
	PrefixName       HeaderPrefix = "Name: "
	PrefixData       HeaderPrefix = "Data for Name: "
	PrefixStatistics HeaderPrefix = "Statistics for Name: "
)

var prefixes = []HeaderPrefix{PrefixName, PrefixData, PrefixStatistics}

func isMainLine(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte(lineStart))
	return ok && slices.ContainsFunc(prefixes, func(p HeaderPrefix) bool {
		return bytes.HasPrefix(rest, []byte(p))
	})
}

// isPlaceLine tells whether a line says where an archive has the data.
func isPlaceLine(line []byte) bool {
	return slices.ContainsFunc(placeLines, func(start string) bool {
		return bytes.HasPrefix(line, []byte(start[1:]))
	})
}

// Header is the comment before an item.
type Header struct {
	Prefix HeaderPrefix
	// Names is the rest of the main line: the tag, "; Type: ", the kind,
	// "; Schema: ", the schema, "; Owner: ", the owner, and "; Tablespace: "
	// and the tablespace where it is not the default one.
	Names string
	// TOC is what --verbose adds; nil without.
	TOC *HeaderTOC
}

// HeaderTOC is what pg_dump --verbose says in a header.
type HeaderTOC struct {
	ID           int32
	TableOID     uint32
	OID          uint32
	Dependencies []int32 // not all of them
}

// Reading is a way to read the names in a header.
type Reading struct {
	Tag, Desc string
	Rest      string // after "; Schema: "
}

const (
	typePart   = "; Type: "
	schemaPart = "; Schema: "
)

// placeLines start the lines that pg_restore --verbose adds after the main one:
// where a directory-format archive and a custom-format file have the data.
var placeLines = []string{"\n-- File: ", "\n-- Data Pos: "}

// ParseHeader reads the data of a HeaderComment piece.
func ParseHeader(data []byte) (Header, error) {
	var h Header
	text, isStart := strings.CutPrefix(string(data), ruler)
	text, isEnd := strings.CutSuffix(text, "\n"+ruler+"\n")
	if !isStart || !isEnd {
		return h, errHeader
	}
	if rest, ok := strings.CutPrefix(text, entryLine); ok {
		line, rest, _ := strings.Cut(rest, "\n")
		h.TOC = new(HeaderTOC)
		if err := h.TOC.parseEntry(line); err != nil {
			return h, err
		}
		if text = rest; strings.HasPrefix(rest, dependenciesLine) {
			line, text, _ = strings.Cut(rest[len(dependenciesLine):], "\n")
			if err := h.TOC.parseDependencies(line); err != nil {
				return h, err
			}
		}
	}
	text = strings.TrimPrefix(text, lineStart)
	if h.TOC != nil {
		text = cutPlace(text)
	}
	for _, p := range prefixes {
		if names, ok := strings.CutPrefix(text, string(p)); ok {
			h.Prefix, h.Names = p, names
			return h, nil
		}
	}
	return h, errHeader
}

// cutPlace takes the line about the place of the data off the end of a header.
func cutPlace(text string) string {
	for _, start := range placeLines {
		text, _, _ = strings.Cut(text, start)
	}
	return text
}

// parseEntry reads "215 (class 1259 OID 16385)".
func (t *HeaderTOC) parseEntry(line string) error {
	id, rest, _ := strings.Cut(line, " (class ")
	class, rest, _ := strings.Cut(rest, " OID ")
	oid, end, _ := strings.Cut(rest, ")")
	n, err1 := strconv.ParseInt(id, 10, 32)
	c, err2 := strconv.ParseUint(class, 10, 32)
	o, err3 := strconv.ParseUint(oid, 10, 32)
	if err := errors.Join(err1, err2, err3); err != nil || n < 1 || end != "" {
		return fmt.Errorf("header of an item: TOC entry %.80q", line)
	}
	t.ID, t.TableOID, t.OID = int32(n), uint32(c), uint32(o)
	return nil
}

func (t *HeaderTOC) parseDependencies(line string) error {
	for word := range strings.SplitSeq(line, " ") {
		n, err := strconv.ParseInt(word, 10, 32)
		if err != nil || n < 1 {
			return fmt.Errorf("header of an item: dependency %.80q", word)
		}
		t.Dependencies = append(t.Dependencies, int32(n))
	}
	return nil
}

// Readings gives the ways to read the names, the likeliest first: the one
// whose kind stands last. A name may have a text like "; Type: " in it.
func (h Header) Readings() []Reading {
	var all []Reading
	for end := len(h.Names); ; {
		at := strings.LastIndex(h.Names[:end], typePart)
		if at < 0 {
			return all
		}
		text := h.Names[at+len(typePart):]
		desc := text[:len(text)-len(strings.TrimLeft(text, descBytes))]
		rest, ok := strings.CutPrefix(text[len(desc):], schemaPart)
		if ok && desc != "" {
			all = append(all, Reading{Tag: h.Names[:at], Desc: desc, Rest: rest})
		}
		if len(all) >= maxReadings {
			return all
		}
		end = at + len(typePart) - 1
	}
}

// maxReadings bounds the work on a header: names have up to 63 bytes each, but
// those of a function's arguments stand in its tag too.
const maxReadings = 64

// descBytes are what the kinds of items are written with.
const descBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZ "
