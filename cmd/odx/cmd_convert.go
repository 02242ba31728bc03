package main

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
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
		Description: "SOURCE is a folder that odx dump made, a standard Odoo zip, a directory-format archive, a\n" +
			"custom-format .dump, a click-odoo folder or a script of pg_dump. TARGET must not exist; its\n" +
			"name says what it becomes:\n\n" +
			"   *.zip   Odoo's standard zip: dump.sql, manifest.json, filestore/\n" +
			"   *.sql   the database's script, byte for byte that of pg_restore (of a zip: unzip -p has it)\n" +
			"   other   of a zip, the folder that odx dump makes; else a directory-format archive\n\n" +
			"The archives restore with pg_restore -j. No server and no PostgreSQL program is needed.\n\n" +
			"   odx convert backup.zip backup/          # and back, to the same members:\n" +
			"   odx convert backup/ backup.zip\n" +
			"   odx convert prod.dump prod.zip --filestore /var/lib/odoo/filestore/prod\n" +
			"   odx convert prod.dump prod.sql --no-owner\n" +
			"   odx convert dump.sql archive/ --jobs 4 && pg_restore -j 4 -d prod archive/\n\n" + exitCodes,
		Flags: join([]cli.Flag{
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Value: runtime.NumCPU(), DefaultText: "number of processors", Usage: "`NUMBER` of processors to use"},
			&cli.StringFlag{Name: "compress", Aliases: []string{"Z"}, Value: convert.DefaultCompression.String(), Usage: "`METHOD[:LEVEL]` of an archive's data files: none, gzip, lz4 and zstd (the last two for pg_restore 16 or newer); if not given, what a zip has deflated is kept as it is"},
			&cli.BoolFlag{Name: "no-owner", Aliases: []string{"O"}, Usage: "write a script without owners"},
			&cli.BoolFlag{Name: "no-privileges", Aliases: []string{"x", "no-acl"}, Usage: "write a script, or a zip's dump.sql, without GRANT and REVOKE"},
			&cli.BoolFlag{Name: "quote-all-identifiers", Usage: "write a script with all names in quotes, of an archive that pg_dump made with this option"},
			&cli.StringFlag{Name: "restrict-key", Usage: "`WORD` in a script's \\restrict (default: drawn at random, as it should be outside of tests)"},
			&cli.StringFlag{Name: "filestore", Usage: "`FOLDER` of the filestore that goes into a zip (default: the source's own)"},
			&cli.StringFlag{Name: "manifest", Usage: "`FILE` that becomes a zip's manifest.json (default: the source's own, else made of its ir_module_module rows)"},
			&cli.BoolFlag{Name: "no-sidecar", Usage: "leave odx's own members out of a zip; it is converted back by reading all of dump.sql then, and without owners"},
			&cli.BoolFlag{Name: "check", Usage: "from or to a zip: compare every member with the folder's files by SHA-256 before the target appears"},
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

// packedNames are what names of files end in that somebody would expect to be
// packed, and which odx would make folders.
var packedNames = []string{".gz", ".tgz", ".bz2", ".xz", ".zst", ".tar", ".7z"}

var restrictKey = regexp.MustCompile(`^[a-zA-Z0-9]*$`)

// convertOptions reads everything that the command line says.
func convertOptions(c *cli.Context) (o convert.Options, err error) {
	if o.Source, o.Target, err = twoArguments(c); err != nil {
		return o, err
	}
	o.TargetLayout = convert.TargetLayout(o.Target)
	toZip := o.TargetLayout == dumpfmt.LayoutZip
	switch {
	case o.Target == "-":
		return o, usagef("odx convert writes no standard output: what it writes appears when it is whole")
	case slices.Contains(packedNames, strings.ToLower(filepath.Ext(o.Target))):
		return o, usagef("target %q: odx convert packs nothing but a zip (.zip); it writes a script (.sql), or a folder, which is not to be named %s", o.Target, filepath.Ext(o.Target))
	case o.TargetLayout == dumpfmt.LayoutCustom:
		return o, usagef("target %q: odx writes a zip (.zip), a script (.sql) or a folder; it does not write %s", o.Target, o.TargetLayout)
	case o.TargetLayout != dumpfmt.LayoutArchive && c.IsSet("compress"):
		return o, usagef("--compress is for archives, and %s is to be a %s", o.Target, o.TargetLayout)
	case !toZip && (c.IsSet("filestore") || c.IsSet("manifest") || c.IsSet("no-sidecar")):
		return o, usagef("--filestore, --manifest and --no-sidecar are for zips, and %s is to be a %s", o.Target, o.TargetLayout)
	}
	o.Filestore, o.Manifest, o.Sidecar = c.String("filestore"), c.String("manifest"), !c.Bool("no-sidecar")
	o.Check, o.OdxVersion = c.Bool("check"), odxVersion()
	if o.Jobs, err = jobsOf(c); err != nil {
		return o, err
	}
	if o.Compression, err = convert.ParseCompression(c.String("compress")); err != nil {
		return o, usagef("--compress: %v", err)
	}
	o.Recompress = c.IsSet("compress")
	o.NoOwner, o.NoPrivileges = c.Bool("no-owner"), c.Bool("no-privileges")
	o.QuoteAll = c.Bool("quote-all-identifiers")
	if o.RestrictKey = c.String("restrict-key"); !restrictKey.MatchString(o.RestrictKey) {
		return o, usagef("--restrict-key %q: letters and digits only", o.RestrictKey)
	}
	return o, nil
}

func runConvert(ctx context.Context, o convert.Options, ui *ui) error {
	keepPrivate()
	nameLeftovers(filepath.Dir(o.Target), ui)
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
	note, losses := ui.warn, report.FilesMissing > 0
	if losses {
		note = ui.loss
	}
	for _, n := range report.Notes {
		note(n)
	}
	return ui.report(report, losses, func() { ui.convertSummary(&report) })
}

// nameLeftovers names what killed runs have left in a folder. That it cannot be
// listed is said, if it matters, by what is to be written there.
func nameLeftovers(dir string, ui *ui) {
	leftovers, _, err := dumpfmt.Leftovers(dir)
	if err != nil {
		return
	}
	for _, l := range leftovers {
		ui.warn(l.Notice())
	}
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
	if r.Files > 0 {
		u.say("     filestore  %d files, %s", r.Files, bytesText(r.FileBytes))
	}
	u.say("     target     %s%s", bytesText(r.TargetBytes), compressed)
	if p := r.Proof; p != nil {
		u.say("     checked    dump.sql, %d other members and %d data files are the same on both sides, %s", p.Members, p.DataFiles, bytesText(p.Bytes))
		u.say("     dump.sql   SHA-256 %s", p.Script)
	}
}
