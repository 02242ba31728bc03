package convert

import "odx/dumpfmt"

// Report says what a conversion did. Sizes are in bytes.
type Report struct {
	Source       string   `json:"source"`
	SourceLayout string   `json:"source_layout"`
	Target       string   `json:"target"`
	TargetLayout string   `json:"target_layout"`
	Steps        []string `json:"steps"`

	PgDump       string   `json:"pg_dump"` // version text of the pg_dump that made the dump
	Server       string   `json:"server"`  // version text of the server
	Entries      int      `json:"entries"`
	Tables       int64    `json:"tables"` // with data
	LargeObjects int64    `json:"large_objects"`
	DataBytes    int64    `json:"data_bytes"`             // of tables and large objects, not compressed
	ScriptBytes  int64    `json:"script_bytes,omitempty"` // of dump.sql in a zip
	Files        int64    `json:"files,omitempty"`        // of the filestore
	FileBytes    int64    `json:"file_bytes,omitempty"`
	Vanished     []string `json:"vanished,omitempty"`      // files that were listed and then gone; not in Files
	NotPacked    []string `json:"not_packed,omitempty"`    // in the filestore: links that lead to no file of it, and what went before it was read; neither they nor what is below them is in Files
	FilesMissing int64    `json:"files_missing,omitempty"` // that the source had when it was made
	TargetBytes  int64    `json:"target_bytes"`
	Compression  string   `json:"compression,omitempty"`  // of an archive's data files
	RestrictKey  string   `json:"restrict_key,omitempty"` // of the script, read or written

	// Live are the data files that the rows of a LiveScript would be, in order.
	Live []dumpfmt.FileDigest `json:"-"`

	Proof *Proof `json:"proof,omitempty"` // where Check was asked for

	// LeftOut names files of the source that the target has no place for.
	LeftOut []string `json:"left_out,omitempty"`
	// Notes are what a reader of the target should know.
	Notes []string `json:"notes,omitempty"`

	Seconds float64 `json:"seconds"`
}
