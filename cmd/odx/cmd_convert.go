package main

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"odx/convert"
	"odx/dumpfmt"
	"odx/parallel"
)

func newConvertCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "convert",
		Usage:     "make a dump of one layout out of one of another",
		ArgsUsage: "SOURCE TARGET",
		Description: "SOURCE is a directory-format archive, a custom-format .dump, a script of pg_dump, a folder that\n" +
			"odx dump made or a click-odoo folder; of the latter two the database's dump is converted.\n" +
			"TARGET must not exist: a name that ends in .sql becomes a script, byte for byte that of\n" +
			"pg_restore; any other name becomes a folder with a directory-format archive, which\n" +
			"pg_restore -j reads. No server and no PostgreSQL program is needed.\n\n" +
			"   odx convert prod.dump prod.sql --no-owner\n" +
			"   odx convert dump.sql archive/ --jobs 4 && pg_restore -j 4 -d prod archive/\n\n" + exitCodes,
		Flags: join([]cli.Flag{
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Value: runtime.NumCPU(), DefaultText: "number of processors", Usage: "`NUMBER` of processors to use"},
			&cli.StringFlag{Name: "compress", Aliases: []string{"Z"}, Value: convert.DefaultCompression.String(), Usage: "`METHOD[:LEVEL]` of an archive's data files: none, gzip, lz4 and zstd (the last two for pg_restore 16 or newer)"},
			&cli.BoolFlag{Name: "no-owner", Aliases: []string{"O"}, Usage: "write a script without owners"},
			&cli.BoolFlag{Name: "no-privileges", Aliases: []string{"x", "no-acl"}, Usage: "write a script without GRANT and REVOKE"},
			&cli.StringFlag{Name: "restrict-key", Usage: "`WORD` in a script's \\restrict (default: drawn at random, as it should be outside of tests)"},
		}, outputFlags()),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			o, err := convertOptions(c)
			if err != nil {
				return err
			}
			return runConvert(c.Context, o, ui)
		},
	}
}

var restrictKey = regexp.MustCompile(`^[a-zA-Z0-9]*$`)

// convertOptions reads everything that the command line says.
func convertOptions(c *cli.Context) (o convert.Options, err error) {
	if o.Source, o.Target, err = twoArguments(c); err != nil {
		return o, err
	}
	o.TargetLayout = convert.TargetLayout(o.Target)
	toScript := o.TargetLayout == dumpfmt.LayoutScript
	switch {
	case !toScript && o.TargetLayout != dumpfmt.LayoutArchive:
		return o, usagef("target %q: odx converts to a script (.sql) or to the folder of an archive; %s is not possible yet", o.Target, o.TargetLayout)
	case toScript && c.IsSet("compress"):
		return o, usagef("--compress is for archives, and %s is to be a script", o.Target)
	}
	if o.Jobs = c.Int("jobs"); o.Jobs < 1 {
		return o, usagef("--jobs must be at least 1")
	}
	if o.Compression, err = convert.ParseCompression(c.String("compress")); err != nil {
		return o, usagef("--compress: %v", err)
	}
	o.NoOwner, o.NoPrivileges = c.Bool("no-owner"), c.Bool("no-privileges")
	if o.RestrictKey = c.String("restrict-key"); !restrictKey.MatchString(o.RestrictKey) {
		return o, usagef("--restrict-key %q: letters and digits only", o.RestrictKey)
	}
	return o, nil
}

func runConvert(ctx context.Context, o convert.Options, ui *ui) error {
	keepPrivate()
	progress := &parallel.Progress{}
	progress.SetPhase("converting")
	o.Meter = &progress.Database
	stop := ui.show(progress)
	report, err := convert.Run(ctx, o)
	stop()
	if errors.Is(err, convert.ErrOptions) {
		return errUsage{err.Error()}
	}
	if err != nil {
		return err
	}
	if len(report.LeftOut) > 0 {
		ui.warn("not in the target: " + strings.Join(report.LeftOut, ", "))
	}
	for _, note := range report.Notes {
		ui.warn(note)
	}
	return ui.report(report, false, func() { ui.convertSummary(&report) })
}

// convertSummary tells in a few lines what was converted.
func (u *ui) convertSummary(r *convert.Report) {
	u.say("odx: converted %s to %s in %s: %s", r.SourceLayout, r.TargetLayout, seconds(r.Seconds), r.Target)
	u.say("     dumped by  pg_dump %s from a server %s", printable(r.PgDump), printable(r.Server))
	u.say("     database   %d entries, %d tables and %d large objects with %s", r.Entries, r.Tables, r.LargeObjects, bytesText(r.DataBytes))
	compressed := ""
	if r.Compression != "" {
		compressed = ", compression " + r.Compression
	}
	u.say("     target     %s%s", bytesText(r.TargetBytes), compressed)
}
