package dumpfmt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Manifest is the content of an Odoo backup's manifest.json, as Odoo's
// dump_db_manifest (odoo/service/db.py, the same in Odoo 8 to 19) fills it.
// Odoo itself never reads the file back; other tools do, so odx adds no key of
// its own to it.
type Manifest struct {
	DBName       string
	Version      string // odoo.release.version, such as "19.0"
	VersionInfo  []VersionPart
	MajorVersion string // odoo.release.major_version: the series, such as "saas~18.2"
	PGVersion    string // the server's, as PGVersion writes it
	Modules      []Module
}

// Module is an installed Odoo module. Its version is NULL in databases where
// the module was never updated by a server that knows it.
type Module struct {
	Name    string
	Version NullString
}

// NullString is a text that may be NULL, which differs from the empty text.
type NullString struct {
	String string
	Valid  bool // false: NULL
}

// NewManifest returns the manifest that Odoo would write for the database.
// serverVersion is the server's server_version_num; the modules are those in
// state "installed", in the order the server returned them.
func NewManifest(dbName string, series Series, serverVersion int, modules []Module) Manifest {
	return Manifest{
		DBName:       dbName,
		Version:      series.String(),
		VersionInfo:  series.VersionInfo(),
		MajorVersion: series.String(),
		PGVersion:    PGVersion(serverVersion),
		Modules:      modules,
	}
}

// PGVersion is the pg_version of a manifest: Odoo divides server_version_num
// in the way of PostgreSQL 9, so that it is "9.6" for 9.6.24 (90624) and
// always ends in ".0" from PostgreSQL 10 on: "15.0" for 15.20 (150020).
func PGVersion(serverVersion int) string {
	return fmt.Sprintf("%d.%d", serverVersion/10000, serverVersion/100%100)
}

// Encode returns the file's bytes exactly as Python's json.dump(indent=4)
// writes Odoo's dictionary: its key order, every character outside printable
// ASCII as \uXXXX, no newline at the end. Bytes that are not UTF-8 are written
// as Python writes undecodable bytes (PEP 383). Module names are expected to
// be unique, as they are in Odoo.
func (m Manifest) Encode() []byte {
	b := []byte("{\n    \"odoo_dump\": \"1\"")
	b = appendMember(b, "db_name", m.DBName)
	b = appendMember(b, "version", m.Version)
	b = append(b, ",\n    \"version_info\": "...)
	b = appendBlock(b, "[]", len(m.VersionInfo), func(b []byte, i int) []byte {
		return m.VersionInfo[i].appendJSON(b)
	})
	b = appendMember(b, "major_version", m.MajorVersion)
	b = appendMember(b, "pg_version", m.PGVersion)
	b = append(b, ",\n    \"modules\": "...)
	b = appendBlock(b, "{}", len(m.Modules), func(b []byte, i int) []byte {
		b = append(appendPythonString(b, m.Modules[i].Name), ": "...)
		if !m.Modules[i].Version.Valid {
			return append(b, "null"...)
		}
		return appendPythonString(b, m.Modules[i].Version.String)
	})
	return append(b, "\n}"...)
}

// appendMember appends one more text member of the outermost object.
func appendMember(b []byte, key, value string) []byte {
	b = append(b, ",\n    "...)
	b = append(appendPythonString(b, key), ": "...)
	return appendPythonString(b, value)
}

// appendBlock appends a list or an object one level deep, its n items on lines
// of their own; an empty one stays on its line, as Python has it.
func appendBlock(b []byte, brackets string, n int, item func([]byte, int) []byte) []byte {
	b = append(b, brackets[0])
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(append(b, "\n        "...), i)
	}
	if n > 0 {
		b = append(b, "\n    "...)
	}
	return append(b, brackets[1])
}

// ParseManifest reads a manifest.json, whoever wrote it. Keys that are not
// there leave their field empty, unknown keys are ignored. Text that is not
// JSON and known keys of the wrong type are reported as a *FormatError.
func ParseManifest(data []byte) (Manifest, error) {
	var m Manifest
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return m, manifestError("", err)
	}
	if members == nil {
		return m, manifestError("", errors.New("null instead of an object"))
	}
	for _, f := range []struct {
		key   string
		value any
	}{
		{"db_name", &m.DBName},
		{"version", &m.Version},
		{"version_info", &m.VersionInfo},
		{"major_version", &m.MajorVersion},
		{"pg_version", &m.PGVersion},
		{"modules", (*moduleList)(&m.Modules)},
	} {
		raw, ok := members[f.key]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, f.value); err != nil {
			return Manifest{}, manifestError(f.key, err)
		}
	}
	return m, nil
}

// manifestError makes a *FormatError of an error of encoding/json.
func manifestError(field string, err error) error {
	e := &FormatError{Path: ManifestFile, Offset: -1, Field: field, Err: err}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		e.Field, e.Offset = "JSON", syntax.Offset
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		e.Err = fmt.Errorf("unexpected JSON %s", wrong.Value)
	}
	return e
}

// moduleList reads the modules in the file's order. A name that comes again
// keeps its place and takes the later version, as in a Python dictionary.
type moduleList []Module

// UnmarshalJSON implements json.Unmarshaler.
func (l *moduleList) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return errors.New("not an object")
	}
	at := make(map[string]int)
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name := key.(string) // the decoder lets nothing else be a key
		var version *string
		if err := dec.Decode(&version); err != nil {
			return fmt.Errorf("version of %q is not a text", name)
		}
		m := Module{Name: name}
		if version != nil {
			m.Version = NullString{String: *version, Valid: true}
		}
		if i, again := at[name]; again {
			(*l)[i] = m
			continue
		}
		at[name] = len(*l)
		*l = append(*l, m)
	}
	return nil
}

// VersionPart is an element of a version_info: a number, or a text such as
// "final" or "saas~18".
type VersionPart struct {
	Number int
	Text   string
	IsText bool
}

func (p VersionPart) appendJSON(b []byte) []byte {
	if p.IsText {
		return appendPythonString(b, p.Text)
	}
	return strconv.AppendInt(b, int64(p.Number), 10)
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *VersionPart) UnmarshalJSON(data []byte) error {
	*p = VersionPart{IsText: len(data) > 0 && data[0] == '"'}
	if p.IsText {
		return json.Unmarshal(data, &p.Text)
	}
	return json.Unmarshal(data, &p.Number)
}
