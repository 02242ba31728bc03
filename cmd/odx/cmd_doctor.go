package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"odx/parallel/doctor"
	"odx/parallel/dump"
	"odx/parallel/restore"
)

// errBlocked says that odx doctor has printed something that would stop the
// command.
var errBlocked = errors.New("something would stop it")

func newDoctorCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "tell what would stop a dump or a restore, or make it slow, before it is begun",
		ArgsUsage: "DBNAME TARGET, or --restore SOURCE DBNAME",
		Description: "Takes the arguments and flags of odx dump or, with --restore, of odx restore. It makes and\n" +
			"changes nothing. Both commands look at the same by themselves when they begin.\n\n" +
			"   odx doctor -c /etc/odoo/odoo.conf prod /backup/prod-monday\n" +
			"   odx doctor --restore /backup/prod-monday staging\n\n" +
			"Exit codes: 0 nothing would stop it, though there may be warnings; 1 something would, or\n" +
			"it could not be found out; 2 usage; 4 the input is not a valid dump.",
		Flags: doctorFlags(ui),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			findings, err := examine(c)
			if err != nil {
				return err
			}
			return ui.diagnosis(findings)
		},
	}
}

// doctorFlags are those of dump and restore, each once, but for what is written
// of a run.
func doctorFlags(ui *ui) []cli.Flag {
	all := []cli.Flag{&cli.BoolFlag{Name: "restore", Usage: "look at a restore, not at a dump"}}
	seen := map[string]bool{metricsFlag().Names()[0]: true}
	for _, f := range join(newDumpCommand(ui).Flags, newRestoreCommand(ui).Flags) {
		if name := f.Names()[0]; !seen[name] {
			seen[name] = true
			all = append(all, f)
		}
	}
	return all
}

func examine(c *cli.Context) ([]doctor.Finding, error) {
	own, other := newDumpCommand(nil), newRestoreCommand(nil)
	if c.Bool("restore") {
		own, other = other, own
	}
	if err := refuseOther(c, own, other); err != nil {
		return nil, err
	}
	if c.Bool("restore") {
		o, err := restoreOptions(c)
		if err != nil {
			return nil, err
		}
		return restore.Check(c.Context, o)
	}
	o, err := dumpOptions(c)
	if err != nil {
		return nil, err
	}
	return dump.Check(c.Context, o)
}

// refuseOther refuses flags that only the other command has.
func refuseOther(c *cli.Context, own, other *cli.Command) error {
	known := map[string]bool{}
	for _, f := range own.Flags {
		known[f.Names()[0]] = true
	}
	for _, f := range other.Flags {
		if name := f.Names()[0]; c.IsSet(name) && !known[name] {
			return usagef("--%s is a flag of odx %s, and this looks at odx %s", name, other.Name, own.Name)
		}
	}
	return nil
}

// diagnosis shows what was found, and says by its error whether it would stop
// the command.
func (u *ui) diagnosis(findings []doctor.Finding) error {
	for i := range findings {
		if f := &findings[i]; f.Do == "" && f.Err != nil {
			f.Do = hintFor(f.Err)
		}
	}
	var err error
	if len(doctor.Blocked(findings)) > 0 {
		err = errBlocked
	}
	report := append([]doctor.Finding{}, findings...)
	return u.reportAs(report, err, func() { u.listFindings(findings) })
}

// listFindings shows what was found; what would stop the command also with --quiet.
func (u *ui) listFindings(findings []doctor.Finding) {
	for _, f := range findings {
		if u.quiet && f.Severity != doctor.Blocking {
			continue
		}
		u.print(f.String())
		if f.Do != "" {
			u.print("     " + f.Do)
		}
	}
	if len(findings) == 0 {
		u.say("odx: nothing was found")
	}
}
