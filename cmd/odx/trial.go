package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"odx/convert"
	"odx/parallel"
	"odx/parallel/pgtool"
	"odx/parallel/scratch"
)

// trialReport is what odx verify --restore found out. Restored is nil if nothing
// was restored, because the files are damaged, or if the restore failed.
type trialReport struct {
	Files    *convert.Verification `json:"files"`
	Restored *scratch.Report       `json:"restored,omitempty"`
}

// runTrial verifies a backup's files, then restores it into a throw-away server.
func runTrial(c *cli.Context, v convert.VerifyOptions, ui *ui) (err error) {
	if c.NArg() != 1 {
		return usagef("odx verify --restore takes one SOURCE, and got %d", c.NArg())
	}
	o := scratch.Options{
		Finder:  pgtool.Finder{BinDir: c.String("pg-bin"), Path: os.Getenv("PATH")},
		TempDir: c.String("temp-dir"), Environ: os.Environ(),
		Jobs: v.Jobs, Trusted: c.Bool("trusted"), Rows: &scratch.Rows{}, Warn: ui.warn,
	}
	if o.Source, err = filepath.Abs(v.Source); err != nil {
		return err
	}
	v.Table = o.Rows.Add
	var report trialReport
	if report.Files, err = verifyFiles(c.Context, v, &parallel.Progress{}, ui); err != nil {
		return err
	}
	verdict := verdictOf(report.Files)
	if !ui.json {
		ui.verifySummary(report.Files)
	}
	if !errors.Is(verdict, errDamaged) {
		o.Server, o.TextBytes, o.Objects = report.Files.Server, report.Files.TextBytes, report.Files.LargeObjects
		o.Progress = &parallel.Progress{}
		stop := ui.show(o.Progress)
		report.Restored, err = scratch.Run(c.Context, o)
		stop()
		if err != nil {
			return withReport{err, report}
		}
		if report.Restored.IsDamaged() {
			verdict = errDamaged
		}
	}
	return ui.reportAs(report, verdict, func() { ui.trialSummary(report.Restored) })
}

// trialSummary tells what became of the restored database; r is nil if there is
// none. What failed is printed also with --quiet.
func (u *ui) trialSummary(r *scratch.Report) {
	if r == nil {
		u.say("     restored   no: what is damaged is not restored")
		return
	}
	good := 0
	for _, c := range r.Checks {
		if c.Failed == 0 {
			good++
			continue
		}
		u.failedCheck(c)
	}
	u.say("odx: restored it into a throw-away %s in %s: %s", r.Server, seconds(r.Seconds.Total), map[bool]string{true: "damaged", false: "as it should be"}[r.IsDamaged()])
	u.say("     compared   %d rows in %d tables; %d of %d checks are good; %s on the server", r.Rows, r.Tables, good, len(r.Checks), bytesText(r.Bytes))
	if !r.IsOdoo {
		u.say("     Odoo       the database is not Odoo's, so its module base and users were not looked at")
	}
	for _, t := range r.NotCompared {
		u.say("     not compared   %s", printable(t))
	}
	if n := len(r.Restore.Warnings); n > 0 {
		u.say("     remarks    %d of the restore, about this machine rather than the backup (--json lists them)", n)
	}
	if n := len(r.Restore.LeftOut); n > 0 {
		u.say("     left out   %d things that could not apply there, or that its role may not make (--json lists them)", n)
	}
}

func (u *ui) failedCheck(c scratch.Check) {
	line := u.warn
	if c.Damage {
		line = u.error
	}
	line(fmt.Sprintf("%s (%d): %s", c.Name, c.Failed, c.Means))
	for _, what := range c.Found {
		line("   " + printable(what))
	}
	if more := c.Failed - int64(len(c.Found)); more > 0 {
		line(fmt.Sprintf("   and %d more like these", more))
	}
}
