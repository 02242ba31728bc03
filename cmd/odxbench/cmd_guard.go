package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"odx/bench/contest"
)

func newGuardCommand() *cli.Command {
	return &cli.Command{
		Name:  "guard",
		Usage: "fail if odx has become slower beside fixed peers",
		Description: "Compares ratios within one run, so that the machine's own speed does not matter. A check\n" +
			"that fails is tried again; what is slow at every try is an error.",
		Flags: append(toolFlags(),
			&cli.IntFlag{Name: "size", Value: 48, Usage: "`MB` of rows; half as much of files"},
			&cli.IntFlag{Name: "rounds", Value: 3, Usage: "`NUMBER` of runs of each side for one ratio"},
			&cli.StringFlag{Name: "only", Usage: "run the checks whose name has this `TEXT`"},
			&cli.IntFlag{Name: "tries", Value: 3, Usage: "`NUMBER` of ratios that must all be too large for a failure"},
		),
		Action: runGuard,
	}
}

// guardJobs is fixed, so that ratios are those of the same work everywhere.
const guardJobs = 2

func runGuard(c *cli.Context) (err error) {
	if c.Int("size") < 1 || c.Int("rounds") < 1 || c.Int("tries") < 1 {
		return errors.New("size, rounds and tries must be at least 1")
	}
	checks := slices.DeleteFunc(contest.Checks(), func(k contest.Check) bool { return !strings.Contains(k.Name, c.String("only")) })
	if len(checks) == 0 {
		return fmt.Errorf("no check has %q in its name", c.String("only"))
	}
	tools, err := findTools(c)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.String("dir"))
	if err != nil {
		return err
	}
	began := time.Now()
	s, err := contest.Open(c.Context, tools, dir, contest.Dataset{Bytes: int64(c.Int("size")) * 1e6, Seed: 1, Tables: -1, Jobs: guardJobs, Unsafe: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	say(fmt.Sprintf("data made in %.0f s", time.Since(began).Seconds()))
	return s.Guard(c.Context, checks, guardJobs, c.Int("rounds"), c.Int("tries"), func(line string) { fmt.Fprintln(os.Stdout, line) })
}
