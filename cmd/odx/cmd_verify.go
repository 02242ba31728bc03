package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/urfave/cli/v2"

	"odx/convert"
	"odx/parallel"
)

func newVerifyCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "tell whether a backup is whole, or whether two are the same",
		ArgsUsage: "SOURCE [OTHER]",
		Description: "SOURCE is a folder that odx dump made, a standard Odoo zip, a directory-format archive, a\n" +
			"custom-format .dump, a click-odoo folder or a script of pg_dump (.sql, .sql.gz), whoever made it.\n" +
			"All of it is read, no server is needed, and nothing is written:\n\n" +
			"   every member, data file and checksum, and that all of them are there and no others;\n" +
			"   the script up to its last line, and in every row the number of columns, escapes and bytes;\n" +
			"   the digests in odx.json, and the SHA-1 of each file of the filestore against its name;\n" +
			"   a file of the right size for every attachment; the manifest against the installed modules.\n\n" +
			"What is damaged is named with its place and what it means for a restore, and so is what is only\n" +
			"odd, which changes nothing of the exit status. Of a zip, 100 MB of memory are needed for each million files.\n\n" +
			"With OTHER two backups are compared by item, whatever their layouts: each table's rows and each\n" +
			"large object, the definition of everything else, manifest, filestore and other members. That they\n" +
			"are whole is not the question then.\n\n" +
			"With --restore the backup is restored as well: into a PostgreSQL that is started for it from the programs of\n" +
			"this machine, the newest there are, and removed again. The rows of each table are counted and held\n" +
			"against the dump, and Odoo's module base, users, indexes and sequences are looked at. The dump's SQL\n" +
			"is run as a role that may do nothing else; --trusted runs it as the superuser. Where the restore fails,\n" +
			"what was found without a server is said all the same, with --json in the one object beside the error.\n\n" +
			"   odx verify backup/\n" +
			"   odx verify --restore backup.zip --temp-dir /scratch\n" +
			"   odx verify backup.zip --json\n" +
			"   odx verify backup/ backup.zip\n\n" + verifyCodes,
		Flags: join([]cli.Flag{
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Value: runtime.NumCPU(), DefaultText: "number of processors", Usage: "`NUMBER` of processors to use"},
			&cli.BoolFlag{Name: "restore", Usage: "restore it into a throw-away PostgreSQL too, and look at what comes out"},
			&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for the throw-away server, with room for the database and its indexes (default: $TMPDIR, /tmp)"},
			&cli.StringFlag{Name: "pg-bin", Usage: "`FOLDER` of PostgreSQL's programs, the server's included (default: the newest of PATH and the usual folders)"},
			&cli.BoolFlag{Name: "trusted", Usage: "restore as the server's superuser, for extensions that need one: the dump may then run any program as the user that the server runs as"},
		}, outputFlags()),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			if c.NArg() < 1 || c.NArg() > 2 || slices.Contains(c.Args().Slice(), "") {
				return usagef("odx verify takes %s, and got %d arguments", c.Command.ArgsUsage, c.NArg())
			}
			jobs, err := jobsOf(c)
			if err != nil {
				return err
			}
			o := convert.VerifyOptions{Source: c.Args().First(), Jobs: jobs}
			if c.Bool("restore") {
				return runTrial(c, o, ui)
			}
			for _, flag := range []string{"temp-dir", "pg-bin", "trusted"} {
				if c.IsSet(flag) {
					return usagef("--%s is for --restore", flag)
				}
			}
			if c.NArg() == 2 {
				return runCompare(c.Context, convert.CompareOptions{A: o.Source, B: c.Args().Get(1), Jobs: o.Jobs}, ui)
			}
			return runVerify(c.Context, o, ui)
		},
	}
}

const verifyCodes = `Exit status:
   0 whole, or only odd; of two: the same; 1 failed, or two differ; 2 wrong usage;
   3 whole but for files that the dump names and that are missing; 4 damaged, or not a valid dump;
   5 with --restore: the throw-away server or pg_restore refused it; 130 interrupted.`

func runVerify(ctx context.Context, o convert.VerifyOptions, ui *ui) error {
	v, err := verifyFiles(ctx, o, &parallel.Progress{}, ui)
	if err != nil {
		return err
	}
	return ui.reportAs(v, verdictOf(v), func() { ui.verifySummary(v) })
}

// verifyFiles reads all of the backup.
func verifyFiles(ctx context.Context, o convert.VerifyOptions, progress *parallel.Progress, ui *ui) (*convert.Verification, error) {
	spareMemory()
	progress.SetPhase("verifying")
	o.Meter, o.Files = &progress.Database, &progress.Files
	stop := ui.show(progress)
	defer stop()
	return convert.Verify(ctx, o)
}

func verdictOf(v *convert.Verification) error {
	return map[convert.Severity]error{convert.Damaged: errDamaged, convert.Incomplete: errLosses}[v.Verdict]
}

func runCompare(ctx context.Context, o convert.CompareOptions, ui *ui) error {
	progress := &parallel.Progress{}
	progress.SetPhase("comparing")
	o.Meter = &progress.Database
	stop := ui.show(progress)
	r, err := convert.Compare(ctx, o)
	stop()
	if err != nil {
		return err
	}
	var ending error
	if !r.Same {
		ending = errDiffer
	}
	return ui.reportAs(r, ending, func() { ui.compareSummary(r) })
}

// compareSummary names the differences, also with --quiet.
func (u *ui) compareSummary(r *convert.Comparison) {
	for _, d := range r.Differences {
		u.error(fmt.Sprintf("%s %s: %s", d.Item, printable(d.Name), d.What))
	}
	if more := r.Count - int64(len(r.Differences)); more > 0 {
		u.error(fmt.Sprintf("and %d more differences", more))
	}
	verdict := "the same"
	if !r.Same {
		verdict = fmt.Sprintf("%d differences", r.Count)
	}
	u.say("odx: compared the %s with the %s in %s: %s", r.LayoutA, r.LayoutB, seconds(r.Seconds), verdict)
	u.say("     the same   data of %d tables and large objects, %d definitions, %d files of the filestore", r.Tables, r.Entries, r.Files)
}

// verifySummary tells what was found, the worst first, and what was looked at.
func (u *ui) verifySummary(v *convert.Verification) {
	for i := range v.Findings {
		u.finding(&v.Findings[i])
	}
	u.say("odx: verified the %s in %s: %s: %s", v.Layout, seconds(v.Seconds), v.Verdict, printable(v.Source))
	u.say("     database   %d rows in %d tables and %d large objects, %s of text", v.Rows, v.Tables, v.LargeObjects, bytesText(v.TextBytes))
	if f := v.Filestore; f != nil {
		u.say("     filestore  %d files, %s, %d of them named by their SHA-1; %d attachments, %d of which name a file", f.Files, bytesText(f.Bytes), v.Hashed, v.Attachments, v.Named)
	}
	if v.Digests > 0 {
		u.say("     digests    %d of odx's own compared", v.Digests)
	}
}

// finding prints one kind of finding. What is damaged or missing is printed also
// with --quiet.
func (u *ui) finding(f *convert.Finding) {
	line := u.error
	if f.Severity == convert.Odd {
		line = u.warn
	}
	line(fmt.Sprintf("%s (%d): %s", f.Kind, f.Count, f.Means))
	for _, p := range f.Places {
		text := printable(p.What)
		if p.Where != "" {
			text = printable(p.Where) + placeText(p) + ": " + text
		}
		line("   " + text)
	}
	if more := f.Count - int64(len(f.Places)); more > 0 {
		line(fmt.Sprintf("   and %d more like these", more))
	}
}

// placeText gives row and offset.
func placeText(p convert.VerifyPlace) string {
	switch {
	case p.Row > 0 && p.Offset != nil:
		return fmt.Sprintf(", row %d (offset %d)", p.Row, *p.Offset)
	case p.Row > 0:
		return fmt.Sprintf(", row %d", p.Row)
	case p.Offset != nil:
		return fmt.Sprintf(" (offset %d)", *p.Offset)
	}
	return ""
}
