package dumpfmt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// RecordFormat is the version of odx.json that this package writes. A reader
// refuses a newer one.
const RecordFormat = 1

// Record is odx.json: what odx knows about a backup that the backup's other
// files do not say. Nothing needs it; it adds checks.
type Record struct {
	Format     int              `json:"odx_format"`
	OdxVersion string           `json:"odx_version"`
	Started    time.Time        `json:"started"`
	Finished   time.Time        `json:"finished"`
	PgDump     string           `json:"pg_dump"` // version text of the pg_dump that made the archive
	Server     string           `json:"server"`  // version text of the server
	Standby    bool             `json:"standby"`
	Database   DatabaseRecord   `json:"database"`
	Odoo       *OdooRecord      `json:"odoo,omitempty"`
	Archive    ArchiveRecord    `json:"archive"`
	Filestore  *FilestoreRecord `json:"filestore,omitempty"`
	Zip        *ZipRecord       `json:"zip,omitempty"` // where it was made of a zip
}

// DatabaseRecord holds the properties of the database that no archive
// restores without --create.
type DatabaseRecord struct {
	Name           string   `json:"name"`
	Owner          string   `json:"owner"`
	Encoding       string   `json:"encoding"`
	Collate        string   `json:"lc_collate"`
	Ctype          string   `json:"lc_ctype"`
	LocaleProvider string   `json:"locale_provider"` // libc, icu or builtin
	Locale         string   `json:"locale,omitempty"`
	ICURules       string   `json:"icu_rules,omitempty"`
	Settings       []string `json:"settings,omitempty"` // ALTER DATABASE ... SET, each "name=value"
	Comment        string   `json:"comment,omitempty"`
	Bytes          int64    `json:"bytes"` // pg_database_size
}

// OdooRecord says which Odoo the database belongs to.
type OdooRecord struct {
	Series  string `json:"series"`
	Modules int    `json:"modules"` // installed
	UUID    string `json:"database_uuid,omitempty"`
}

// ArchiveRecord describes dump/.
type ArchiveRecord struct {
	Version   string       `json:"version"` // of the archive format, such as "1.14"
	Compress  string       `json:"compress"`
	Entries   int          `json:"entries"`
	Bytes     int64        `json:"bytes"` // all files of the archive, on disk
	DataFiles []FileDigest `json:"files"` // toc.dat first, then by name
	// Excluded are the patterns, as pg_dump takes them, of tables whose rows were
	// left out.
	Excluded []string `json:"excluded,omitempty"`
}

// FileDigest identifies the content of one file of the archive.
type FileDigest struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// FilestoreRecord describes filestore/.
type FilestoreRecord struct {
	Files   int64    `json:"files"`
	Bytes   int64    `json:"bytes"`
	Named   int64    `json:"named"`             // files that the snapshot names
	Missing int64    `json:"missing"`           // of those, not found
	Damaged int64    `json:"damaged"`           // of those, of another size than file_size
	Lost    []string `json:"lost,omitempty"`    // names of missing and damaged files, capped
	Unread  int64    `json:"unread,omitempty"`  // files that could not be read
	GCGuard string   `json:"gc_guard"`          // held, lost, off, or why it was not taken
	Skipped []string `json:"skipped,omitempty"` // what lies in the folder and is no file

	SHA1 *SHA1Record `json:"sha1,omitempty"` // nil: not looked at
}

// SHA1Record says that the SHA-1 of every file that is named by one was compared
// with the name while the file was copied, into this backup or into the earlier
// one that it was linked from.
type SHA1Record struct {
	Copied int64    `json:"copied"`          // files that were copied, and were right
	Linked int64    `json:"linked"`          // files that are hard links into an earlier backup
	Wrong  int64    `json:"wrong"`           // files that were copied, and have another SHA-1
	Files  []string `json:"files,omitempty"` // the wrong ones: their paths in the filestore, capped
	From   string   `json:"from,omitempty"`  // the earlier backup, absolute
}

// Encode gives the bytes of odx.json.
func (r *Record) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ReadRecord reads an odx.json. The error matches fs.ErrNotExist when there is
// none, ErrFormat when it is damaged or not a file of the backup (see OpenBeside),
// ErrUnsupported when a newer odx wrote it.
func ReadRecord(path string) (*Record, error) {
	data, err := ReadBeside(filepath.Dir(path), filepath.Base(path), MaxRecord)
	if err != nil {
		return nil, err
	}
	return ParseRecord(data, path)
}

// FindRecord reads the odx.json of a backup's folder; nil where there is none, or
// one that a newer odx wrote.
func FindRecord(backup string) (*Record, error) {
	r, err := ReadRecord(filepath.Join(backup, RecordFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnsupported) {
		return nil, nil
	}
	return r, err
}

// maxRecordValues is the largest number of values in an odx.json: Encode writes
// no less than 32 bytes for each of those that there are many of. An element of
// a list takes up to 40 bytes of memory, but may stand there in 2.
const maxRecordValues = MaxRecord / 32

// maxQuoted is how much of an error about the JSON is kept, in characters.
const maxQuoted = 200

// ParseRecord is ReadRecord of a content that was read. Path is for errors.
func ParseRecord(data []byte, path string) (*Record, error) {
	if n := bytes.Count(data, []byte{','}); n > maxRecordValues {
		return nil, &FormatError{Path: path, Offset: -1, Err: fmt.Errorf("%d values, more than the %d that are read", n, maxRecordValues)}
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		offset := int64(-1)
		if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
			offset = s.Offset
		}
		if len(err.Error()) > maxQuoted { // it quotes all of a time
			err = fmt.Errorf("%.*s", maxQuoted, err)
		}
		return nil, &FormatError{Path: path, Offset: offset, Err: err}
	}
	switch {
	case r.Format > RecordFormat:
		return nil, &FormatError{Path: path, Offset: -1, Field: "odx_format",
			Err: fmt.Errorf("%w: version %d, this odx reads up to %d", ErrUnsupported, r.Format, RecordFormat)}
	case r.Format < 1:
		return nil, &FormatError{Path: path, Offset: -1, Field: "odx_format",
			Err: errors.New("missing: not a record of odx")}
	}
	if field := r.negative(); field != "" {
		return nil, &FormatError{Path: path, Offset: -1, Field: field, Err: errors.New("less than zero")}
	}
	return &r, nil
}

// negative names a size or a count that is less than zero, which none may be;
// "" if there is none.
func (r *Record) negative() string {
	type number struct {
		field string
		value int64
	}
	all := []number{{"database.bytes", r.Database.Bytes}, {"archive.entries", int64(r.Archive.Entries)}, {"archive.bytes", r.Archive.Bytes}}
	for _, f := range r.Archive.DataFiles {
		all = append(all, number{"archive.files", f.Bytes})
	}
	if f := r.Filestore; f != nil {
		for _, n := range []int64{f.Files, f.Bytes, f.Named, f.Missing, f.Damaged, f.Unread} {
			all = append(all, number{"filestore", n})
		}
	}
	if r.Zip != nil && r.Zip.Script != nil {
		all = append(all, number{"zip.script", r.Zip.Script.Length}, number{"zip.script", r.Zip.Script.SQL})
		for _, d := range r.Zip.Script.Data {
			all = append(all, number{"zip.script.data", d.After})
		}
	}
	for _, n := range all {
		if n.value < 0 {
			return n.field
		}
	}
	return ""
}
