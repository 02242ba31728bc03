package pgarchive

import (
	"errors"
	"fmt"
	"slices"

	"odx/dumpfmt"
)

// DataFile names the data file of a table's entry, without a suffix.
func (id DumpID) DataFile() string { return fmt.Sprintf("%d.dat", id) }

// LargeObjectFile names the data file of a large object, without a suffix.
func LargeObjectFile(oid uint32) string { return fmt.Sprintf("blob_%d.dat", oid) }

// AppendLargeObject adds the line of a large object to a list of them.
func AppendLargeObject(list []byte, oid uint32) []byte {
	return fmt.Appendf(list, "%d %s\n", oid, LargeObjectFile(oid))
}

// Folder gives the table of contents of a directory-format archive with the
// same entries. They share their dependencies with those of t.
func (t *TOC) Folder() *TOC {
	f := &TOC{Header: t.Header, Entries: slices.Clone(t.Entries)}
	f.Header.Format = FormatTar
	for i := range f.Entries {
		e := &f.Entries[i]
		e.Offset = Offset{}
		switch {
		case !e.HadDumper:
			e.File = ""
		case e.IsLargeObjects() && !t.Header.Version.groupsLargeObjects():
			e.File = oldList
		case e.IsLargeObjects():
			e.File = fmt.Sprintf("blobs_%d.toc", e.ID)
		default:
			e.File = e.ID.DataFile()
		}
	}
	return f
}

// ObjectLists gives the OIDs of the large objects that belong to each BLOBS
// entry, in the order in which pg_dump lists them.
func (t *TOC) ObjectLists() (map[DumpID][]uint32, error) {
	lists := map[DumpID][]uint32{}
	for id, x := range expectLargeObjects(t) {
		if !x.valid {
			return nil, &dumpfmt.FormatError{Offset: -1, Field: fmt.Sprintf("entry with ID %d", id),
				Err: errors.New("nothing says which large objects belong to it")}
		}
		lists[id] = x.oids
	}
	return lists, nil
}
