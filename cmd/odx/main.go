// Command odx dumps and restores Odoo databases in parallel, with their
// filestores.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args)) }

// run is main without the exit, so that every deferred clean-up runs.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// The first signal ends the work in order; a second one ends odx at once.
	context.AfterFunc(ctx, stop)
	ui := newUI(os.Stdout, os.Stderr)
	app := newApp(ui)
	err := app.RunContext(ctx, reorder(app, args))
	return ui.exit(ctx, err)
}
