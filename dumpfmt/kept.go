package dumpfmt

// KeptDir is the folder of a fast layout with what stood in a zip that the
// other files do not say; ExtraDir has the zip's members that belong to neither
// dump nor filestore. Nothing but the way back to a zip needs them.
const (
	KeptDir  = "kept"
	ExtraDir = "extra"

	// KeptScript is the script's SQL, gzip, without the data in the archive.
	KeptScript = "script.sql.gz"
	// KeptMembers lists the zip's members, gzip, if odx would not give them the
	// same names and order by itself. Each line is JSON: a member's name, or an
	// array of its name and the file of this backup that has its content.
	KeptMembers = "members.gz"
)

// ZipRecord says of which zip a backup was made, and what it takes to make the
// same members again.
type ZipRecord struct {
	Name    string        `json:"name"`
	Members int           `json:"members"`
	Dump    string        `json:"dump"`             // name of the member dump.sql
	Script  *ScriptRecord `json:"script,omitempty"` // nil: what the archive gives
}

// ScriptRecord says how the text of dump.sql comes together again. It holds
// as long as the archive's files have the digests in the record.
type ScriptRecord struct {
	Length int64  `json:"length"` // of dump.sql
	CRC    uint32 `json:"crc32"`
	SQL    int64  `json:"sql"` // bytes in KeptScript, decompressed
	// Data are the entries whose data stand in the script, in its order.
	Data []ScriptData `json:"data"`
}

// ScriptData says that an entry's data come after so many bytes of SQL since
// the last one's.
type ScriptData struct {
	After int64 `json:"after"`
	Entry int32 `json:"entry"` // its dump ID
}
