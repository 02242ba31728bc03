package main

import (
	"context"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"odx/dumpfmt/retention"
)

func newPruneCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "prune",
		Usage:     "remove old backups from a folder",
		ArgsUsage: "FOLDER",
		Description: "Backups are the folders and zips directly in FOLDER that odx dump made. Their time and database\n" +
			"are those in their own records; each database is judged apart, and so are its backups without the\n" +
			"filestore or without some tables' rows. The newest, and the newest without losses, always stay. What is not complete, or has no record, is named and stays too;\n" +
			"what is no backup is not touched. At least one --keep-... must be given; days, weeks and\n" +
			"months without a backup do not count.\n\n" +
			"   odx prune /backup --keep-daily 7 --keep-weekly 4 --keep-monthly 3 --dry-run\n\n" + exitCodes,
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "keep-last", Usage: "keep the newest `NUMBER`"},
			&cli.IntFlag{Name: "keep-daily", Usage: "keep the newest of each of the last `NUMBER` days that have one"},
			&cli.IntFlag{Name: "keep-weekly", Usage: "the same of weeks, which begin on Monday: `NUMBER`"},
			&cli.IntFlag{Name: "keep-monthly", Usage: "the same of months: `NUMBER`"},
			&cli.IntFlag{Name: "keep-min", Usage: "keep at least this `NUMBER` in all, more of the newest if need be"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "only tell what would be removed"},
		}, outputFlags()...),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			folder, err := oneArgument(c)
			if err != nil {
				return err
			}
			policy, err := prunePolicy(c)
			if err != nil {
				return err
			}
			return runPrune(c.Context, retention.Options{Folder: folder, Policy: policy, DryRun: c.Bool("dry-run")}, ui)
		},
	}
}

func prunePolicy(c *cli.Context) (p retention.Policy, err error) {
	given := 0
	for name, to := range map[string]*int{
		"keep-last": &p.Last, "keep-daily": &p.Daily, "keep-weekly": &p.Weekly, "keep-monthly": &p.Monthly, "keep-min": &p.Min,
	} {
		if *to = c.Int(name); *to < 0 {
			return p, usagef("--%s must not be negative", name)
		}
		given += min(*to, 1)
	}
	if given == 0 {
		return p, usagef("nothing says what is to be kept: give at least one of --keep-last, --keep-daily, --keep-weekly, --keep-monthly and --keep-min")
	}
	return p, nil
}

func runPrune(ctx context.Context, o retention.Options, ui *ui) error {
	o.Removed = func(b *retention.Backup) { ui.say("removed  %s", pruneLine(b)) }
	report, err := retention.Prune(ctx, o)
	if report == nil {
		return err
	}
	for _, l := range report.Left {
		ui.warn("left alone: " + l.Path + ": " + l.Reason)
	}
	if err != nil {
		return err
	}
	return ui.report(report, false, func() {
		kept, others := report.Count()
		for i := range report.Backups {
			b := &report.Backups[i]
			switch {
			case len(b.Keep) > 0:
				ui.say("kept     %s (%s)", pruneLine(b), strings.Join(b.Keep, ", "))
			case report.DryRun:
				ui.say("to go    %s", pruneLine(b))
			}
		}
		verb := "removed"
		if report.DryRun {
			verb = "would be removed"
		}
		ui.say("odx: %d backups in %s are kept, %d %s", kept, report.Folder, removedOf(report, others), verb)
	})
}

// removedOf is how many were removed, or would be.
func removedOf(r *retention.Report, others int) (n int) {
	if r.DryRun {
		return others
	}
	for i := range r.Backups {
		if r.Backups[i].Removed {
			n++
		}
	}
	return n
}

// pruneLine describes a backup.
func pruneLine(b *retention.Backup) string {
	line := b.Path + ": " + printable(b.Database) + ", " + b.Started.Local().Format(time.DateTime) + ", " + bytesText(b.Bytes)
	if b.NoFilestore {
		line += ", without the filestore"
	}
	if len(b.Excluded) > 0 {
		line += ", without the rows of " + printable(strings.Join(b.Excluded, ", "))
	}
	if b.Losses > 0 {
		line += ", with losses"
	}
	return line
}
