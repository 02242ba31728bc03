package odoozip

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"odx/dumpfmt"
)

// Names of members.
const (
	DumpName     = "dump.sql"
	ManifestName = dumpfmt.ManifestFile
	FilestoreDir = dumpfmt.FilestoreDir + "/"
	OdxDir       = "odx/"
)

// maxName is the longest name in bytes: no system takes a longer path.
const maxName = 4096

// Kind says what a member is to Odoo and to odx.
type Kind uint8

// The kinds, in the order in which members are written.
const (
	KindDump      Kind = iota // dump.sql
	KindManifest              // manifest.json
	KindFilestore             // a file below filestore/
	KindOther                 // anything else, and a member that another of the same name hides
	KindOdx                   // a file below odx/
	KindDirectory             // a directory, wherever it is
)

// String gives the kind as messages have it.
func (k Kind) String() string {
	switch k {
	case KindDump:
		return "SQL script"
	case KindManifest:
		return "manifest"
	case KindFilestore:
		return "filestore file"
	case KindOdx:
		return "odx member"
	case KindDirectory:
		return "directory"
	}
	return "other file"
}

// KindOf tells the kind of a member from its name below the folder on top.
func KindOf(name string) Kind {
	switch {
	case strings.HasSuffix(name, "/"):
		return KindDirectory
	case name == DumpName:
		return KindDump
	case name == ManifestName:
		return KindManifest
	case strings.HasPrefix(name, FilestoreDir):
		return KindFilestore
	case strings.HasPrefix(name, OdxDir):
		return KindOdx
	}
	return KindOther
}

// Compare orders names as members are written: dump.sql, manifest.json, the
// filestore, others, odx's own; by bytes among themselves. A directory stands
// before what is in it.
func Compare(a, b string) int {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
}

// rank is the kind of a name, a directory counting as what is in it.
func rank(name string) Kind {
	if strings.HasSuffix(name, "/") {
		name += "x"
	}
	return KindOf(name)
}

// CheckName tells why a name may not be that of a member: it leads out of the
// folder that it is extracted to, on some system at least, or does not say
// clearly where to. A name that passes is a relative path with slashes and
// without empty, "." or ".." parts; a directory's ends with one slash. It may
// still be one that some system cannot have, such as "aux" or "a?".
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("empty name")
	case len(name) > maxName:
		return fmt.Errorf("name of %d bytes", len(name))
	case strings.HasPrefix(name, "/"):
		return errors.New("absolute name")
	case strings.ContainsRune(name, '\\'):
		return errors.New("backslash in name")
	case strings.ContainsRune(name, 0):
		return errors.New("zero byte in name")
	case len(name) > 1 && name[1] == ':' && isLetter(name[0]):
		return errors.New("drive letter in name")
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		switch part {
		case "":
			return errors.New("doubled slash in name")
		case ".", "..":
			return fmt.Errorf("part %q in name", part)
		}
	}
	return nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// dotDir is what some programs put before each name.
const dotDir = "./"

// cleanName is a name without the "./" that some programs put before it, "" for
// that directory itself.
func cleanName(name string) string { return strings.TrimPrefix(name, dotDir) }

// CheckMember is CheckName of a name that may begin with "./", or be that
// directory's, as other programs write them.
func CheckMember(name string) error {
	if name == dotDir {
		return nil
	}
	return CheckName(cleanName(name))
}

// isASCII tells whether a name needs no mark that says how it is encoded.
func isASCII(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
