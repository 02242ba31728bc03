package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"odx/bench"
	"odx/dumpfmt"
	"odx/parallel/dump"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
	"odx/parallel/restore"
	"odx/parallel/server"
)

func newDemoCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show the main job on a throw-away server",
		Description: "Starts a PostgreSQL server of its own in a temporary folder, fills it with a made-up Odoo\n" +
			"database and filestore, dumps and restores both, compares the results and removes everything.\n" +
			"No other server or folder is touched.",
		Flags: join([]cli.Flag{
			&cli.IntFlag{Name: "size", Value: 40, Usage: "`MB` of rows to make; half as much of files"},
			&cli.StringFlag{Name: "pg-bin", Usage: "`FOLDER` of PostgreSQL's programs, the server's included"},
			jobsFlag("of pg_dump and pg_restore"),
		}, outputFlags()),
		Action: func(c *cli.Context) error {
			ui.configure(c)
			if c.Int("size") < 1 || c.Int("jobs") < 1 {
				return usagef("--size and --jobs must be at least 1")
			}
			d := &demo{ui: ui, size: int64(c.Int("size")) << 20, jobs: c.Int("jobs"), bin: c.String("pg-bin")}
			return d.run(c.Context)
		},
	}
}

// demo is one run of the demonstration.
type demo struct {
	ui   *ui
	size int64
	jobs int
	bin  string

	scratch *dumpfmt.Scratch // everything that the demo writes, but the server's own folder
	cluster *pgcluster.Cluster
	report  demoReport
}

type demoReport struct {
	Server  string          `json:"server"`
	Steps   []demoStep      `json:"steps"`
	Dump    *dump.Report    `json:"dump"`
	Restore *restore.Report `json:"restore"`
	Same    bool            `json:"same"`
}

type demoStep struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Bytes   int64   `json:"bytes,omitempty"`
	Note    string  `json:"note,omitempty"`
}

const (
	demoSource = "demo"
	demoTarget = "demo restored"
	demoOwner  = "odoo demo"
	demoSeed   = 19
)

func (d *demo) run(ctx context.Context) (err error) {
	if d.scratch, err = dumpfmt.CreateScratch("", "demo"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.scratch.Remove()) }()
	err = d.step("start PostgreSQL", func() (int64, string, error) {
		d.cluster, err = pgcluster.Start(ctx, pgcluster.Options{BinDir: d.bin})
		if err != nil {
			return 0, "", err
		}
		d.report.Server = fmt.Sprintf("PostgreSQL %d", d.cluster.Major())
		return 0, d.report.Server + ", a throw-away cluster", nil
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.cluster.Stop()) }()
	for _, step := range []struct {
		name string
		do   func(context.Context) (int64, string, error)
	}{
		{"make a database and its files", d.generate},
		{"odx dump", d.dump},
		{"odx restore", d.restore},
		{"compare both", d.compare},
	} {
		err := d.step(step.name, func() (int64, string, error) { return step.do(ctx) })
		if err != nil {
			return err
		}
	}
	return d.ui.report(d.report, false, d.words)
}

func (d *demo) step(name string, do func() (int64, string, error)) error {
	d.ui.say("odx: %s ...", name)
	began := time.Now()
	bytes, note, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.report.Steps = append(d.report.Steps, demoStep{name, time.Since(began).Seconds(), bytes, note})
	return nil
}

func (d *demo) settings() server.Settings {
	return server.ThrowAway(d.cluster.Host(), d.cluster.Port(), d.cluster.User())
}

func (d *demo) finder() pgtool.Finder { return pgtool.Finder{BinDir: d.cluster.BinDir()} }

func (d *demo) filestore(database string) string {
	return filepath.Join(d.scratch.Path(), "data", "filestore", database)
}

func (d *demo) backup() string { return filepath.Join(d.scratch.Path(), "backup") }

func (d *demo) generate(ctx context.Context) (int64, string, error) {
	if err := d.makeOwner(ctx); err != nil {
		return 0, "", err
	}
	r, err := bench.Generate(ctx, bench.Options{
		DSN: d.settings().DSN("postgres"), Database: demoSource, Owner: demoOwner, Filestore: d.filestore(demoSource),
		Seed: demoSeed, Scale: d.size, FilestoreBytes: d.size / 2, Jobs: d.jobs,
	})
	if err != nil {
		return 0, "", err
	}
	return r.CopyBytes + r.FileBytes, fmt.Sprintf("%d tables, %d rows, %d files", r.Tables, r.Rows, r.Files), nil
}

// makeOwner makes the role that plays Odoo's.
func (d *demo) makeOwner(ctx context.Context) error {
	s, err := d.settings().Open(ctx, "postgres", "odx demo")
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Exec(ctx, fmt.Sprintf("CREATE ROLE %q LOGIN", demoOwner))
}

func (d *demo) dump(ctx context.Context) (int64, string, error) {
	r, err := dump.Run(ctx, dump.Options{
		Server: d.settings(), Database: demoSource, Target: d.backup(), Filestore: d.filestore(demoSource),
		Environ: pgtool.WithoutServer(os.Environ()), Finder: d.finder(), OdxVersion: odxVersion(), Jobs: d.jobs,
		Compress: dump.DefaultCompress, GCGuard: true, Strict: true, Warn: d.ui.warn,
	})
	if err != nil {
		return 0, "", err
	}
	d.report.Dump = r
	return r.Record.Archive.Bytes + r.Record.Filestore.Bytes, fmt.Sprintf("%d jobs, %s, files missing: %d", d.jobs, dump.DefaultCompress, r.Record.Filestore.Missing), nil
}

func (d *demo) restore(ctx context.Context) (int64, string, error) {
	r, err := restore.Run(ctx, restore.Options{
		Server: d.settings(), Source: d.backup(), Database: demoTarget, Filestore: d.filestore(demoTarget),
		Owner: demoOwner, Environ: pgtool.WithoutServer(os.Environ()), Finder: d.finder(), Jobs: d.jobs,
		Analyze: true, Warn: d.ui.warn,
	})
	if err != nil {
		return 0, "", err
	}
	if r.Losses() {
		return 0, "", errLosses
	}
	d.report.Restore = r
	return d.report.Dump.Record.Database.Bytes + r.Files.Bytes, fmt.Sprintf("%d jobs, as role %q", d.jobs, demoOwner), nil
}

// compare holds the two databases and the two filestores against each other.
func (d *demo) compare(ctx context.Context) (int64, string, error) {
	var texts [2]*os.File
	for i, name := range []string{demoSource, demoTarget} {
		f, err := d.script(ctx, name)
		if err != nil {
			return 0, "", err
		}
		defer f.Close()
		texts[i] = f
	}
	if err := bench.CompareScripts(texts[0], texts[1]); err != nil {
		return 0, "", fmt.Errorf("the databases differ: %w", err)
	}
	if err := bench.CompareTrees(d.filestore(demoSource), d.filestore(demoTarget)); err != nil {
		return 0, "", fmt.Errorf("the filestores differ: %w", err)
	}
	d.report.Same = true
	return 0, "pg_dump's text of both databases and all files: the same", nil
}

// script has pg_dump write a database as text and opens that.
func (d *demo) script(ctx context.Context, database string) (*os.File, error) {
	tool, err := d.finder().PgDump(ctx, d.cluster.Major())
	if err != nil {
		return nil, err
	}
	child, err := d.settings().Child(database, "odx demo", "")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(d.scratch.Path(), database+".sql")
	_, err = pgtool.Run(ctx, pgtool.Command{
		Tool: tool.Path, Args: []string{"--no-owner", "--no-sync", "--no-password", "--file=" + path, "--dbname=" + child.DSN},
		Env: pgtool.ChildEnv(pgtool.WithoutServer(os.Environ()), child.Set),
	})
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

func (d *demo) words() {
	d.ui.say("\n%-32s %9s %11s %11s  %s", "step", "seconds", "size", "rate", "")
	for _, s := range d.report.Steps {
		size, rate := "", ""
		if s.Bytes > 0 {
			size, rate = bytesText(s.Bytes), bytesText(int64(float64(s.Bytes)/s.Seconds))+"/s"
		}
		d.ui.say("%-32s %9.2f %11s %11s  %s", s.Name, s.Seconds, size, rate, s.Note)
	}
	d.ui.say("\nThe restored database and filestore are the same as the source's (%d processors, %s).", runtime.NumCPU(), d.report.Server)
}
