package convert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/rebuild"
)

// Inspection is what a dump says of itself. Sizes are in bytes.
type Inspection struct {
	Path   string `json:"path"`
	Layout string `json:"layout"`

	Dump      DumpInfo        `json:"dump"`
	Entries   []EntryInfo     `json:"entries"`
	Manifest  json.RawMessage `json:"manifest,omitempty"` // manifest.json as it is
	Record    *dumpfmt.Record `json:"record,omitempty"`
	Filestore *FilestoreInfo  `json:"filestore,omitempty"`

	manifest dumpfmt.Manifest
}

// ParsedManifest gives the manifest if there is one.
func (i *Inspection) ParsedManifest() (dumpfmt.Manifest, bool) { return i.manifest, i.Manifest != nil }

// DumpInfo describes the database's dump as a whole.
type DumpInfo struct {
	Format         string         `json:"format"` // directory, custom or script
	ArchiveVersion string         `json:"archive_version,omitempty"`
	Compression    string         `json:"compression,omitempty"`
	Created        *time.Time     `json:"created,omitempty"` // by the clock of where it was made, whose zone is not known
	Database       string         `json:"database,omitempty"`
	Server         string         `json:"server"`
	PgDump         string         `json:"pg_dump"`
	PgRestore      int            `json:"pg_restore,omitempty"` // oldest release that reads it
	Encoding       string         `json:"encoding"`
	Sections       map[string]int `json:"sections"`      // entries by section
	Tables         int            `json:"tables"`        // with data
	LargeObjects   int64          `json:"large_objects"` //
	DataBytes      int64          `json:"data_bytes"`    // of tables and large objects, as stored
}

// EntryInfo describes an entry.
type EntryInfo struct {
	ID      pgarchive.DumpID `json:"id"`
	Section string           `json:"section"`
	Type    string           `json:"type"`
	Schema  string           `json:"schema,omitempty"`
	Name    string           `json:"name"`
	Owner   string           `json:"owner,omitempty"`
	Bytes   *int64           `json:"bytes,omitempty"` // of its data as stored; none without data
}

// FilestoreInfo counts the files of a filestore.
type FilestoreInfo struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Inspect reads what a dump says of itself: all of a script, also of a zip's, of
// an archive the
// table of contents and the sizes of files. That the data are whole is not
// checked. Memory is that of the entries. Entries of a script have the IDs that
// converting it to an archive gives them.
func Inspect(ctx context.Context, path string) (*Inspection, error) {
	layout, err := dumpfmt.Detect(path)
	if err != nil {
		return nil, err
	}
	in := &Inspection{Path: path, Layout: layout.String()}
	switch layout {
	case dumpfmt.LayoutScript, dumpfmt.LayoutPackedScript:
		err = in.readScript(ctx, path, layout)
	case dumpfmt.LayoutZip:
		err = in.readZip(ctx, path)
	case dumpfmt.LayoutFast, dumpfmt.LayoutClickOdoo:
		if err = in.readBeside(ctx, path); err == nil {
			err = in.readArchive(path, layout)
		}
	case dumpfmt.LayoutArchive, dumpfmt.LayoutCustom:
		err = in.readArchive(path, layout)
	default:
		err = fmt.Errorf("%w: odx inspects no %s", dumpfmt.ErrUnsupported, layout)
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

func (in *Inspection) readArchive(path string, layout dumpfmt.Layout) error {
	a, err := openArchive(path, layout)
	if err != nil {
		return err
	}
	sizes, err := a.Sizes()
	if err != nil {
		return err
	}
	h := &a.TOC.Header
	created := h.Time.Clock()
	in.Dump = DumpInfo{
		Format: h.Format.String(), ArchiveVersion: h.Version.String(), Compression: h.Compression().String(),
		Created: &created, Database: h.Database.String, PgRestore: a.NeedsMajor(),
	}
	in.describe(a.TOC, sizes)
	return nil
}

// readScript reads a script for what is in it.
func (in *Inspection) readScript(ctx context.Context, path string, layout dumpfmt.Layout) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := plainText(layout, &source{ctx: ctx, r: f, meter: noMeter{}})
	if err != nil {
		return err
	}
	return in.describeScript(text, filepath.Base(path))
}

func (in *Inspection) describeScript(text io.Reader, name string) error {
	sizes := sizer{}
	result, err := rebuild.Read(text, sizes, rebuild.Options{Name: name})
	if err != nil {
		return err
	}
	in.Dump = DumpInfo{Format: "script"}
	in.describe(result.TOC, sizes)
	return nil
}

// readZip reads a zip's directory, its manifest and all of its dump.sql.
func (in *Inspection) readZip(ctx context.Context, path string) (err error) {
	z, dump, f, err := openZip(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if m := z.Find(odoozip.ManifestName); m != nil {
		if in.Manifest, err = z.ReadMember(m, dumpfmt.MaxManifest); err != nil {
			return err
		}
		if in.manifest, err = dumpfmt.ParseManifest(in.Manifest); err != nil {
			return err
		}
	}
	for i := range z.Members {
		m := &z.Members[i]
		if !isStored(m) {
			continue
		}
		if in.Filestore == nil {
			in.Filestore = &FilestoreInfo{}
		}
		in.Filestore.Files++
		in.Filestore.Bytes += m.Length
	}
	script, err := z.Open(dump)
	if err != nil {
		return err
	}
	return errors.Join(in.describeScript(&source{ctx: ctx, r: script, meter: noMeter{}}, dump.Name()), script.Close())
}

// sizer is a sink that counts the bytes of each entry.
type sizer map[pgarchive.DumpID]int64

func (s sizer) Table(e *pgarchive.Entry, _ int64) (io.WriteCloser, error) {
	s[e.ID] = 0
	return entrySizer{s, e.ID}, nil
}

func (s sizer) LargeObject(id pgarchive.DumpID, _ uint32, _ int64) (io.WriteCloser, error) {
	return entrySizer{s, id}, nil
}

type entrySizer struct {
	sizes sizer
	id    pgarchive.DumpID
}

func (e entrySizer) Write(p []byte) (int, error) {
	e.sizes[e.id] += int64(len(p))
	return len(p), nil
}

func (e entrySizer) Close() error { return nil }

// describe fills in what is in the table of contents.
func (in *Inspection) describe(t *pgarchive.TOC, sizes map[pgarchive.DumpID]int64) {
	d := &in.Dump
	d.Server, d.PgDump = t.Header.ServerVersion.String, t.Header.DumpVersion.String
	d.Encoding, d.LargeObjects = t.Encoding(), largeObjects(t)
	d.Sections = make(map[string]int)
	in.Entries = make([]EntryInfo, 0, len(t.Entries))
	for i := range t.Entries {
		e := &t.Entries[i]
		info := EntryInfo{ID: e.ID, Section: e.Section.String(), Type: e.Desc,
			Schema: e.Namespace.String, Name: e.Tag, Owner: e.Owner.String}
		if size, ok := sizes[e.ID]; ok && e.HadDumper {
			info.Bytes = &size
			d.DataBytes += size
			if !e.IsLargeObjects() {
				d.Tables++
			}
		}
		d.Sections[info.Section]++
		in.Entries = append(in.Entries, info)
	}
}

// readBeside reads what lies beside the archive.
func (in *Inspection) readBeside(ctx context.Context, path string) (err error) {
	if in.Record, err = dumpfmt.FindRecord(path); err != nil {
		return err
	}
	data, err := dumpfmt.ReadBeside(path, dumpfmt.ManifestFile, dumpfmt.MaxManifest)
	switch {
	case err == nil:
		if in.manifest, err = dumpfmt.ParseManifest(data); err != nil {
			return err
		}
		in.Manifest = data
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	store, err := dumpfmt.FindStore(path)
	if err != nil || store.Path == "" {
		return err
	}
	in.Filestore, err = countFiles(ctx, store.Path)
	return err
}

// countFiles counts the files below a folder.
func countFiles(ctx context.Context, dir string) (*FilestoreInfo, error) {
	var info FilestoreInfo
	err := walkStore(ctx, dir, func(f *storeEntry, _ error) bool {
		info.Files++
		info.Bytes += f.size
		return true
	})
	if err != nil {
		return nil, err
	}
	return &info, nil
}
