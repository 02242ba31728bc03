package dumpfmt

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Layout names a way in which a dump lies on disk.
type Layout int

// The layouts that odx knows.
const (
	LayoutUnknown      Layout = iota
	LayoutFast                // manifest.json, dump/, filestore/, odx.json
	LayoutArchive             // a bare directory-format archive: toc.dat and data files
	LayoutClickOdoo           // manifest.json, db.dump (custom format), filestore/
	LayoutCustom              // a custom-format file, pg_dump -Fc
	LayoutZip                 // Odoo's standard zip
	LayoutScript              // a plain script of pg_dump
	LayoutPackedScript        // the same packed with gzip
)

// Names inside the layouts.
const (
	ArchiveDir    = "dump"
	FilestoreDir  = "filestore"
	ManifestFile  = "manifest.json"
	RecordFile    = "odx.json"
	ClickOdooDump = "db.dump"
)

// String gives the layout's name as the documentation has it.
func (l Layout) String() string {
	switch l {
	case LayoutFast:
		return "fast layout"
	case LayoutArchive:
		return "directory-format archive"
	case LayoutClickOdoo:
		return "click-odoo folder"
	case LayoutCustom:
		return "custom-format dump"
	case LayoutZip:
		return "Odoo zip"
	case LayoutScript:
		return "SQL script"
	case LayoutPackedScript:
		return "SQL script packed with gzip"
	}
	return "unknown layout"
}

// Detect tells which layout lies at path, by its content rather than by its
// name. The error matches fs.ErrNotExist when there is nothing, and ErrFormat
// when it is none of the layouts.
func Detect(path string) (Layout, error) {
	info, err := os.Stat(path)
	if err != nil {
		return LayoutUnknown, err
	}
	if info.IsDir() {
		return detectDir(path)
	}
	return detectFile(path)
}

func detectDir(path string) (Layout, error) {
	has := func(names ...string) bool {
		for _, n := range names {
			if _, err := os.Stat(filepath.Join(path, n)); err == nil {
				return true
			}
		}
		return false
	}
	fast := has(filepath.Join(ArchiveDir, "toc.dat"), filepath.Join(ArchiveDir, "toc.dat.gz"))
	archive := has("toc.dat", "toc.dat.gz")
	click := has(ClickOdooDump)
	switch {
	case fast && !archive && !click:
		return LayoutFast, refuseLinkOut(path, ArchiveDir)
	case archive && !fast && !click:
		return LayoutArchive, nil
	case click && !fast && !archive:
		return LayoutClickOdoo, refuseLinkOut(path, ClickOdooDump)
	case fast || archive || click:
		return LayoutUnknown, &FormatError{Path: path, Offset: -1,
			Err: fmt.Errorf("more than one dump in one folder (of dump/toc.dat, toc.dat, %s): name the one that is meant", ClickOdooDump)}
	case has(ArchiveDir, RecordFile):
		return LayoutUnknown, &FormatError{Path: path, Offset: -1,
			Err: fmt.Errorf("dump/toc.dat is missing: this backup is not complete")}
	}
	return LayoutUnknown, &FormatError{Path: path, Offset: -1,
		Err: fmt.Errorf("no dump in this folder: neither dump/toc.dat, toc.dat nor %s", ClickOdooDump)}
}

// refuseLinkOut refuses an archive that is a link to another place: a stranger's
// could lead to somebody else's backup.
func refuseLinkOut(backup, name string) error {
	path := filepath.Join(backup, name)
	if !isLink(path) || isInside(backup, name) {
		return nil
	}
	return &FormatError{Path: path, Offset: -1,
		Err: errors.New("a link that leads out of the backup, and is not followed; if it is yours, name what it leads to instead")}
}

func detectFile(path string) (Layout, error) {
	f, err := os.Open(path)
	if err != nil {
		return LayoutUnknown, err
	}
	defer f.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return LayoutUnknown, err
	}
	layout, err := detectHead(head[:n])
	if err != nil {
		return LayoutUnknown, &FormatError{Path: path, Offset: -1, Err: err}
	}
	return layout, nil
}

// headSize is how much of a file says what it is: titles of scripts may stand
// below other comments.
const headSize = 4096

// Titles that pg_dump and pg_dumpall put into their scripts.
const (
	scriptTitle  = "-- PostgreSQL database dump\n"
	clusterTitle = "-- PostgreSQL database cluster dump\n"
)

// detectHead tells a file's layout by its first bytes.
func detectHead(head []byte) (Layout, error) {
	starts := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	hasLine := func(line string) bool { return starts(line) || bytes.Contains(head, []byte("\n"+line)) }
	switch {
	case starts("PGDMP"):
		return LayoutCustom, nil
	case starts("PK\x03\x04"), starts("PK\x05\x06"):
		return LayoutZip, nil
	case starts("\x1f\x8b"):
		return detectPacked(head)
	case hasLine(clusterTitle):
		return LayoutUnknown, fmt.Errorf("%w: a script of pg_dumpall; odx takes those of pg_dump", ErrUnsupported)
	case hasLine(scriptTitle), hasLine(strings.Replace(scriptTitle, "\n", "\r\n", 1)):
		return LayoutScript, nil
	}
	return LayoutUnknown, errors.New("neither a custom-format dump (PGDMP), a zip nor a script of pg_dump")
}

// detectPacked tells what is packed in a gzip file that starts so.
func detectPacked(head []byte) (Layout, error) {
	z, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return LayoutUnknown, fmt.Errorf("packed with gzip, and damaged: %w", err)
	}
	text := make([]byte, headSize)
	n, _ := io.ReadFull(z, text) // the head of a file ends anywhere
	if layout, err := detectHead(text[:n]); layout != LayoutScript || err != nil {
		return LayoutUnknown, fmt.Errorf("%w: packed with gzip, and not a script of pg_dump; unpack it first (gunzip)", ErrUnsupported)
	}
	return LayoutPackedScript, nil
}
