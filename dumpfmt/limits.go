package dumpfmt

// The largest sizes that readers accept from a file. A size in a file that is
// beyond its limit, or beyond what is left of the file, is an error before
// anything is allocated for it.
const (
	// MaxString is the largest string in a table of contents, in bytes.
	// PostgreSQL builds no text value or query beyond 1 GB.
	MaxString = 1 << 30

	// MaxTOC is the largest table of contents in bytes, decompressed. Ten
	// million large objects in an archive of PostgreSQL 15 take 3 GB.
	MaxTOC = 8 << 30

	// MaxEntries is the largest number of entries in a table of contents.
	MaxEntries = 1 << 26

	// MaxListLine is the longest line in a list of large objects, in bytes:
	// an OID, a blank and a file name of up to 255 bytes.
	MaxListLine = 4096

	// MaxList is the largest list of large objects in bytes, decompressed:
	// a hundred million lines.
	MaxList = 4 << 30

	// MaxRow is the longest row of COPY text, in bytes, where columns are
	// picked out of rows. Only small tables with settings are read so.
	MaxRow = 64 << 20

	// MaxRecord is the largest odx.json, in bytes: some 150 for each file of an
	// archive.
	MaxRecord = 512 << 20

	// MaxManifest is the largest manifest.json, in bytes: some 40 for each of a
	// million modules.
	MaxManifest = 64 << 20

	// MaxZstdWindow is the largest window of a zstd frame in bytes, which is
	// also libzstd's and so pg_restore's limit unless told otherwise.
	MaxZstdWindow = 1 << 27

	// MaxJoined is the number of independent errors that a joined error
	// spells out; the rest are counted.
	MaxJoined = 20
)
