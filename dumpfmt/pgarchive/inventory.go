package pgarchive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"odx/dumpfmt"
)

// inventory is what lies in the folder of an archive, put against what the
// table of contents names.
type inventory struct {
	toc    File
	items  []item
	wrong  []error  // as far as blame keeps it
	more   int      // errors that it did not keep
	unused []string // names that nothing refers to, sorted

	expected map[DumpID]expectation
}

// maxBlame is the number of errors that are kept: a list of large objects can
// have a hundred million lines, each with its own.
const maxBlame = 10_000

// blame records what is wrong.
func (inv *inventory) blame(err error) {
	if len(inv.wrong) == maxBlame {
		inv.more++
		return
	}
	inv.wrong = append(inv.wrong, err)
}

// item is one file with data.
type item struct {
	entry *Entry
	file  string
	oid   uint32 // of the large object whose content it is
	pos   int64  // of the block in a custom-format file
	size  int64
	kind  contentKind
}

// contentKind says what an item's bytes must end in.
type contentKind uint8

const (
	anyBytes contentKind = iota // large objects, and kinds of old archives
	listText                    // list of large objects
	copyText
	insertText
)

// kindOf tells what the data of an entry consist of.
func kindOf(e *Entry) contentKind {
	switch {
	case e.IsLargeObjects():
		return listText
	case e.Desc == DescTableData && e.CopyStmt.Valid:
		return copyText
	case e.Desc == DescTableData:
		return insertText
	}
	return anyBytes
}

func (a *Archive) takeInventory() (*inventory, error) {
	if a.custom != nil {
		return a.custom.takeInventory(a.TOC)
	}
	left, err := a.listFolder()
	if err != nil {
		return nil, err
	}
	inv := &inventory{expected: expectLargeObjects(a.TOC)}
	if name, size, ok := take(left, tocName); ok {
		inv.toc = File{Name: name, Size: size}
	}
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if e.HadDumper != (e.File != "") {
			inv.blame(&dumpfmt.FormatError{Path: tocName, Offset: -1, Field: e.describe(),
				Err: fmt.Errorf("file %.100q does not go with its data flag %t", e.File, e.HadDumper)})
			continue
		}
		if e.HadDumper {
			inv.addEntry(a, e, left)
		}
	}
	for name := range left {
		inv.unused = append(inv.unused, name)
	}
	slices.Sort(inv.unused)
	return inv, nil
}

// listFolder gives the size of each file in the folder, and -1 for what is not
// a regular file.
func (a *Archive) listFolder() (map[string]int64, error) {
	list, err := os.ReadDir(a.path)
	if err != nil {
		return nil, err
	}
	files := make(map[string]int64, len(list))
	for _, d := range list {
		info, err := os.Stat(filepath.Join(a.path, d.Name()))
		switch {
		case err == nil && info.Mode().IsRegular():
			files[d.Name()] = info.Size()
		case err == nil || errors.Is(err, fs.ErrNotExist): // a folder, or a dangling link
			files[d.Name()] = -1
		default:
			return nil, err
		}
	}
	return files, nil
}

// take finds the file that holds the data named name as find does, and strikes
// it off.
func take(left map[string]int64, name string) (string, int64, bool) {
	for _, n := range candidates(name) {
		if size, ok := left[n]; ok && size >= 0 {
			delete(left, n)
			return n, size, true
		}
	}
	return "", 0, false
}

func (inv *inventory) addEntry(a *Archive, e *Entry, left map[string]int64) {
	kind := kindOf(e)
	if !inv.add(a, item{entry: e, file: a.dataName(e), kind: kind}, left) || kind != listText {
		return
	}
	var listed []uint32
	for lo, err := range a.LargeObjects(e) {
		if err != nil {
			inv.blame(err)
			return
		}
		listed = append(listed, lo.OID)
		inv.add(a, item{entry: e, file: lo.File, kind: anyBytes, oid: lo.OID}, left)
	}
	if err := inv.expected[e.ID].compare(listed); err != nil {
		inv.blame(&dumpfmt.FormatError{Path: a.dataName(e), Offset: -1, Err: err})
	}
}

// add finds the file of an item, which names it without its suffix.
func (inv *inventory) add(a *Archive, it item, left map[string]int64) bool {
	name := it.file
	fail := func(err error) bool {
		inv.blame(&dumpfmt.FormatError{Path: name, Offset: -1,
			Err: fmt.Errorf("%w (%s)", err, it.entry.describe())})
		return false
	}
	if err := checkName(name); err != nil {
		return fail(err)
	}
	file, size, ok := take(left, name)
	if !ok {
		if _, err := a.find(name); err == nil {
			return fail(errors.New("named a second time"))
		}
		return fail(errMissing)
	}
	it.file, it.size = file, size
	inv.items = append(inv.items, it)
	return true
}
