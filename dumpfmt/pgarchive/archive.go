package pgarchive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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

	path   string
	needs  int
	custom *customFile       // nil for a folder
	sums   map[string]string // see HoldAgainst
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
	if info.IsDir() {
		err = a.openDir()
	} else {
		err = a.openCustom()
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Archive) openDir() error {
	names, err := a.names()
	if err != nil {
		return err
	}
	if err := a.refuseLinksOut(names); err != nil {
		return err
	}
	if a.TOC, err = a.readDirTOC(); err != nil {
		return err
	}
	a.needs = a.TOC.Header.Version.needsMajor()
	for _, d := range names {
		if c := suffixOf(d.Name()); c == LZ4 || c == Zstd {
			a.needs = max(a.needs, 16)
			break
		}
	}
	return nil
}

// names lists the folder, in no order.
func (a *Archive) names() ([]fs.DirEntry, error) {
	d, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

// refuseLinksOut finds links to what is not in the folder: such an archive could
// have any file of the machine loaded as the data of a table.
func (a *Archive) refuseLinksOut(names []fs.DirEntry) error {
	root, err := os.OpenRoot(a.path)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, d := range names {
		if d.Type()&fs.ModeSymlink == 0 {
			continue
		}
		_, err := root.Stat(d.Name())
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue // a link within the folder, or to nothing
		}
		return &dumpfmt.FormatError{Path: d.Name(), Offset: -1, Err: fmt.Errorf("link that leads out of the archive: %w", err)}
	}
	return nil
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
	size, limit := int64(-1), int64(dumpfmt.MaxTOC)
	if f, ok := r.closer.(*os.File); ok {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if r.enc == plain {
			size = info.Size()
		} else {
			limit = PackedLimit(info.Size())
		}
	}
	t, _, err := readLimitedTOC(r, tocName, size, limit)
	if err != nil {
		return nil, err
	}
	if t.Header.Format != FormatTar {
		return nil, &dumpfmt.FormatError{Path: tocName, Offset: -1, Field: "header, format",
			Err: fmt.Errorf("%s format in a folder", t.Header.Format)}
	}
	return t, nil
}

// PackedLimit gives the largest table of contents, in bytes, that is unpacked
// from a file of this size. Large objects take up to 40 times as much as packed;
// equal partitions take 250 times as much, but a hundred thousand of them less
// than the least limit.
func PackedLimit(size int64) int64 {
	const least, times = 256 << 20, 100
	return min(max(least, times*size), dumpfmt.MaxTOC)
}

// Path gives the path that was opened.
func (a *Archive) Path() string { return a.path }

// HoldAgainst gives the SHA-256 that files of a folder ought to have, in
// hexadecimal digits, by name. From now on the end of a data file of another
// content is a *dumpfmt.FormatError instead of io.EOF.
func (a *Archive) HoldAgainst(sums map[string]string) { a.sums = sums }

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
	if a.custom != nil {
		return a.custom.data(a.TOC, e)
	}
	return a.openFile(e.File)
}

// describe names an entry in messages. The tag of a function has all its
// arguments.
func (e *Entry) describe() string {
	return fmt.Sprintf("entry with ID %d (%.100s %.1000s)", e.ID, e.Desc, e.Tag)
}

// File is a file of the archive.
type File struct {
	Name  string // within the archive's folder, or of the custom-format file
	Size  int64  // bytes on disk
	Entry DumpID // whose data it holds; 0 for the table of contents
}

// Files lists the files of the archive: the table of contents first, then by
// name. A file that should be there and is not gives an error that matches
// fs.ErrNotExist. Of a custom-format archive it gives the file itself.
func (a *Archive) Files() ([]File, error) {
	if a.custom != nil {
		return []File{{Name: a.custom.name, Size: a.custom.size}}, nil
	}
	inv, err := a.takeInventory()
	if err != nil {
		return nil, err
	}
	if err := joinErrors(inv.wrong, inv.more); err != nil {
		return nil, err
	}
	files := []File{inv.toc}
	for _, it := range inv.items {
		files = append(files, File{Name: it.file, Size: it.size, Entry: it.entry.ID})
	}
	slices.SortFunc(files[1:], func(x, y File) int { return cmp.Compare(x.Name, y.Name) })
	return files, nil
}

// Unused lists files in the archive's folder that belong to no entry, by name.
func (a *Archive) Unused() ([]string, error) {
	if a.custom != nil {
		return nil, nil
	}
	inv, err := a.takeInventory()
	if err != nil {
		return nil, err
	}
	return inv.unused, nil
}

// Sizes gives for each entry with data the bytes that they take on disk, all
// large objects of a BLOBS entry and their list together. A custom-format file
// that was written into a pipe is read once for it.
func (a *Archive) Sizes() (map[DumpID]int64, error) {
	inv, err := a.takeInventory()
	if err != nil {
		return nil, err
	}
	sizes := make(map[DumpID]int64)
	for _, it := range inv.items {
		sizes[it.entry.ID] += it.size
	}
	return sizes, joinErrors(inv.wrong, inv.more)
}
