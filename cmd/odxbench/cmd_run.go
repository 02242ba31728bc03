package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"odx/bench"
	"odx/bench/contest"
	"odx/bench/results"
)

func newRunCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "measure and write results.json, results.md and plots",
		Description: "Makes databases and filestores of each size on a server of its own, and runs odx and its\n" +
			"peers on them in rounds. What results.json in --out has already is not measured again, so a run\n" +
			"that was ended goes on. The data is made anew for every run.",
		Flags: append(toolFlags(),
			&cli.StringFlag{Name: "out", Required: true, Usage: "`FOLDER` for the results; made if it is not there"},
			&cli.IntSliceFlag{Name: "size", Value: cli.NewIntSlice(250, 500, 1000), Usage: "`MB` of rows (may be repeated); half as much of files"},
			&cli.IntSliceFlag{Name: "jobs", Value: cli.NewIntSlice(1, 2, 4), Usage: "`NUMBER` of jobs (may be repeated)"},
			&cli.IntFlag{Name: "rounds", Value: 3, Usage: "`NUMBER` of runs of each peer"},
			&cli.StringSliceFlag{Name: "profile", Value: cli.NewStringSlice(bench.RealLife.String()), Usage: "`NAME` of how sizes are spread over tables and files (may be repeated): real-life, one-table, many-files"},
			&cli.IntFlag{Name: "tables", Value: 350, Usage: "`NUMBER` of invented tables; with 350 there are as many as in a real database"},
			&cli.BoolFlag{Name: "short", Usage: "only the peers that matter most"},
			&cli.StringSliceFlag{Name: "only", Usage: "only peers with this `TEXT` in their job and name, such as \"dump: odx\" (may be repeated)"},
			&cli.DurationFlag{Name: "for", Usage: "start nothing after this `TIME`"},
			pageFlag(),
		),
		Action: runContest,
	}
}

func runContest(c *cli.Context) error {
	plan, err := readPlan(c)
	if err != nil {
		return err
	}
	tools, err := findTools(c)
	if err != nil {
		return err
	}
	out := c.String("out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	path := filepath.Join(out, "results.json")
	file, err := results.Open(path, results.Setting{Machine: results.ThisMachine(plan.Dir), Versions: tools.Versions})
	if err != nil {
		return err
	}
	err = contest.Run(c.Context, tools, plan, results.Book{File: file, Path: path})
	if len(file.Runs) == 0 {
		return err
	}
	return errors.Join(err, writeReport(file, out, c.String("page")))
}

func pageFlag() cli.Flag {
	return &cli.StringFlag{Name: "page", Usage: "Markdown `FILE` that has the mark after which tables are written"}
}

func readPlan(c *cli.Context) (plan contest.Plan, err error) {
	plan = contest.Plan{Rounds: c.Int("rounds"), Jobs: c.IntSlice("jobs"), Short: c.Bool("short"), Only: c.StringSlice("only"), Say: say}
	if plan.Dir, err = filepath.Abs(c.String("dir")); err != nil {
		return plan, err
	}
	if c.IsSet("for") {
		plan.Until = time.Now().Add(c.Duration("for"))
	}
	for _, n := range append(c.IntSlice("size"), append(plan.Jobs, plan.Rounds)...) {
		if n < 1 {
			return plan, errors.New("sizes, jobs and rounds must be at least 1")
		}
	}
	if text := plan.Unknown(); text != "" {
		return plan, fmt.Errorf("no peer has --only %q in its job and name", text)
	}
	for _, name := range c.StringSlice("profile") {
		profile, err := bench.ParseProfile(name)
		if err != nil {
			return plan, err
		}
		for _, mb := range c.IntSlice("size") {
			plan.Datasets = append(plan.Datasets, contest.Dataset{
				Profile: profile, Bytes: int64(mb) * 1e6, Seed: 1, Tables: c.Int("tables"), Jobs: runtime.NumCPU(),
			})
		}
	}
	return plan, nil
}

func newReportCommand() *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "write tables and plots of measured results again", ArgsUsage: "FOLDER",
		Flags: []cli.Flag{pageFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return errors.New("odxbench report takes the folder that has results.json")
			}
			file, err := results.Read(filepath.Join(c.Args().First(), "results.json"))
			if err != nil {
				return err
			}
			return writeReport(file, c.Args().First(), c.String("page"))
		},
	}
}

// writeReport writes the tables and the plots, and the tables into a page as
// well if there is one.
func writeReport(file *results.File, dir, page string) error {
	text := file.Markdown()
	if err := os.WriteFile(filepath.Join(dir, "results.md"), text, 0o644); err != nil {
		return err
	}
	names, err := file.Plots(dir)
	if err != nil {
		return err
	}
	say(fmt.Sprintf("wrote results.md and %d plots into %s", len(names), dir))
	if page == "" {
		return nil
	}
	return fillPage(page, dir, names, text)
}

// pageMark is the beginning of the line after which a page is written anew.
const pageMark = "<!-- What follows is written by odxbench"

// fillPage replaces what follows the mark by pictures and tables.
func fillPage(page, dir string, plots []string, text []byte) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	at := bytes.Index(old, []byte(pageMark))
	if at < 0 {
		return fmt.Errorf("%s has no line that begins with %q", page, pageMark)
	}
	line, _, _ := bytes.Cut(old[at:], []byte{'\n'})
	new := append(bytes.Clone(old[:at]), line...)
	rel, err := relative(page, dir)
	if err != nil {
		return err
	}
	for _, name := range plots {
		if filepath.Ext(name) == ".svg" {
			new = fmt.Appendf(new, "\n\n![%s](%s)", name, filepath.ToSlash(filepath.Join(rel, name)))
		}
	}
	return os.WriteFile(page, append(append(new, "\n\n## Where it was measured\n\n"...), text...), 0o644)
}

// relative returns the path of a folder as a page has to write it.
func relative(page, dir string) (string, error) {
	from, err := filepath.Abs(filepath.Dir(page))
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}
