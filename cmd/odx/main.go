// Command odx dumps and restores Odoo databases in parallel, with their
// filestores.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() { os.Exit(run(os.Args)) }

// run is main without the exit, so that every deferred clean-up runs.
func run(args []string) int {
	forbidCoreDumps()
	// What nohup has odx ignore stays ignored.
	signals := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
	// Whoever reads what odx prints may go away: an error like others, and not the
	// end of odx in the middle of its clean-up, as it is by default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// The first signal ends the work in order; a second one ends odx at once. But a
	// line that breaks hangs up twice: the shell says so, and the kernel when the
	// shell has gone; and systemd does it after SIGTERM.
	context.AfterFunc(ctx, func() {
		signal.Ignore(syscall.SIGHUP)
		stop()
	})
	ui := newUI(os.Stdout, os.Stderr)
	app := newApp(ui)
	err := app.RunContext(ctx, reorder(app, args))
	code := ui.exit(ctx, err)
	// What is done is done: a signal from now on must not say otherwise.
	signal.Ignore(signals...)
	return code
}
