package pgarchive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"odx/dumpfmt"
)

// Suffix gives what the names of files with this compression end in.
func (c Compression) Suffix() string {
	switch c {
	case Gzip:
		return ".gz"
	case LZ4:
		return ".lz4"
	case Zstd:
		return ".zst"
	}
	return ""
}

// lookupOrder is the order in which pg_restore tries the suffixes of a file
// that the table of contents names without.
var lookupOrder = [...]Compression{None, Gzip, LZ4, Zstd}

// suffixOf tells how the file of this name is compressed.
func suffixOf(name string) Compression {
	for _, c := range lookupOrder[1:] {
		if strings.HasSuffix(name, c.Suffix()) {
			return c
		}
	}
	return None
}

// candidates gives the names under which pg_restore looks for a file, in its
// order. A name that has a suffix is the only one.
func candidates(name string) []string {
	if suffixOf(name) != None {
		return []string{name}
	}
	names := make([]string, len(lookupOrder))
	for i, c := range lookupOrder {
		names[i] = name + c.Suffix()
	}
	return names
}

// checkName makes sure that a name from the archive names a file in its own
// folder.
func checkName(name string) error {
	if name == "" || name == "." || !filepath.IsLocal(name) || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%q is not the name of a file in the archive", name)
	}
	return nil
}

// find gives the file that holds the data named name in the archive's folder.
func (a *Archive) find(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", &dumpfmt.FormatError{Path: tocName, Offset: -1, Err: err}
	}
	for _, n := range candidates(name) {
		info, err := os.Stat(filepath.Join(a.path, n))
		switch {
		case err == nil && info.Mode().IsRegular():
			return n, nil
		case err == nil:
			return "", &dumpfmt.FormatError{Path: n, Offset: -1, Err: errors.New("not a regular file")}
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENAMETOOLONG):
			return "", err
		}
	}
	return "", &dumpfmt.FormatError{Path: name, Offset: -1, Err: errMissing}
}

// errMissing is what is wrong with a data file that is not there. It matches
// fs.ErrNotExist.
var errMissing = fmt.Errorf("data file is missing: %w", fs.ErrNotExist)

// openFile opens the file that holds the data named name, decoded.
func (a *Archive) openFile(name string) (*dataReader, error) {
	found, err := a.find(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(a.path, found))
	if err != nil {
		return nil, err
	}
	d := newFileReader(f, f, found)
	if want, ok := a.sums[found]; ok {
		d.hold(want)
	}
	return d, nil
}

// newFileReader decodes the file of this name, which r gives. It takes closer
// over.
func newFileReader(r io.Reader, closer io.Closer, name string) *dataReader {
	d := newDataReader(r, closer, name, fileEncoding(suffixOf(name)))
	// pg_dump's lz4 and zstd files of an empty large object have no frame.
	d.empty = d.enc == lz4Frames || d.enc == zstdFrames
	return d
}
