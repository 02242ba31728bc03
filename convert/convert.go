package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// Options say what to convert and how.
type Options struct {
	Source, Target string // paths; Target must not exist
	TargetLayout   dumpfmt.Layout

	NoOwner      bool   // of a script: without owners
	NoPrivileges bool   // of a script: without GRANT and REVOKE
	QuoteAll     bool   // of a script: all names in quotes
	RestrictKey  string // of a script: word in \restrict, "" draws one
	OdxVersion   string // for the record

	Filestore string // of a zip: folder of the filestore; "" takes the source's own
	Manifest  string // of a zip: file of the manifest; "" takes the source's own
	Sidecar   bool   // of a zip: odx's own members, which give the source back
	Check     bool   // from or to a zip: compare all of the result with the source

	// Of a zip that is made of a backup as part of making it:
	Out     io.Writer                                // where it is written; nil for Target
	Consume bool                                     // data files are removed when they are in the zip, and files may vanish
	Rows    func(context.Context, *LiveScript) error // writes the rows of the tables, which have no data files; nil if they have
	Record  func(*Report) ([]byte, error)            // gives odx.json when all files are in the zip; nil takes the source's own

	Compression Compression // of data files
	Recompress  bool        // of a foreign zip: also what the zip has compressed in a way that data files can have
	Jobs        int         // cores that are used, 0 for all

	Meter Meter // may be nil
}

// ErrOptions is matched by errors about options that do not go with the
// conversion.
var ErrOptions = errors.New("options do not fit")

// conversion is one run.
type conversion struct {
	Options
	plan   Plan
	beside besideArchive
	report Report
}

// Run converts. The target appears when everything is written and on the disk;
// after an error, and when ctx ends, nothing is left of it.
//
// The error matches fs.ErrExist if the target exists, ErrNoPlan if there is no
// way between the layouts, ErrOptions if an option means nothing on that way,
// and is a *dumpfmt.FormatError if the source is damaged.
func Run(ctx context.Context, o Options) (Report, error) {
	started := time.Now()
	c := &conversion{Options: o}
	if c.Meter == nil {
		c.Meter = noMeter{}
	}
	if c.Jobs < 1 {
		c.Jobs = runtime.GOMAXPROCS(0)
	}
	layout, err := dumpfmt.Detect(c.Source)
	if err != nil {
		return c.report, err
	}
	if !c.Consume { // then it is under construction, and locked
		use, err := dumpfmt.UseSource(c.Source)
		if err != nil {
			return c.report, err
		}
		defer use.Close()
	}
	if layout == dumpfmt.LayoutZip && c.TargetLayout == dumpfmt.LayoutArchive {
		c.TargetLayout = dumpfmt.LayoutFast
	}
	if c.plan, err = NewPlan(layout, c.TargetLayout); err != nil {
		return c.report, err
	}
	if err := c.checkOptions(); err != nil {
		return c.report, err
	}
	if err := c.describe(); err != nil {
		return c.report, err
	}
	if err := c.run(ctx); err != nil {
		return c.report, err
	}
	c.report.Seconds = time.Since(started).Seconds()
	return c.report, nil
}

// checkOptions refuses options that would be ignored: an archive keeps owners
// and privileges, whoever restores it can leave them out.
func (c *conversion) checkOptions() error {
	if c.TargetLayout != dumpfmt.LayoutScript && c.TargetLayout != dumpfmt.LayoutZip && (c.NoOwner || c.NoPrivileges || c.RestrictKey != "") {
		return fmt.Errorf("%w: owners and privileges can be left out of a script only; pg_restore leaves them out of an archive when it restores", ErrOptions)
	}
	isZip := c.plan.Step == StepZip || c.plan.Step == StepUnzip
	switch {
	case c.QuoteAll && c.TargetLayout != dumpfmt.LayoutScript:
		return fmt.Errorf("%w: all names can be put in quotes in a script only", ErrOptions)
	case c.Check && !isZip:
		return fmt.Errorf("%w: checking is for conversions from and to a zip", ErrOptions)
	case c.plan.Step == StepZip && c.NoOwner:
		return fmt.Errorf("%w: a zip's dump.sql never has owners", ErrOptions)
	}
	return nil
}

// describe fills in what is known of the run before it starts. What lies in the
// source's folder and is not used is named.
func (c *conversion) describe() error {
	r := &c.report
	r.Source, r.SourceLayout = c.Source, c.plan.Source.String()
	r.Target, r.TargetLayout = c.Target, c.plan.Target.String()
	r.Steps = []string{c.plan.Step.String()}
	if c.plan.Takes == nil {
		return nil
	}
	there, err := os.ReadDir(c.Source)
	for _, f := range there {
		if !slices.Contains(c.plan.Takes, f.Name()) {
			r.LeftOut = append(r.LeftOut, f.Name())
		}
	}
	return err
}

// run does what is planned.
func (c *conversion) run(ctx context.Context) error {
	switch c.plan.Step {
	case StepRebuild:
		return c.rebuild(ctx)
	case StepUnzip:
		return c.fromZip(ctx)
	}
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	c.describeTOC(a.TOC)
	switch c.plan.Step {
	case StepPrint:
		return c.print(ctx, a)
	case StepZip:
		return c.toZip(ctx, a)
	}
	return c.recode(ctx, a)
}

// open opens the source's archive and reads the record beside it.
func (c *conversion) open(ctx context.Context) (*pgarchive.Archive, error) {
	a, err := openArchive(c.Source, c.plan.Source)
	if err == nil && isBackup(c.plan.Source) {
		c.beside, err = holdAgainstRecord(ctx, a, c.Source)
	}
	if err != nil {
		return nil, err
	}
	return a, c.nameUnused(a)
}

// nameUnused names files in the archive's folder that are none of it.
func (c *conversion) nameUnused(a *pgarchive.Archive) error {
	unused, err := a.Unused()
	folder := ""
	if isBackup(c.plan.Source) {
		folder = filepath.Base(a.Path()) + "/"
	}
	for _, name := range unused {
		c.report.LeftOut = append(c.report.LeftOut, folder+name)
	}
	return err
}

// openArchive opens the archive of a layout that has one.
func openArchive(path string, layout dumpfmt.Layout) (*pgarchive.Archive, error) {
	switch layout {
	case dumpfmt.LayoutFast:
		path = filepath.Join(path, dumpfmt.ArchiveDir)
	case dumpfmt.LayoutClickOdoo:
		path = filepath.Join(path, dumpfmt.ClickOdooDump)
	}
	return pgarchive.Open(path)
}

func (c *conversion) describeTOC(t *pgarchive.TOC) {
	r := &c.report
	r.PgDump, r.Server = t.Header.DumpVersion.String, t.Header.ServerVersion.String
	r.Entries = len(t.Entries)
	r.LargeObjects = largeObjects(t)
}

// largeObjects counts the large objects that a table of contents names.
func largeObjects(t *pgarchive.TOC) (n int64) {
	for i := range t.Entries {
		switch e := &t.Entries[i]; e.Desc {
		case pgarchive.DescBlob:
			n++
		case pgarchive.DescBlobMetadata:
			n += int64(strings.Count(e.Defn.String, "\n"))
		}
	}
	return n
}
