// Command odxbench measures odx beside what people use instead of it, on data
// that it makes itself on a throw-away server. It is a tool of odx's developers
// and of those who want to check what odx promises; `odx bench`, which looks at
// a user's own server, is something else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"odx/bench/contest"
)

func main() { os.Exit(run(os.Args)) }

// Exit codes.
const (
	exitFailed     = 1
	exitUnfinished = 3 // --for ended the run; the same command goes on
)

// run is main without the exit, so that every deferred clean-up runs.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := newApp().RunContext(ctx, args)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		say("interrupted; results.json has what was measured")
		return exitFailed
	case errors.Is(err, contest.ErrTime):
		say(err.Error() + "; the same command goes on from here")
		return exitUnfinished
	}
	say("error: " + err.Error())
	return exitFailed
}

func say(text string) { fmt.Fprintln(os.Stderr, "odxbench: "+text) }

func newApp() *cli.App {
	return &cli.App{
		Name: "odxbench", Usage: "measure odx beside what people use instead",
		ExitErrHandler: func(*cli.Context, error) {}, // the library would call os.Exit
		HideVersion:    true,
		// Names of peers have commas.
		DisableSliceFlagSeparator: true,
		Commands:                  []*cli.Command{newRunCommand(), newReportCommand(), newGuardCommand()},
	}
}

// toolFlags say which programs take part.
func toolFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "odx", Value: "bin/odx", Usage: "odx's program `FILE`"},
		&cli.StringFlag{Name: "pg-bin", Usage: "`FOLDER` of PostgreSQL's programs, the server's included (default: the newest server's)"},
		&cli.StringFlag{Name: "dir", Value: os.TempDir(), Usage: "`FOLDER` for server, data and what is written; user postgres must be able to enter it"},
	}
}

func findTools(c *cli.Context) (*contest.Tools, error) {
	return contest.FindTools(c.Context, c.String("odx"), c.String("pg-bin"), os.Getenv("PATH"))
}
