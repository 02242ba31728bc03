package pgarchive

import (
	"fmt"
	"strings"
	"time"
)

// TOC is the table of contents of an archive: a header and the entries in the
// order in which pg_restore works through them.
type TOC struct {
	Header  Header
	Entries []Entry
}

// Header is what stands before the entries.
type Header struct {
	Version Version
	IntSize uint8 // bytes of an integer after its sign byte; pg_dump writes 4
	OffSize uint8 // bytes of a file offset; pg_dump writes 8
	Format  Format

	// Level is the gzip level in archives before 1.15: -1 the default, 0 no
	// compression. Algorithm is what later ones have instead.
	Level     int32
	Algorithm Compression

	Time          Tm
	Database      NullString // name of the dumped database
	ServerVersion NullString // such as "15.20 (Debian 15.20-0+deb12u1)"
	DumpVersion   NullString // version of pg_dump in the same form
}

// Encoding gives the client_encoding that the archive's texts are in, such as
// "UTF8"; "" if no ENCODING entry names one.
func (t *TOC) Encoding() string {
	for i := range t.Entries {
		e := &t.Entries[i]
		_, quoted, _ := strings.Cut(e.Defn.String, "'")
		if name, _, isWhole := strings.Cut(quoted, "'"); e.Desc == DescEncoding && isWhole {
			return name
		}
	}
	return ""
}

// Compression gives the compression that the header announces. Data files say
// by their names how they are really compressed.
func (h *Header) Compression() Compression {
	switch {
	case h.Version.hasAlgorithm():
		return h.Algorithm
	case h.Level == 0:
		return None
	}
	return Gzip
}

// Tm is the local time at which the dump started, as C's struct tm has it. The
// time zone is not in the archive.
type Tm struct {
	Sec, Min, Hour, Day int32
	Month               int32 // 0 is January
	Year                int32 // since 1900
	IsDST               int32 // above 0 for daylight saving time, -1 unknown
}

// Clock gives the time as if the dump had been made in UTC.
func (t Tm) Clock() time.Time {
	return time.Date(int(t.Year)+1900, time.Month(t.Month)+1, int(t.Day),
		int(t.Hour), int(t.Min), int(t.Sec), 0, time.UTC)
}

// Format says in which kind of archive a TOC stands.
type Format uint8

// The formats. A directory-format archive calls itself tar, whose code it
// shares in PostgreSQL, and is refused under its own number 5.
const (
	FormatCustom Format = 1
	FormatTar    Format = 3
)

// String gives pg_restore's name of the format, which knows no directory
// format in a header.
func (f Format) String() string {
	switch f {
	case FormatCustom:
		return "custom"
	case FormatTar:
		return "directory"
	}
	return fmt.Sprintf("format %d", uint8(f))
}

// Compression is a compression algorithm, numbered as in the header.
type Compression uint8

// The compressions.
const (
	None Compression = iota
	Gzip
	LZ4
	Zstd
)

// String gives the name as pg_dump's --compress takes it.
func (c Compression) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("compression %d", uint8(c))
}

// DumpID identifies an entry within its TOC. It is above 0.
type DumpID int32

// Section is a third of a dump, or SectionNone for entries that belong where
// the entry before them belongs.
type Section int32

// The sections.
const (
	SectionNone Section = iota + 1
	SectionPreData
	SectionData
	SectionPostData
)

// String gives the name as pg_restore's --section takes it.
func (s Section) String() string {
	switch s {
	case SectionNone:
		return "none"
	case SectionPreData:
		return "pre-data"
	case SectionData:
		return "data"
	case SectionPostData:
		return "post-data"
	}
	return fmt.Sprintf("section %d", int32(s))
}

// NullString is a string or NULL. The two are different everywhere: an entry
// whose tablespace is "" is in the default one, with NULL it can have none.
type NullString struct {
	String string
	Valid  bool // false is NULL
}

// Str gives s as a string that is not NULL.
func Str(s string) NullString { return NullString{String: s, Valid: true} }

// Entry is one item of the dump. Text is in the client encoding of the dump.
type Entry struct {
	ID        DumpID
	HadDumper bool   // it has data of its own: TABLE DATA and BLOBS
	TableOID  uint32 // catalog of the object, 0 if none
	OID       uint32 // the object's OID in the dumped database, 0 if none
	Tag       string // name, mostly without quotes
	Desc      string // kind, such as "TABLE DATA"
	Section   Section

	Defn     NullString // SQL that makes it
	DropStmt NullString // SQL that drops it
	CopyStmt NullString // "COPY s.t (a, b) FROM stdin;\n" of a TABLE DATA, NULL with --inserts

	Namespace  NullString // schema
	Tablespace NullString // NULL: cannot have one; "": the default
	TableAM    NullString // since 1.14
	RelKind    byte       // pg_class.relkind of table-like entries, otherwise 0; since 1.16
	Owner      NullString
	WithOIDs   bool // a table made WITH OIDS, before PostgreSQL 12

	// Dependencies are the entries that must be restored before, as far as
	// they are in the archive. They may name others, and one twice.
	Dependencies []DumpID

	// File names the data file of a directory-format archive without its
	// suffix, or the list of large objects; "" if there is no data.
	File string

	// Offset says where a custom-format file has the data.
	Offset Offset
}

// IsLargeObjects tells whether the entry's data are large objects, to be read
// with LargeObjects rather than Data.
func (e *Entry) IsLargeObjects() bool { return e.Desc == DescBlobs }

// The kinds of entries that this package has to know.
const (
	DescEncoding     = "ENCODING"
	DescTable        = "TABLE"
	DescTableData    = "TABLE DATA"
	DescTableAttach  = "TABLE ATTACH"
	DescIndexAttach  = "INDEX ATTACH"
	DescBlob         = "BLOB"          // one large object, before 1.16
	DescBlobMetadata = "BLOB METADATA" // a group of large objects, since 1.16
	DescBlobs        = "BLOBS"         // the data of large objects
)

// Offset is the place of an entry's data in a custom-format file.
type Offset struct {
	State OffsetState
	Pos   int64 // bytes from the start of the file, of value in OffsetSet only
}

// OffsetState says what is known of an offset. It is 0 in directory-format
// archives.
type OffsetState uint8

// The states. pg_dump cannot set offsets when it writes into a pipe.
const (
	OffsetNotSet OffsetState = iota + 1
	OffsetSet
	OffsetNoData
)

// String names the state.
func (s OffsetState) String() string {
	switch s {
	case OffsetNotSet:
		return "not set"
	case OffsetSet:
		return "set"
	case OffsetNoData:
		return "no data"
	}
	return fmt.Sprintf("offset state %d", uint8(s))
}

// ByID gives the entries by their dump ID. The pointers are into Entries.
func (t *TOC) ByID() map[DumpID]*Entry {
	m := make(map[DumpID]*Entry, len(t.Entries))
	for i := range t.Entries {
		m[t.Entries[i].ID] = &t.Entries[i]
	}
	return m
}
