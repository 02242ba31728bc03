package main

import (
	"fmt"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set at link time; without that it comes from the build info.
var version = ""

func odxVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

const exitCodes = `Exit status:
   0 done; 1 failed; 2 wrong usage; 3 complete and in place, but files of the
   filestore were missing; 4 the input is not a valid dump; 5 a PostgreSQL
   program failed, or the server refused the data of a script; 130 interrupted.`

// newApp builds the command line. Nothing in it prints or exits by itself.
func newApp(ui *ui) *cli.App {
	app := &cli.App{
		Name:  "odx",
		Usage: "dump, restore and convert Odoo databases in parallel, with their filestores",
		Description: "odx dumps an Odoo database with pg_dump on several connections while it copies the\n" +
			"filestore, as one point in time, and restores both in parallel with Odoo's own\nrestore semantics. It converts dumps from one layout to another without a server.\n\n" + exitCodes,
		Version:              odxVersion(),
		HideVersion:          true, // the library's flag prints in a form of its own
		Flags:                []cli.Flag{&cli.BoolFlag{Name: "version", Usage: "print the version of odx, as odx version does"}},
		Writer:               ui.stdout,
		ErrWriter:            ui.stderr,
		EnableBashCompletion: true,
		Suggest:              false,
		ExitErrHandler:       func(*cli.Context, error) {}, // the library would call os.Exit
		OnUsageError:         usageError,
		Action:               ui.rootAction,
		Commands: []*cli.Command{
			newDumpCommand(ui), newRestoreCommand(ui), newConvertCommand(ui), newInspectCommand(ui), newVerifyCommand(ui),
			newDoctorCommand(ui), newPruneCommand(ui), newCleanCommand(ui),
			newBenchCommand(ui), newDemoCommand(ui), newVersionCommand(ui), newCompletionCommand(ui),
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true // a database may be named help
	}
	return app
}

// errUsage marks errors that are the command line's.
type errUsage struct{ text string }

func (e errUsage) Error() string { return e.text }

func usagef(format string, args ...any) error { return errUsage{fmt.Sprintf(format, args...)} }

func usageError(_ *cli.Context, err error, _ bool) error { return errUsage{err.Error()} }

func (u *ui) rootAction(c *cli.Context) error {
	switch {
	case c.Args().Present():
		return usagef("unknown command %q", c.Args().First())
	case c.Bool("version"):
		return u.printVersion()
	case c.NumFlags() == 0:
		return cli.ShowAppHelp(c)
	}
	return nil
}

// oneArgument reads the argument of a command that takes exactly one.
func oneArgument(c *cli.Context) (string, error) {
	if c.NArg() != 1 || c.Args().First() == "" {
		return "", usagef("odx %s takes %s, and got %d arguments", c.Command.Name, c.Command.ArgsUsage, c.NArg())
	}
	return c.Args().First(), nil
}

// jobsOf reads --jobs.
func jobsOf(c *cli.Context) (int, error) {
	if c.Int("jobs") < 1 {
		return 0, usagef("--jobs must be at least 1")
	}
	return c.Int("jobs"), nil
}

// twoArguments reads the arguments of a command that takes exactly two.
func twoArguments(c *cli.Context) (string, string, error) {
	if c.NArg() != 2 {
		return "", "", usagef("odx %s takes %s, and got %d arguments", c.Command.Name, c.Command.ArgsUsage, c.NArg())
	}
	for _, a := range c.Args().Slice() {
		if a == "" {
			return "", "", usagef("odx %s: an argument is empty", c.Command.Name)
		}
	}
	return c.Args().Get(0), c.Args().Get(1), nil
}
