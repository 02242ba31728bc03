package rebuild

import (
	"errors"
	"io"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

// Sink takes the data of the script as they stream by. One stream is open at a
// time. What Write gets is valid during the call only. Close is called when all
// data of the stream were written, and not after an error.
type Sink interface {
	// Table starts the data of a TABLE DATA entry: what its data file holds,
	// COPY text with its end mark or INSERT statements. That is also what the
	// script has from this offset on, byte for byte. Of INSERT statements each
	// Write gets whole ones, and the empty lines after the last one. The entry
	// is complete but for its dependencies, and valid during the call only.
	Table(e *pgarchive.Entry, offset int64) (io.WriteCloser, error)
	// LargeObject starts the content of a large object of a BLOBS entry. It is
	// in statements, which start at this offset of the script and take more than
	// two bytes for each of the content.
	LargeObject(blobs pgarchive.DumpID, oid uint32, offset int64) (io.WriteCloser, error)
}

// Options say what a script does not.
type Options struct {
	// Name stands in errors for the script; "" leaves it out.
	Name string
	// Time is the time of the dump for the archive's header. The zero value
	// becomes the time that --verbose prints, or else the start of 1970.
	Time pgarchive.Tm
	// Compression of the data files, for the archive's header. Readers go by
	// the files' names.
	Compression pgarchive.Compression
}

// Result is what Read makes of a script.
type Result struct {
	TOC   *pgarchive.TOC
	Lists []List // the BLOBS entries, in the order of the script
	Frame Frame
}

// List says which large objects belong to a BLOBS entry. The file that its
// entry names has a line for each, see Text.
type List struct {
	Entry pgarchive.DumpID
	File  string
	OIDs  []uint32
}

// Text gives the content of the list's file.
func (l List) Text() []byte {
	var text []byte
	for _, oid := range l.OIDs {
		text = pgarchive.AppendLargeObject(text, oid)
	}
	return text
}

// Frame is what is in a script and not in an archive. With it and the archive
// the same script can be printed again.
type Frame struct {
	// RestrictKey is the key of the \restrict lines, "" if there are none.
	RestrictKey string
	// Settings is the text of the SET block, up to the empty line after it.
	Settings string
	// Started and Completed are the times that --verbose prints, as they
	// stand in the script; "" if they do not.
	Started, Completed string
	// Verbose tells that headers name the TOC entry. Printed are the
	// dependencies that they name, which are fewer than those of the entry.
	Verbose bool
	Printed map[pgarchive.DumpID][]pgarchive.DumpID
	// HasOwners tells that some header names an owner.
	HasOwners bool
	// QuotesAll tells that all names are in quotes, which an archive does not
	// have for those of owners, tablespaces and access methods.
	QuotesAll bool
	// Connect is the lines with which a script goes on in the database that it
	// makes, between the \restrict lines; "" if it makes none.
	Connect string
	// DropDatabase is the statement with which it drops it before; "" if not.
	DropDatabase string
}

// Read makes an archive's table of contents of a plain script of pg_dump or
// pg_restore, and hands the data to the sink, which may be nil. It reads the
// script once. All SQL is held in memory, data are not.
//
// Whatever is not as pg_dump writes it is an error, a *dumpfmt.FormatError with
// the offset and the line. Errors of the reader and the sink are passed on.
func Read(r io.Reader, sink Sink, o Options) (*Result, error) {
	if sink == nil {
		sink = discard{}
	}
	b := newBuilder(r, sink, o)
	if err := b.read(); err != nil {
		return nil, err
	}
	return b.result(o)
}

// ReadHead reads a script as far as its first data, or to its end if it has
// none, and gives the table of contents of that part: all that stands before
// the data, with the dump IDs and dependencies that Read gives it. What it takes
// from r beyond that is a buffer.
func ReadHead(r io.Reader, o Options) (*Result, error) {
	b := newBuilder(r, stopper{}, o)
	if err := b.read(); err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	return b.result(o)
}

// stopper is a sink that ends reading where data start.
type stopper struct{}

var errStop = errors.New("data start here")

func (stopper) Table(*pgarchive.Entry, int64) (io.WriteCloser, error) { return nil, errStop }
func (stopper) LargeObject(pgarchive.DumpID, uint32, int64) (io.WriteCloser, error) {
	return nil, errStop
}

func newBuilder(r io.Reader, sink Sink, o Options) *builder {
	b := &builder{
		script: script{sc: sqlscript.NewScanner(r, o.Name)},
		sink:   sink,
		ids:    make(map[pgarchive.DumpID]bool),
		tables: make(map[key][]*item),
		loaded: make(map[key]bool),
		// Objects of the system may have comments and ACLs.
		schemas: map[string]bool{"-": true, "public": true, "pg_catalog": true, "information_schema": true},
	}
	b.frame.Printed = make(map[pgarchive.DumpID][]pgarchive.DumpID)
	return b
}

// discard is a sink that keeps nothing.
type discard struct{}

func (discard) Table(*pgarchive.Entry, int64) (io.WriteCloser, error) { return discard{}, nil }
func (discard) LargeObject(pgarchive.DumpID, uint32, int64) (io.WriteCloser, error) {
	return discard{}, nil
}
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

// builder reads a script and collects what is in it.
type builder struct {
	script
	sink  Sink
	frame Frame

	major   int // of the pg_dump that made the script
	version pgarchive.Version
	remote  string
	dumper  string
	space   pgarchive.NullString // default_tablespace; NULL is unknown
	am      pgarchive.NullString // default_table_access_method
	isSet   struct{ space, am bool }

	items       []*item
	tables      map[key][]*item // by their name in headers
	loaded      map[key]bool    // tables whose data came
	schemas     map[string]bool // that headers named so far, in their form there
	lists       []List
	ids         map[pgarchive.DumpID]bool
	lastID      pgarchive.DumpID
	isBare      bool // a name that an archive has without quotes has none here either
	isQuoted    bool // one has
	dataStarted bool // an entry of the data or post-data section was met
	postStarted bool // one that is restored after the data
}

// read reads the script from its first to its last byte.
func (b *builder) read() error {
	if err := b.next(); err != nil {
		return err
	}
	if err := b.readStart(); err != nil {
		return err
	}
	for {
		var err error
		switch {
		case b.is(sqlscript.HeaderComment):
			err = b.readItem()
		case b.isDefault():
			err = b.readDefault()
		default:
			return b.readEnd()
		}
		if err != nil {
			return err
		}
	}
}
