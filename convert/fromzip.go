package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
)

// fromZip makes a fast layout of a standard zip.
func (c *conversion) fromZip(ctx context.Context) (err error) {
	z, dump, f, err := openZip(c.Source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	u := &unzipping{c: c, zip: z, dump: dump, started: time.Now()}
	if err := u.findPlaces(); err != nil {
		return err
	}
	dir, err := dumpfmt.CreateDir(c.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Abort()) }()
	c.Meter.Start(info.Size())
	if err := u.run(ctx, dir.Path()); err != nil {
		return err
	}
	if c.Check {
		if err := c.proveFolder(ctx, dir.Path(), z); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return dir.Commit()
}

// unzipping is the work on one zip.
type unzipping struct {
	c       *conversion
	zip     *odoozip.Reader
	dump    *odoozip.Member
	places  *odoozip.Places // nil where dump.sql has to be read
	started time.Time
	record  *dumpfmt.Record // nil where the zip brings its own
	had     int64           // files of the filestore that its own counts
}

// openZip opens a standard zip and finds its dump.sql. The caller closes the
// file.
func openZip(path string) (z *odoozip.Reader, dump *odoozip.Member, f *os.File, err error) {
	if f, err = os.Open(path); err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, f, err
	}
	if z, err = odoozip.NewReader(f, info.Size(), filepath.Base(path)); err != nil {
		return nil, nil, f, err
	}
	dump, err = z.Dump()
	return z, dump, f, err
}

// findPlaces looks for odx's own members, and whether they are to be used.
func (u *unzipping) findPlaces() (err error) {
	var note string
	if u.places, note, err = u.zip.FindPlaces(u.dump); note != "" {
		u.c.note("%s", note)
	}
	if err == nil && u.places != nil && u.c.Recompress {
		return fmt.Errorf("%w: odx made this zip, and gives the data files back as they were: convert it without a compression, and then the folder's %s/ with one", ErrOptions, dumpfmt.ArchiveDir)
	}
	return err
}

// run makes the archive while the other members are extracted.
func (u *unzipping) run(ctx context.Context, dir string) error {
	p := placeMembers(u.zip)
	zipRecord, err := u.c.keepZip(ctx, dir, u.dump, p)
	if err != nil {
		return err
	}
	archive := filepath.Join(dir, dumpfmt.ArchiveDir)
	if err := os.Mkdir(archive, 0o700); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if u.places != nil {
			if p.regular {
				zipRecord = nil
			}
			return u.cut(gctx, dir, zipRecord)
		}
		return u.rebuild(gctx, dir, zipRecord)
	})
	g.Go(func() error { return u.extract(gctx, dir, p) })
	if err := g.Wait(); err != nil {
		return err
	}
	u.countFiles()
	u.nameLeftOut()
	if u.record == nil {
		return nil
	}
	if r := &u.c.report; u.record.Filestore == nil && r.Files > 0 { // so that who loses them later is told
		u.record.Filestore = &dumpfmt.FilestoreRecord{Files: r.Files, Bytes: r.FileBytes}
	}
	data, err := u.record.Encode()
	if err != nil {
		return err
	}
	return writeFile(dir, dumpfmt.RecordFile, data)
}

// extract writes members into files of the folder.
func (u *unzipping) extract(ctx context.Context, dir string, p *placing) error {
	return odoozip.Extract(ctx, u.zip, dir, odoozip.ExtractOptions{
		Jobs: u.c.Jobs, Path: p.path, Done: func(m *odoozip.Member) { u.c.Meter.Add(m.Size) },
	})
}

func (u *unzipping) countFiles() {
	for i := range u.zip.Members {
		if m := &u.zip.Members[i]; isStored(m) {
			u.c.report.Files++
			u.c.report.FileBytes += m.Length
		}
	}
	if lost := u.had - u.c.report.Files; lost > 0 {
		u.c.report.FilesMissing = lost
		u.c.note("the zip has %d files of the filestore, and its odx.json says that there were %d when it was made: odx verify %s names those that are missed",
			u.c.report.Files, u.had, u.c.Source)
	}
}

// nameLeftOut names what lies among odx's own members and is none.
func (u *unzipping) nameLeftOut() {
	for i := range u.zip.Members {
		if m := &u.zip.Members[i]; m.Kind == odoozip.KindOdx && u.places != nil && !isSidecar(m) {
			u.c.report.LeftOut = append(u.c.report.LeftOut, m.Name())
		}
	}
}

func isSidecar(m *odoozip.Member) bool {
	rel := m.Rel()
	return !m.Hidden && (rel == odoozip.RecordName || rel == odoozip.PlacesName || strings.HasPrefix(rel, odoozip.ArchiveDir) ||
		strings.HasPrefix(rel, odoozip.OdxDir+dumpfmt.KeptDir+"/"))
}

// rebuild makes the archive of dump.sql, and keeps its text.
func (u *unzipping) rebuild(ctx context.Context, dir string, zip *dumpfmt.ZipRecord) error {
	var found blockList
	r, err := u.zip.OpenBlocks(u.dump, found.add)
	if err != nil {
		return err
	}
	ahead := readAhead(&source{ctx: ctx, r: r, meter: &scaled{u.c.Meter, u.dump.Size, max(u.dump.Length, 1)}}, &found)
	defer func() { ahead.stop(); r.Close() }()
	script, err := u.deflated(ahead)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, dumpfmt.KeptDir), 0o700); err != nil {
		return err
	}
	var built *rebuilt
	err = writeGzip(filepath.Join(dir, dumpfmt.KeptDir, dumpfmt.KeptScript), func(w io.Writer) error {
		built, err = u.c.rebuildIn(filepath.Join(dir, dumpfmt.ArchiveDir), ahead,
			scriptOptions{name: u.dump.Name(), time: tmOf(u.dump.Modified()), keep: w, deflated: script})
		return err
	})
	if err != nil {
		return err
	}
	built.script.Length, built.script.CRC = u.dump.Length, u.dump.CRC
	zip.Script = &built.script
	u.record = u.newRecord(built, zip)
	return nil
}

// deflated is dump.sql's data where they can be reused, else nil.
func (u *unzipping) deflated(text *ahead) (*deflated, error) {
	if u.c.Recompress || u.c.Compression.Method != pgarchive.Gzip || u.dump.Method != odoozip.Deflate {
		return nil, nil
	}
	raw, err := u.zip.Raw(u.dump)
	return &deflated{raw, text}, err
}

// scaled counts text as the part of a member's data that it is.
type scaled struct {
	Meter
	size, length int64
}

func (s *scaled) Add(n int64) { s.Meter.Add(int64(float64(n) * float64(s.size) / float64(s.length))) }

// tmOf breaks a time down as an archive's header has it.
func tmOf(t time.Time) pgarchive.Tm {
	return pgarchive.Tm{Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()),
		Day: int32(t.Day()), Month: int32(t.Month()) - 1, Year: int32(t.Year()) - 1900}
}

// newRecord is the record of a backup that was made of a zip.
func (u *unzipping) newRecord(built *rebuilt, zip *dumpfmt.ZipRecord) *dumpfmt.Record {
	h := built.toc.Header
	r := &dumpfmt.Record{
		Format: dumpfmt.RecordFormat, OdxVersion: u.c.OdxVersion, Started: u.started.UTC(), Finished: time.Now().UTC(),
		PgDump: h.DumpVersion.String, Server: h.ServerVersion.String, Zip: zip,
		Archive: dumpfmt.ArchiveRecord{Version: h.Version.String(), Compress: built.compression,
			Entries: len(built.toc.Entries), DataFiles: built.files},
	}
	for _, f := range built.files {
		r.Archive.Bytes += f.Bytes
	}
	return r
}

// cut gets the archive back from the places in dump.sql's data. Zip is nil where
// the zip has no members but those that odx makes of the backup.
func (u *unzipping) cut(ctx context.Context, dir string, zip *dumpfmt.ZipRecord) error {
	raw, err := u.zip.Raw(u.dump)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(u.c.Jobs)
	c := &cutter{ctx: gctx, zip: u.zip, script: u.dump, dump: raw, dir: filepath.Join(dir, dumpfmt.ArchiveDir)}
	digests := make([]dumpfmt.FileDigest, len(u.places.Files))
	for i := range u.places.Files {
		g.Go(func() (err error) {
			digests[i], err = c.file(&u.places.Files[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	u.c.Meter.Add(u.dump.Size)
	a, err := pgarchive.Open(c.dir)
	if err != nil {
		return err
	}
	u.c.describeTOC(a.TOC)
	for _, d := range digests {
		u.c.report.TargetBytes += d.Bytes
	}
	return u.restoreRecord(ctx, dir, a, digests, zip)
}

// restoreRecord puts odx.json back, and the script that was kept. Where data
// files had to be compressed anew, their digests are new as well; the list of
// members is that of this zip.
func (u *unzipping) restoreRecord(ctx context.Context, dir string, a *pgarchive.Archive, digests []dumpfmt.FileDigest, zip *dumpfmt.ZipRecord) error {
	kept := func(m *odoozip.Member) string {
		if m.Kind != odoozip.KindOdx {
			return ""
		}
		rel, ok := strings.CutPrefix(m.Rel(), odoozip.OdxDir+dumpfmt.KeptDir+"/")
		if !ok || rel == dumpfmt.KeptMembers {
			return ""
		}
		return dumpfmt.KeptDir + "/" + rel
	}
	if err := odoozip.Extract(ctx, u.zip, dir, odoozip.ExtractOptions{Path: kept}); err != nil {
		return err
	}
	m := u.zip.Find(odoozip.RecordName)
	if m == nil {
		u.record = u.newRecord(&rebuilt{toc: a.TOC, files: tocFirst(digests), compression: u.c.Compression.String()}, zip)
		return nil
	}
	data, err := u.zip.ReadMember(m, dumpfmt.MaxRecord)
	if err != nil {
		return err
	}
	if err := writeFile(dir, dumpfmt.RecordFile, data); err != nil {
		return err
	}
	r, err := dumpfmt.ReadRecord(filepath.Join(dir, dumpfmt.RecordFile))
	if err != nil {
		return err
	}
	if r.Filestore != nil {
		u.had = r.Filestore.Files
	}
	changed := takeMembers(r, zip)
	if !takeDigests(r, digests) && !changed {
		return nil
	}
	u.record = r
	return os.Remove(filepath.Join(dir, dumpfmt.RecordFile))
}

// takeMembers puts what is to be known of the zip's members into a record, and
// tells whether that was another.
func takeMembers(r *dumpfmt.Record, zip *dumpfmt.ZipRecord) (changed bool) {
	if zip == nil {
		return false
	}
	if r.Zip == nil {
		r.Zip = zip
		return true
	}
	changed = r.Zip.Members != zip.Members || r.Zip.Dump != zip.Dump
	r.Zip.Members, r.Zip.Dump = zip.Members, zip.Dump
	return changed
}

// takeDigests puts digests into a record, and tells whether any was another.
func takeDigests(r *dumpfmt.Record, digests []dumpfmt.FileDigest) (changed bool) {
	now := make(map[string]dumpfmt.FileDigest, len(digests))
	for _, d := range digests {
		now[d.Name] = d
	}
	r.Archive.Bytes = 0
	for i, f := range r.Archive.DataFiles {
		if d, ok := now[f.Name]; ok && d != f {
			r.Archive.DataFiles[i] = d
			changed = true
		}
		r.Archive.Bytes += r.Archive.DataFiles[i].Bytes
	}
	return changed
}

// tocFirst orders digests as a record has them.
func tocFirst(digests []dumpfmt.FileDigest) []dumpfmt.FileDigest {
	var first, rest []dumpfmt.FileDigest
	for _, d := range digests {
		if d.Name == tocFile {
			first = append(first, d)
		} else {
			rest = append(rest, d)
		}
	}
	return append(first, rest...)
}
