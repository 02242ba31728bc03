package pgarchive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"odx/dumpfmt"
)

// tocName is the table of contents in the folder of a directory-format
// archive. pg_restore also accepts it compressed.
const tocName = "toc.dat"

// Archive is an archive open for reading. Its methods may be called from
// several goroutines as long as none changes the TOC.
type Archive struct {
	TOC *TOC

	path  string
	needs int
}

// Open reads the table of contents of the directory-format archive in the
// folder path, or of the custom-format file path. It keeps no file open.
//
// Errors about the content are a *dumpfmt.FormatError, whose path is that of
// a file within the archive.
func Open(path string) (*Archive, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	a := &Archive{path: path}
	if !info.IsDir() {
		return nil, &dumpfmt.FormatError{Path: path, Offset: -1, Err: dumpfmt.ErrUnsupported}
	}
	if err := a.openDir(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Archive) openDir() error {
	names, err := a.names()
	if err != nil {
		return err
	}
	if a.TOC, err = a.readDirTOC(); err != nil {
		return err
	}
	a.needs = a.TOC.Header.Version.needsMajor()
	for _, n := range names {
		if c := suffixOf(n); c == LZ4 || c == Zstd {
			a.needs = max(a.needs, 16)
			break
		}
	}
	return nil
}

// names lists the folder, in no order.
func (a *Archive) names() ([]string, error) {
	d, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (a *Archive) readDirTOC() (*TOC, error) {
	r, err := a.openFile(tocName)
	if errors.Is(err, errMissing) {
		return nil, &dumpfmt.FormatError{Path: tocName, Offset: -1,
			Err: fmt.Errorf("missing: no archive, or one that was not finished: %w", fs.ErrNotExist)}
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	size := int64(-1)
	if f, ok := r.closer.(*os.File); ok && r.enc == plain {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		size = info.Size()
	}
	t, err := ReadTOC(r, tocName, size)
	if err != nil {
		return nil, err
	}
	if t.Header.Format != FormatTar {
		return nil, &dumpfmt.FormatError{Path: tocName, Offset: -1, Field: "header, format",
			Err: fmt.Errorf("%s format in a folder", t.Header.Format)}
	}
	return t, nil
}

// Path gives the path that was opened.
func (a *Archive) Path() string { return a.path }

// NeedsMajor gives the oldest PostgreSQL major release whose pg_restore reads
// the archive, 10 or more.
func (a *Archive) NeedsMajor() int { return a.needs }

// Data gives the data of a TABLE DATA entry as COPY text with its end mark, or
// as INSERT statements if the entry has no CopyStmt. The caller closes it.
//
// Read gives io.EOF only when the compressed stream was whole; a stream that
// is damaged or ends too early gives a *dumpfmt.FormatError. That the text
// itself is whole is for Check, or for who reads the text.
func (a *Archive) Data(e *Entry) (io.ReadCloser, error) {
	switch {
	case !e.HadDumper:
		return nil, fmt.Errorf("%s has no data", e.describe())
	case e.IsLargeObjects():
		return nil, fmt.Errorf("%s has large objects instead of one stream", e.describe())
	}
	return a.openFile(e.File)
}

// describe names an entry in messages.
func (e *Entry) describe() string {
	return fmt.Sprintf("entry %d (%s %s)", e.ID, e.Desc, e.Tag)
}

// File is a file of the archive.
type File struct {
	Name  string // within the archive's folder, or of the custom-format file
	Size  int64  // bytes on disk
	Entry DumpID // whose data it holds; 0 for the table of contents
}

// Files lists the files of the archive: the table of contents first, then by
// name. A file that should be there and is not gives an error that matches
// fs.ErrNotExist.
func (a *Archive) Files() ([]File, error) {
	inv, err := a.takeInventory()
	if err != nil {
		return nil, err
	}
	if err := joinErrors(inv.wrong); err != nil {
		return nil, err
	}
	files := []File{inv.toc}
	for _, it := range inv.items {
		files = append(files, File{Name: it.file, Size: it.size, Entry: it.entry.ID})
	}
	slices.SortFunc(files[1:], func(x, y File) int { return cmp.Compare(x.Name, y.Name) })
	return files, nil
}

// Sizes gives for each entry with data the bytes that they take on disk, all
// large objects of a BLOBS entry and their list together.
func (a *Archive) Sizes() (map[DumpID]int64, error) {
	files, err := a.Files()
	if err != nil {
		return nil, err
	}
	sizes := make(map[DumpID]int64)
	for _, f := range files[1:] {
		sizes[f.Entry] += f.Size
	}
	return sizes, nil
}

// inventory is what lies in the folder of an archive, put against what the
// table of contents names.
type inventory struct {
	toc    File
	items  []item
	wrong  []error
	unused []string // names that nothing refers to, sorted
}

// item is one file with data.
type item struct {
	entry *Entry
	file  string
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

func (a *Archive) takeInventory() (*inventory, error) {
	left, err := a.listFolder()
	if err != nil {
		return nil, err
	}
	inv := &inventory{}
	if name, size, ok := take(left, tocName); ok {
		inv.toc = File{Name: name, Size: size}
	}
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if e.HadDumper != (e.File != "") {
			inv.wrong = append(inv.wrong, &dumpfmt.FormatError{Path: tocName, Offset: -1, Field: e.describe(),
				Err: fmt.Errorf("file %q does not go with its data flag %t", e.File, e.HadDumper)})
			continue
		}
		if e.HadDumper {
			inv.addEntry(a, e, left)
		}
	}
	inv.checkLists(a)
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
	kind := anyBytes
	switch {
	case e.IsLargeObjects():
		kind = listText
	case e.Desc == DescTableData && e.CopyStmt.Valid:
		kind = copyText
	case e.Desc == DescTableData:
		kind = insertText
	}
	if !inv.add(a, e, a.dataName(e), kind, left) || kind != listText {
		return
	}
	for lo, err := range a.LargeObjects(e) {
		if err != nil {
			inv.wrong = append(inv.wrong, err)
			return
		}
		inv.add(a, e, lo.File, anyBytes, left)
	}
}

func (inv *inventory) add(a *Archive, e *Entry, name string, kind contentKind, left map[string]int64) bool {
	fail := func(err error) bool {
		inv.wrong = append(inv.wrong, &dumpfmt.FormatError{Path: name, Offset: -1,
			Err: fmt.Errorf("%w (%s)", err, e.describe())})
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
	inv.items = append(inv.items, item{entry: e, file: file, size: size, kind: kind})
	return true
}
