package pgarchive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"odx/dumpfmt"
)

// oldList is the list of large objects in archives that do not group them.
// Their reader ignores the name in the entry.
const oldList = "blobs.toc"

// LargeObject is a large object in an archive.
type LargeObject struct {
	OID  uint32
	File string // its data file without suffix, in directory-format archives

	a   *Archive
	pos int64 // of its first chunk in a custom-format file
}

// Open gives the content of the large object. The caller closes it. Read is as
// Archive.Data says.
func (lo LargeObject) Open() (io.ReadCloser, error) {
	if c := lo.a.custom; c != nil {
		return c.openChunks(lo.pos, lo.a.TOC, fmt.Sprintf("large object %d", lo.OID))
	}
	return lo.a.openFile(lo.File)
}

// LargeObjects goes through the large objects of a BLOBS entry in the order of
// the archive. An error ends it; those about the content are a
// *dumpfmt.FormatError.
func (a *Archive) LargeObjects(e *Entry) iter.Seq2[LargeObject, error] {
	return func(yield func(LargeObject, error) bool) {
		if !e.IsLargeObjects() || !e.HadDumper {
			yield(LargeObject{}, fmt.Errorf("%s has no large objects", e.describe()))
			return
		}
		var err error
		if a.custom != nil {
			err = a.custom.largeObjects(a, e, yield)
		} else {
			err = a.readList(a.dataName(e), yield)
		}
		if err != nil {
			yield(LargeObject{}, err)
		}
	}
}

// dataName gives the name of the file with the entry's data, or with the list
// of its large objects.
func (a *Archive) dataName(e *Entry) string {
	if e.IsLargeObjects() && !a.TOC.Header.Version.groupsLargeObjects() {
		return oldList
	}
	return e.File
}

// readList yields the lines of a list of large objects.
func (a *Archive) readList(name string, yield func(LargeObject, error) bool) error {
	r, err := a.openFile(name)
	if err != nil {
		return err
	}
	defer r.Close()
	br := bufio.NewReaderSize(io.LimitReader(r, dumpfmt.MaxList), dumpfmt.MaxListLine)
	var offset int64
	for line := 1; ; line++ {
		text, err := br.ReadSlice('\n')
		if err == io.EOF && len(text) == 0 {
			return nil
		}
		fail := func(err error) error {
			return &dumpfmt.FormatError{Path: r.path, Offset: offset, Field: "line " + strconv.Itoa(line), Err: err}
		}
		switch {
		case err == io.EOF:
			return fail(fmt.Errorf("no end of line: %w", io.ErrUnexpectedEOF))
		case errors.Is(err, bufio.ErrBufferFull):
			return fail(fmt.Errorf("longer than %d bytes", dumpfmt.MaxListLine))
		case err != nil:
			return err
		}
		lo, err := parseListLine(text[:len(text)-1])
		if err != nil {
			return fail(err)
		}
		lo.a = a
		if !yield(lo, nil) {
			return nil
		}
		offset += int64(len(text))
	}
}

// parseListLine reads "910001 blob_910001.dat".
func parseListLine(line []byte) (LargeObject, error) {
	number, name, ok := bytes.Cut(line, []byte(" "))
	oid, err := strconv.ParseUint(string(number), 10, 32)
	if !ok || err != nil || oid == 0 {
		return LargeObject{}, fmt.Errorf("%.80q is not an OID and a file name", line)
	}
	if err := checkName(string(name)); err != nil {
		return LargeObject{}, err
	}
	return LargeObject{OID: uint32(oid), File: string(name)}, nil
}

// expectation is what the entries say of the large objects that a BLOBS entry
// has the data of.
type expectation struct {
	oids  []uint32 // sorted
	from  string   // which entries say so
	valid bool     // they do
}

// expectLargeObjects gives the expectation for each BLOBS entry.
func expectLargeObjects(t *TOC) map[DumpID]expectation {
	groups := t.Header.Version.groupsLargeObjects()
	all := expectation{from: "BLOB entries"}
	var lists []*Entry
	for i := range t.Entries {
		switch e := &t.Entries[i]; {
		case e.IsLargeObjects():
			lists = append(lists, e)
		case e.Desc == DescBlob:
			all.oids = append(all.oids, e.OID)
			all.valid = true
		}
	}
	slices.Sort(all.oids)
	expected := make(map[DumpID]expectation, len(lists))
	var byID map[DumpID]*Entry
	read := make(map[DumpID]expectation)
	for _, e := range lists {
		if !groups {
			expected[e.ID] = all
			continue
		}
		if byID == nil {
			byID = t.ByID()
		}
		expected[e.ID] = expectGroup(e, byID, read)
	}
	return expected
}

// expectGroup gives the OIDs in the BLOB METADATA entry that a BLOBS entry
// depends on. It reads each only once.
func expectGroup(e *Entry, byID map[DumpID]*Entry, read map[DumpID]expectation) expectation {
	for _, id := range e.Dependencies {
		m, ok := byID[id]
		if !ok || m.Desc != DescBlobMetadata {
			continue
		}
		x, ok := read[id]
		if !ok {
			x = readGroup(m)
			read[id] = x
		}
		return x
	}
	return expectation{}
}

// readGroup reads the OIDs in a BLOB METADATA entry.
func readGroup(m *Entry) expectation {
	x := expectation{from: m.describe(), valid: true}
	for line := range strings.Lines(m.Defn.String) {
		oid, err := strconv.ParseUint(strings.TrimSuffix(line, "\n"), 10, 32)
		if err != nil {
			return expectation{}
		}
		x.oids = append(x.oids, uint32(oid))
	}
	slices.Sort(x.oids)
	return x
}

// compare holds the large objects that have data against the expectation.
func (x expectation) compare(listed []uint32) error {
	slices.Sort(listed)
	for i, oid := range listed {
		if i > 0 && listed[i-1] == oid {
			return fmt.Errorf("large object %d is listed twice", oid)
		}
		if _, ok := slices.BinarySearch(x.oids, oid); !ok && x.valid {
			return fmt.Errorf("large object %d is not among the %s", oid, x.from)
		}
	}
	for _, oid := range x.oids {
		if _, ok := slices.BinarySearch(listed, oid); !ok {
			return fmt.Errorf("large object %d of the %s is not listed", oid, x.from)
		}
	}
	return nil
}
