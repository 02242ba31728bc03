package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/rebuild"
	"odx/dumpfmt/render"
)

// zipSource is what a standard zip is made of.
type zipSource struct {
	archive   *pgarchive.Archive
	script    scriptText
	manifest  []byte            // nil for none
	record    []byte            // odx.json as it lies in the backup; nil if there is none
	digests   map[string]string // SHA-256 of data files by name, as the record has them
	filestore string            // folder; "" for none
	files     int64             // that odx.json counts in filestore; 0 if it does not
	modified  time.Time         // of what has no file of its own

	backup string             // folder of the members that were kept; "" for none
	zip    *dumpfmt.ZipRecord // of the zip that it was made of; nil for none
}

// openZipSource gathers what goes into a zip.
func (c *conversion) openZipSource(a *pgarchive.Archive) (*zipSource, error) {
	s := &zipSource{archive: a, modified: a.TOC.Header.Time.Clock(), filestore: c.Filestore}
	if isBackup(c.plan.Source) {
		if err := c.findStore(s); err != nil {
			return nil, err
		}
		if err := s.readBeside(c.Source, c.beside, c.Filestore); err != nil {
			return nil, err
		}
	}
	if err := c.chooseManifest(s); err != nil {
		return nil, err
	}
	printed, err := c.printer(a)
	if err != nil {
		return nil, err
	}
	s.script = printed
	c.useKept(s, printed)
	if !rebuild.Knows(a.TOC.Header.DumpVersion.String) {
		c.note("dump.sql will be that of pg_dump %s: Odoo restores the zip, and odx does not, as it reads scripts of newer ones only", a.TOC.Header.DumpVersion.String)
	}
	return s, nil
}

// printer prints an archive as a zip's dump.sql.
func (c *conversion) printer(a *pgarchive.Archive) (*render.Script, error) {
	return render.New(a, render.Options{NoOwner: true, NoPrivileges: c.NoPrivileges, RestrictKey: c.RestrictKey})
}

// findStore takes the backup's own filestore if no other was named.
func (c *conversion) findStore(s *zipSource) error {
	if s.filestore != "" {
		return nil
	}
	store, err := dumpfmt.FindStore(c.Source)
	if store.Link != "" {
		c.note("%s", store)
	}
	s.filestore = store.Path
	return err
}

// readBeside reads what lies beside the archive. Named is a filestore that is to
// be taken for the backup's own; "" if none is.
func (s *zipSource) readBeside(dir string, beside besideArchive, named string) (err error) {
	if s.manifest, err = readOptional(dir, dumpfmt.ManifestFile, dumpfmt.MaxManifest); err != nil {
		return err
	}
	r := beside.record
	if r == nil {
		return nil
	}
	s.record, s.digests = beside.text, beside.digests
	s.backup, s.zip = dir, r.Zip
	if r.Filestore != nil && named == "" {
		s.files = r.Filestore.Files
	}
	return nil
}

// readOptional reads a small file of a backup; nil if it is not there.
func readOptional(backup, name string, limit int64) ([]byte, error) {
	data, err := dumpfmt.ReadBeside(backup, name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// useKept takes the script that the archive was made of. That the archive is
// still what was made of it is seen by the digests.
func (c *conversion) useKept(s *zipSource, printed *render.Script) {
	switch {
	case s.zip == nil || s.zip.Script == nil:
	case c.NoPrivileges || c.RestrictKey != "":
		s.record = nil // the zip is to be another one
	default:
		s.script = &keptScript{
			backup: s.backup, record: s.zip.Script,
			entries: s.archive.TOC.ByID(), data: printed,
		}
	}
}

// chooseManifest takes the manifest that is named, else the one that lies
// beside the archive, else makes one of the archive's own rows.
func (c *conversion) chooseManifest(s *zipSource) (err error) {
	if c.Manifest != "" {
		if s.manifest, err = os.ReadFile(c.Manifest); err != nil {
			return err
		}
		if !json.Valid(s.manifest) {
			return &dumpfmt.FormatError{Path: c.Manifest, Offset: -1, Err: errors.New("not JSON")}
		}
		return nil
	}
	if s.manifest != nil || s.zip != nil || c.Rows != nil { // a zip without a manifest stays one, and a dump has made its own
		return nil
	}
	made, err := makeManifest(s.archive)
	if err != nil {
		return fmt.Errorf("make manifest.json of the dump's ir_module_module: %w", err)
	}
	if made == nil {
		c.note("no manifest.json: the database is not Odoo's, or its modules were not dumped, or as INSERT statements")
		return nil
	}
	s.manifest = made.Encode()
	c.note("manifest.json was made of the dump's ir_module_module rows")
	return nil
}

// makeManifest makes the manifest that Odoo would have written; nil if the
// archive has no rows that say so. Those of pg_dump --inserts are not read.
func makeManifest(a *pgarchive.Archive) (*dumpfmt.Manifest, error) {
	var modules []dumpfmt.Module
	var series dumpfmt.Series
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if e.Desc != pgarchive.DescTableData || e.Tag != "ir_module_module" || e.Namespace.String != "public" || !e.HadDumper {
			continue
		}
		columns := []string{"name", "state", "latest_version"}
		if !hasColumns(e, columns) {
			continue
		}
		for row, err := range a.CopyRows(e, columns...) {
			if err != nil {
				return nil, err
			}
			name, state, version := row[0].String, row[1].String, row[2]
			if name == "base" {
				series, _ = dumpfmt.ParseSeries(version.String)
			}
			if state == "installed" {
				modules = append(modules, dumpfmt.Module{Name: name, Version: dumpfmt.NullString(version)})
			}
		}
		m := dumpfmt.NewManifest(a.TOC.Header.Database.String, series, versionNumber(a.TOC.Header.ServerVersion.String), modules)
		return &m, nil
	}
	return nil, nil
}

// hasColumns tells whether the data of an entry are COPY text with these columns.
func hasColumns(e *pgarchive.Entry, columns []string) bool {
	all, err := pgarchive.CopyColumns(e.CopyStmt.String)
	return err == nil && !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(all, c) })
}

// versionNumber makes 150020 of "15.20 (Debian 15.20-0+deb12u1)", as
// server_version_num has it. Before 10 two numbers were the major version: 90624 of
// "9.6.24". Of "18beta1" the number counts.
func versionNumber(text string) int {
	text, _, _ = strings.Cut(text, " ")
	var n [3]int
	for i, part := range strings.SplitN(text, ".", len(n)) {
		n[i], _ = dumpfmt.LeadingNumber(part) // 0 if there is none
	}
	if n[0] < 10 {
		return n[0]*10000 + n[1]*100 + n[2]
	}
	return n[0]*10000 + n[1]
}

func (c *conversion) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
}
