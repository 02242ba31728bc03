package convert

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// VerifyOptions say what to verify and how.
type VerifyOptions struct {
	Source string
	Jobs   int   // cores that are used, 0 for all
	Meter  Meter // counts bytes of the database's dump, or of a zip; may be nil
	Files  Meter // counts bytes of a filestore's files; may be nil
	// Table, if not nil, is told the rows of each table's data, -1 where they are
	// INSERT statements and not counted. A table may come several times, and
	// several goroutines call it.
	Table func(schema, table string, rows int64)
}

// Verification is what was looked at, and what is wrong. Sizes are in bytes.
type Verification struct {
	Source   string    `json:"source"`
	Layout   string    `json:"layout"`
	Server   string    `json:"server,omitempty"` // the version that the dump was made of, as it says itself
	Verdict  Severity  `json:"verdict"`          // of the worst finding; whole if there is none
	Findings []Finding `json:"findings"`         // the worst first

	Tables       int64          `json:"tables"` // whose data were read
	Rows         int64          `json:"rows"`
	TextBytes    int64          `json:"text_bytes"` // of tables
	LargeObjects int64          `json:"large_objects"`
	Digests      int64          `json:"digests"` // that were compared with odx's own
	Attachments  int64          `json:"attachments"`
	Named        int64          `json:"named"` // of them: name a file
	Modules      int            `json:"modules"`
	Filestore    *FilestoreInfo `json:"filestore,omitempty"`
	Hashed       int64          `json:"hashed"` // files whose content was held against their name
	Members      int64          `json:"members,omitempty"`
	Seconds      float64        `json:"seconds"`
}

// Verify reads all of a dump and tells whether it is whole: what a restore
// would meet. No server takes part, and nothing is written.
//
// Whatever is wrong with the dump is a finding; the work goes on behind it where
// it can. An error says that the dump could not be looked at: it is none of the
// layouts, or ctx ended.
//
// Memory is some 2 MiB for each job, and that of the entries; of a zip 76 bytes
// for each file of the filestore, some 100 and the name for any other member; of a
// script its SQL. Attachments and rows take none.
func Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	started := time.Now()
	layout, err := dumpfmt.Detect(o.Source)
	if err != nil {
		return nil, err
	}
	use, err := dumpfmt.UseSource(o.Source)
	if err != nil {
		return nil, err
	}
	defer use.Close()
	v := newVerifier(o)
	v.report.Layout = layout.String()
	switch layout {
	case dumpfmt.LayoutZip:
		err = v.zip(ctx)
	case dumpfmt.LayoutScript, dumpfmt.LayoutPackedScript:
		err = v.bareScript(ctx, layout)
	default:
		err = v.folder(ctx, layout)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	v.modules.compare(v)
	v.report.Findings, v.report.Verdict = v.found.list()
	v.report.Seconds = time.Since(started).Seconds()
	return &v.report, nil
}

// verifier is the work on one dump.
type verifier struct {
	VerifyOptions
	report  Verification
	found   findings
	modules modules
	tables  tableCounts
}

func newVerifier(o VerifyOptions) *verifier {
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	if o.Files == nil {
		o.Files = noMeter{}
	}
	if o.Jobs < 1 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	return &verifier{VerifyOptions: o, report: Verification{Source: o.Source}}
}

// folder verifies an archive, and what lies beside it.
func (v *verifier) folder(ctx context.Context, layout dumpfmt.Layout) error {
	beside := isBackup(layout)
	var record *dumpfmt.Record
	store := ""
	if beside {
		record = v.record()
		v.manifestFile()
		store = v.findStore()
	}
	index, err := v.folderIndex(store, beside, record)
	if err != nil {
		return err
	}
	defer index.close()
	g, gctx := errgroup.WithContext(ctx)
	lookups := v.lookUp(gctx, g, index)
	g.Go(func() error {
		defer close(lookups.work)
		return v.archive(gctx, layout, record, lookups)
	})
	if store != "" {
		g.Go(func() error { return v.storeFolder(gctx, store, record) })
	}
	if record != nil && record.Zip != nil && record.Zip.Script != nil {
		g.Go(func() error { return v.keptText(gctx, record.Zip.Script) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	lookups.end()
	v.compareStore(record)
	return nil
}

// record reads odx.json; nil if there is none that can be used.
func (v *verifier) record() *dumpfmt.Record {
	r, err := dumpfmt.ReadRecord(filepath.Join(v.Source, dumpfmt.RecordFile))
	switch {
	case err == nil:
		return r
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, dumpfmt.ErrUnsupported):
		v.found.add(oddRecord, dumpfmt.RecordFile, place{}, err.Error())
	default:
		v.found.add(badRecord, dumpfmt.RecordFile, place{}, reason(err))
	}
	return nil
}

// findStore finds the filestore's folder; "" if there is none that a restore
// would take.
func (v *verifier) findStore() string {
	store, err := dumpfmt.FindStore(v.Source)
	switch {
	case err != nil:
		v.found.add(badStore, dumpfmt.FilestoreDir, place{}, reason(err))
	case store.Link != "":
		v.found.add(oddStore, dumpfmt.FilestoreDir, place{}, "a link to "+store.Path)
	}
	return store.Path
}

// manifestFile reads manifest.json.
func (v *verifier) manifestFile() {
	data, err := readOptional(v.Source, dumpfmt.ManifestFile, dumpfmt.MaxManifest)
	if err != nil {
		v.found.add(unreadable, dumpfmt.ManifestFile, place{}, err.Error())
		return
	}
	v.modules.readManifest(v, data)
}

// isDamage tells whether an error is about what is wrong with a backup, rather
// than about what odx cannot judge.
func isDamage(err error) bool {
	return errors.Is(err, dumpfmt.ErrFormat) && !errors.Is(err, dumpfmt.ErrUnsupported)
}

// archive verifies an archive's files and all rows in them.
func (v *verifier) archive(ctx context.Context, layout dumpfmt.Layout, record *dumpfmt.Record, lookups *lookups) error {
	a, err := openArchive(v.Source, layout)
	if err != nil {
		if !isDamage(err) {
			return err
		}
		v.found.add(badStructure, wherePath(err, "toc.dat"), offsetOf(err), reason(err))
		return nil
	}
	if layout == dumpfmt.LayoutFast || layout == dumpfmt.LayoutArchive {
		if files, err := a.Files(); err == nil {
			v.Meter.Start(diskBytes(files))
		}
	}
	v.report.Server = a.TOC.Header.ServerVersion.String
	r := &rowReader{v: v, ctx: ctx, isUTF8: a.TOC.Encoding() == "UTF8", lookups: lookups}
	o := pgarchive.CheckOptions{Jobs: v.Jobs, Text: r.text, Wrong: func(err error) { v.wrongFile(err) }}
	var d *digests
	if layout != dumpfmt.LayoutCustom && layout != dumpfmt.LayoutClickOdoo {
		d = v.newDigests(record)
		o.File = d.file
	}
	check, err := a.Check(ctx, o)
	if err != nil {
		return err
	}
	for _, note := range check.Notes {
		v.found.add(unusedFile, "", place{}, note)
	}
	v.report.LargeObjects = largeObjects(a.TOC)
	if d != nil {
		return d.end(filepath.Join(a.Path(), tocFile))
	}
	return nil
}

func diskBytes(files []pgarchive.File) (n int64) {
	for _, f := range files {
		n += f.Size
	}
	return n
}

// wrongFile makes a finding of an error about one of the archive's files.
func (v *verifier) wrongFile(err error) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, dumpfmt.ErrFormat):
		v.found.add(badData, wherePath(err, ""), offsetOf(err), reason(err))
	default:
		v.found.add(unreadable, wherePath(err, ""), place{}, err.Error())
	}
}

// isMissing tells whether there is nothing at path.
func isMissing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
