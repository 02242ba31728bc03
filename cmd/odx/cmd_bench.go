package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"github.com/urfave/cli/v2"

	"odx/bench/advise"
)

func newBenchCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "find the jobs and the compression that suit a database and this machine",
		ArgsUsage: "DBNAME",
		Description: "DBNAME is a database or a connection URI. Dumps a sample of its tables several times, with\n" +
			"different --jobs and --compress, and tells which suit best and what the whole database would\n" +
			"take. The database is only read; the sample goes to a temporary folder in --dir.\n\n" +
			"   odx bench -c /etc/odoo/odoo.conf prod --dir /backup\n\n" + exitCodes,
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".", Usage: "`FOLDER` on the disk that backups go to"},
			&cli.IntFlag{Name: "sample", Value: 64, Usage: "`MB` of tables to dump each time"},
			&cli.IntFlag{Name: "rounds", Value: 2, Usage: "`NUMBER` of dumps for each figure"},
			&cli.IntFlag{Name: "max-jobs", Value: 2 * runtime.NumCPU(), DefaultText: "twice the number of processors", Usage: "`NUMBER` of jobs to try at most"},
		}, connectionFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "json", Category: groupOutput, Usage: "print a report as one JSON object on stdout"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: groupOutput, Usage: "print errors only"},
		}),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			o, err := benchOptions(c)
			if err != nil {
				return err
			}
			return runBench(c.Context, o, ui)
		},
	}
}

func benchOptions(c *cli.Context) (o advise.Options, err error) {
	database, err := oneArgument(c)
	if err != nil {
		return o, err
	}
	cn, err := resolveConnection(c, database)
	if err != nil {
		return o, err
	}
	for _, name := range []string{"sample", "rounds", "max-jobs"} {
		if c.Int(name) < 1 {
			return o, usagef("--%s must be at least 1", name)
		}
	}
	if o.Dir, err = filepath.Abs(c.String("dir")); err != nil {
		return o, err
	}
	o.Server, o.Database, o.Finder = cn.settings, cn.database, cn.finder
	o.Sample, o.Rounds, o.MaxJobs = int64(c.Int("sample"))*1e6, c.Int("rounds"), c.Int("max-jobs")
	o.Environ, o.OdxVersion = os.Environ(), odxVersion()
	return o, nil
}

func runBench(ctx context.Context, o advise.Options, ui *ui) error {
	keepPrivate()
	o.Warn = ui.warn
	o.Say = func(text string) { ui.say("odx: %s ...", text) }
	report, err := advise.Run(ctx, o)
	if err != nil {
		return err
	}
	return ui.report(report, false, func() { ui.benchSummary(report) })
}

// benchSummary tells what was measured and what follows.
func (u *ui) benchSummary(r *advise.Report) {
	u.say("odx: %s on PostgreSQL %s, with %s", r.Database, r.Server, r.PgDump)
	u.say("     %s in %d tables (the largest, %s, has %s); sample: %s in %d tables; %s without any rows\n",
		bytesText(r.Bytes), r.Tables, r.Largest.Name, bytesText(r.Largest.Bytes), bytesText(r.SampleBytes), len(r.Sample), seconds(r.Fixed))
	u.say("%6s %-10s %10s %11s %14s %14s", "jobs", "compress", "sample", "its size", "whole, about", "size, about")
	for _, trials := range [][]advise.Trial{r.Jobs, r.Compress} {
		for _, t := range trials {
			u.say("%6d %-10s %10s %11s %14s %14s", t.Jobs, t.Compress, seconds(t.Seconds), bytesText(t.ArchiveBytes),
				seconds(t.FullSeconds), bytesText(t.FullBytes))
		}
	}
	a := r.Advice
	u.say("\nodx: --jobs %d --compress %s: about %s and %s for the database without its filestore", a.Jobs, a.Compress,
		seconds(a.FullSeconds), bytesText(a.FullBytes))
	u.say("     fastest here: %s; smallest: %s", a.Fastest, a.Smallest)
	if a.OneTable {
		u.say("     table %s is dumped by one connection and decides the time: more jobs do not help", r.Largest.Name)
	}
}
