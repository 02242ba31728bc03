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

	a *Archive
}

// Open gives the content of the large object. The caller closes it. Read is as
// Archive.Data says.
func (lo LargeObject) Open() (io.ReadCloser, error) {
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
		if err := a.readList(a.dataName(e), yield); err != nil {
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

// checkLists compares the large objects that have data with those that the
// entries announce.
func (inv *inventory) checkLists(a *Archive) {
	var whole []uint32 // large objects with an entry of their own each
	for i := range a.TOC.Entries {
		if e := &a.TOC.Entries[i]; e.Desc == DescBlob {
			whole = append(whole, e.OID)
		}
	}
	byID := a.TOC.ByID()
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if !e.IsLargeObjects() || !e.HadDumper {
			continue
		}
		announced, from, ok := whole, "BLOB entries", len(whole) > 0
		if a.TOC.Header.Version.groupsLargeObjects() {
			announced, from, ok = groupOf(e, byID)
		}
		if !ok {
			continue
		}
		if err := a.compareList(e, announced, from); err != nil {
			inv.wrong = append(inv.wrong, err)
		}
	}
}

// groupOf gives the OIDs in the BLOB METADATA entry that a BLOBS entry depends
// on, and the name of that entry.
func groupOf(e *Entry, byID map[DumpID]*Entry) ([]uint32, string, bool) {
	for _, id := range e.Dependencies {
		m, ok := byID[id]
		if !ok || m.Desc != DescBlobMetadata {
			continue
		}
		var oids []uint32
		for line := range strings.Lines(m.Defn.String) {
			oid, err := strconv.ParseUint(strings.TrimSuffix(line, "\n"), 10, 32)
			if err != nil {
				return nil, "", false
			}
			oids = append(oids, uint32(oid))
		}
		return oids, m.describe(), true
	}
	return nil, "", false
}

func (a *Archive) compareList(e *Entry, announced []uint32, from string) error {
	var listed []uint32
	for lo, err := range a.LargeObjects(e) {
		if err != nil {
			return nil // found when the list was read before
		}
		listed = append(listed, lo.OID)
	}
	fail := func(format string, args ...any) error {
		return &dumpfmt.FormatError{Path: a.dataName(e), Offset: -1, Err: fmt.Errorf(format, args...)}
	}
	announced = slices.Sorted(slices.Values(announced))
	slices.Sort(listed)
	for i, oid := range listed {
		if i > 0 && listed[i-1] == oid {
			return fail("large object %d is listed twice", oid)
		}
		if _, ok := slices.BinarySearch(announced, oid); !ok {
			return fail("large object %d is not among the %s", oid, from)
		}
	}
	for _, oid := range announced {
		if _, ok := slices.BinarySearch(listed, oid); !ok {
			return fail("large object %d of the %s is not listed", oid, from)
		}
	}
	return nil
}
