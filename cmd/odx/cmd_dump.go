package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v2"

	"odx/convert"
	"odx/dumpfmt"
	"odx/parallel"
	"odx/parallel/dump"
)

func newDumpCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "dump",
		Usage:     "dump a database and its filestore into a folder or a zip",
		ArgsUsage: "DBNAME TARGET",
		Description: "DBNAME is a database or a connection URI; TARGET is a folder or zip that does not exist yet.\n" +
			"The folder holds manifest.json, dump/ (an archive that pg_restore reads), filestore/ and odx.json.\n" +
			"A name that ends in .zip gives Odoo's standard zip instead, the one that odx convert makes of\n" +
			"the folder; - writes it to standard output. Rows go into it as they are read. With --engine pg_dump,\n" +
			"or without gzip, the archive that it is made of lies beside the zip meanwhile (for -, in the folder\n" +
			"for temporary files) and is removed piece by piece.\n\n" +
			"   odx dump -c /etc/odoo/odoo.conf prod /backup/prod-monday --jobs 4\n" +
			"   odx dump -c /etc/odoo/odoo.conf prod prod.zip\n" +
			"   odx dump -c /etc/odoo/odoo.conf prod - | ssh backup 'cat > prod.zip.part'\n" +
			"   odx dump -c /etc/odoo/odoo.conf prod /backup/prod-upgrade --for-upgrade\n\n" + exitCodes,
		Flags: join([]cli.Flag{
			jobsFlag("that copy rows"),
			&cli.StringFlag{Name: "engine", Usage: "what copies the rows: direct (odx itself, several at a time within a large table) or pg_dump (default: direct where it can be used)"},
			&cli.StringFlag{Name: "rate", Usage: "copy at most `SIZE` of rows a second, as text: bytes, or with a unit as 20MB; direct only"},
			&cli.StringFlag{Name: "compress", Aliases: []string{"Z"}, Value: dump.DefaultCompress, Usage: "`METHOD[:LEVEL]` of the data files: none, gzip, and with pg_dump 16 or newer lz4 and zstd"},
			&cli.StringSliceFlag{Name: "exclude-table-data", Usage: "leave out the rows of tables that match `PATTERN` (may be repeated)"},
			&cli.StringFlag{Name: "lock-wait-timeout", Usage: "give up when a lock cannot be had in this `TIME`: milliseconds, or with a unit as 30s (default: wait)"},
			&cli.IntFlag{Name: "retries", Value: 2, Usage: "`NUMBER` of new tries when somebody locks pg_dump out of a table"},
			&cli.BoolFlag{Name: "no-gc-guard", Usage: "do not keep Odoo's garbage collection of files away"},
			&cli.StringFlag{Name: "gc-guard-wait", Value: dump.DefaultGuardPatience.String(), Usage: "stop keeping it away when another session has waited for that for this `TIME`: milliseconds, or with a unit; the files are checked at the end"},
			&cli.BoolFlag{Name: "verify-filestore", Usage: "compare the SHA-1 of each file with its name while it is copied"},
			&cli.StringFlag{Name: "link-dest", Usage: "hard-link files that have not changed since the `BACKUP`, a folder on the same file system made with --verify-filestore or --link-dest"},
			&cli.BoolFlag{Name: "for-upgrade", Usage: "make a folder with what the client of upgrade.odoo.com takes with -i, without the filestore, and print the command; it is no backup"},
			&cli.BoolFlag{Name: "strict", Usage: "fail, and leave nothing, when files are missing or damaged"},
		}, filestoreFlags(), connectionFlags(), outputFlags(), []cli.Flag{metricsFlag()}),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			return withMetrics(c, 0, ui, func() (outcomes, error) { return dumpAction(c, ui) })
		},
	}
}

// dumpAction makes what the command line asks for.
func dumpAction(c *cli.Context, ui *ui) (outcomes, error) {
	o, err := dumpOptions(c)
	if err != nil {
		return outcomes{}, err
	}
	if c.Args().Get(1) == standardOutput {
		return runDumpToOutput(c.Context, o, ui)
	}
	if convert.TargetLayout(o.Target) == dumpfmt.LayoutZip {
		o.Pack = packZip(o, nil)
	}
	done, err := runDump(c.Context, o, o.Target, ui)
	if err == nil && o.ForUpgrade { // which has no files to lose
		ui.nextForUpgrade(o.Target, o.Database, sameServer(c, o.Server.Params))
	}
	return done, err
}

// dumpOptions reads everything that the command line says.
func dumpOptions(c *cli.Context) (o dump.Options, err error) {
	database, target, err := twoArguments(c)
	if err != nil {
		return o, err
	}
	cn, err := resolveConnection(c, database)
	if err != nil {
		return o, err
	}
	if o.Filestore, err = cn.filestorePath(c, cn.database); err != nil {
		return o, err
	}
	if o.LockWait, err = waitTime("lock-wait-timeout", c.String("lock-wait-timeout")); err != nil {
		return o, err
	}
	if o.GuardPatience, err = waitTime("gc-guard-wait", c.String("gc-guard-wait")); err != nil {
		return o, err
	}
	if c.Bool("no-gc-guard") && c.IsSet("gc-guard-wait") {
		return o, usagef("--gc-guard-wait is about the guard that --no-gc-guard leaves out")
	}
	if o.Engine, err = dump.ParseEngine(c.String("engine")); err != nil {
		return o, usagef("--%v", err)
	}
	if o.Rate, err = byteSize("rate", c.String("rate")); err != nil {
		return o, err
	}
	if o.Jobs, err = jobsOf(c); err != nil {
		return o, err
	}
	if o.Target, err = dumpTarget(target); err != nil {
		return o, err
	}
	o.Verify, o.LinkDest = c.Bool("verify-filestore"), c.String("link-dest")
	toZip := target == standardOutput || convert.TargetLayout(target) == dumpfmt.LayoutZip
	if (o.Verify || o.LinkDest != "") && (o.Filestore == "" || toZip) {
		return o, usagef("--verify-filestore and --link-dest are about copying a filestore into a folder")
	}
	if o.ForUpgrade = c.Bool("for-upgrade"); o.ForUpgrade {
		if err := checkForUpgrade(c, toZip); err != nil {
			return o, err
		}
		o.Filestore = ""
	}
	o.Server, o.Database, o.Finder = cn.settings, cn.database, cn.finder
	if o.Compress = c.String("compress"); o.ForUpgrade && !c.IsSet("compress") {
		o.Compress = upgradeCompress
	}
	o.ExcludeTableData = c.StringSlice("exclude-table-data")
	o.GCGuard = !c.Bool("no-gc-guard")
	o.Strict = c.Bool("strict")
	o.Retries = max(c.Int("retries"), 0)
	o.Environ, o.OdxVersion = os.Environ(), odxVersion()
	o.Progress = &parallel.Progress{}
	return o, nil
}

// runDump dumps. Shown is what people are told of the target.
func runDump(ctx context.Context, o dump.Options, shown string, ui *ui) (done outcomes, err error) {
	keepPrivate()
	waitInCalls(o.Jobs)
	o.Warn = ui.warn
	stop := ui.show(o.Progress)
	report, err := dump.Run(ctx, o)
	stop()
	if err != nil {
		return done, err
	}
	report.Target = shown
	done.bytes = report.Record.Archive.Bytes
	if f := report.Record.Filestore; f != nil {
		done.bytes += f.Bytes
		done.missing = f.Missing + f.Damaged + f.Unread
	}
	return done, ui.report(report, report.Losses(), func() { ui.dumpSummary(report) })
}
