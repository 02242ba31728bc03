package advise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"odx/bench/measure"
	"odx/dumpfmt"
	"odx/parallel/doctor"
	"odx/parallel/dump"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// Options say what database is looked at, and how closely.
type Options struct {
	Server     server.Settings
	Database   string
	Dir        string // an existing folder, on the disk that backups go to
	Environ    []string
	Finder     pgtool.Finder
	OdxVersion string

	Sample  int64 // bytes of tables that are dumped, about
	Rounds  int   // dumps for each figure; at least 1
	MaxJobs int   // most jobs that are tried; at least 1

	Say  func(string) // called with what is being done; may be nil
	Warn func(string) // called with each warning; may be nil
}

// ErrNoRows is returned when the database has no table that could be dumped.
var ErrNoRows = errors.New("the database has no table with rows")

// Report is what was found out.
type Report struct {
	Database    string  `json:"database"`
	Server      string  `json:"server"`
	PgDump      string  `json:"pg_dump"`
	Tables      int     `json:"tables"`
	Bytes       int64   `json:"table_bytes"` // of all tables on the server, without indexes
	Largest     Table   `json:"largest_table"`
	Sample      []Table `json:"sample"`
	SampleBytes int64   `json:"sample_bytes"`
	Fixed       float64 `json:"fixed_seconds"` // of a dump without rows
	FixedBytes  int64   `json:"fixed_bytes"`
	Jobs        []Trial `json:"jobs"`     // with the usual compression
	Compress    []Trial `json:"compress"` // with the best number of jobs
	Advice      Advice  `json:"advice"`
}

// Table is one table with its size on the server.
type Table struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
}

// Trial is one way to dump the sample, and the whole as it follows from that.
type Trial struct {
	Jobs         int     `json:"jobs"`
	Compress     string  `json:"compress"`
	WholeTables  bool    `json:"whole_tables"`  // each table is dumped by one connection
	Seconds      float64 `json:"seconds"`       // median of the rounds
	ArchiveBytes int64   `json:"archive_bytes"` // of the sample's dump
	FullSeconds  float64 `json:"full_seconds"`
	FullBytes    int64   `json:"full_bytes"`
}

// Advice is what suits best.
type Advice struct {
	Jobs        int     `json:"jobs"`
	Compress    string  `json:"compress"`
	FullSeconds float64 `json:"full_seconds"`
	FullBytes   int64   `json:"full_bytes"`
	Fastest     string  `json:"fastest_compress"`
	Smallest    string  `json:"smallest_compress"`
	OneTable    bool    `json:"largest_table_decides"` // more jobs would not help
}

// adviser is one run.
type adviser struct {
	Options
	rest   []string // patterns of the tables that are not in the sample
	all    []string // patterns of all tables
	major  int      // of pg_dump
	server int      // the server's major version
	report Report
}

// Run looks at the database. On an error nothing is left behind; the context
// ends it.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	a := &adviser{Options: o}
	if a.Say == nil {
		a.Say = func(string) {}
	}
	if err := a.look(ctx); err != nil {
		return nil, err
	}
	scratch, err := dumpfmt.CreateScratch(o.Dir, "bench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Remove()) }()
	a.Dir = scratch.Path()
	if err := a.measure(ctx); err != nil {
		return nil, err
	}
	return &a.report, nil
}

// look reads the tables, chooses the sample and bounds the jobs.
func (a *adviser) look(ctx context.Context) error {
	s, err := a.Server.Open(ctx, a.Database, "odx bench")
	if err != nil {
		return err
	}
	defer s.Close()
	tool, err := a.Finder.PgDump(ctx, s.Major())
	if err != nil {
		return err
	}
	tables, err := listTables(ctx, s)
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	free, err := doctor.FreeConnections(ctx, s)
	if err != nil {
		return fmt.Errorf("count the connections: %w", err)
	}
	a.MaxJobs = max(1, min(a.MaxJobs, free-reserve))
	a.major, a.server = tool.Version.Major, s.Major()
	a.report.Database, a.report.Server, a.report.PgDump = a.Database, s.VersionTxt, tool.Path+" "+tool.Version.Text
	return a.choose(tables)
}

// choose takes the sample: the largest tables of which four or more fit into it,
// so that several jobs have work, failing that the smallest one.
func (a *adviser) choose(tables []Table) error {
	tables = slices.DeleteFunc(tables, func(t Table) bool { return t.Bytes == 0 })
	if len(tables) == 0 {
		return ErrNoRows
	}
	in := make(map[Table]bool)
	take := func(t Table) {
		in[t] = true
		a.report.Sample = append(a.report.Sample, t)
		a.report.SampleBytes += t.Bytes
	}
	for _, t := range tables { // largest first
		if t.Bytes <= a.Sample/4 && a.report.SampleBytes+t.Bytes <= a.Sample {
			take(t)
		}
	}
	if len(in) == 0 {
		take(tables[len(tables)-1])
	}
	for _, t := range tables {
		a.all = append(a.all, t.pattern())
		if !in[t] {
			a.rest = append(a.rest, t.pattern())
		}
		a.report.Bytes += t.Bytes
	}
	a.report.Tables, a.report.Largest = len(tables), tables[0]
	return nil
}

// measure dumps the sample in all ways and draws the conclusions.
func (a *adviser) measure(ctx context.Context) error {
	a.Say("reading the sample once, so that it is in memory for all")
	if _, err := a.dump(ctx, 1, dump.DefaultCompress, a.rest); err != nil {
		return err
	}
	fixed, err := a.dump(ctx, 1, dump.DefaultCompress, a.all)
	if err != nil {
		return err
	}
	a.report.Fixed, a.report.FixedBytes = fixed.Seconds.Total, fixed.Record.Archive.Bytes
	var ways []Trial
	for jobs := 1; jobs <= a.MaxJobs; jobs *= 2 {
		ways = append(ways, Trial{Jobs: jobs, Compress: dump.DefaultCompress})
	}
	if a.report.Jobs, err = a.trials(ctx, ways); err != nil {
		return err
	}
	single := a.report.Jobs[0].Seconds
	best := bestJobs(a.report.Jobs)
	ways = nil
	for _, c := range compressions(a.major) {
		ways = append(ways, Trial{Jobs: best, Compress: c})
	}
	if a.report.Compress, err = a.trials(ctx, ways); err != nil {
		return err
	}
	a.extend(single)
	a.report.Advice = a.advice()
	return nil
}

// trials makes all rounds, one of each way after the other.
func (a *adviser) trials(ctx context.Context, ways []Trial) ([]Trial, error) {
	seconds := make([][]float64, len(ways))
	for round := range max(1, a.Rounds) {
		for i := range ways {
			w := &ways[i]
			a.Say(fmt.Sprintf("round %d: jobs %d, %s", round+1, w.Jobs, w.Compress))
			r, err := a.dump(ctx, w.Jobs, w.Compress, a.rest)
			if err != nil {
				return nil, err
			}
			seconds[i] = append(seconds[i], r.Seconds.Total)
			w.ArchiveBytes = r.Record.Archive.Bytes
			// Servers before 14 give a table out as a whole; see package pgcopy.
			w.WholeTables = r.Engine != dump.EngineDirect || a.server < 14
		}
	}
	for i := range ways {
		ways[i].Seconds = measure.Median(seconds[i])
	}
	return ways, nil
}

// dump makes one dump of the sample and removes it.
func (a *adviser) dump(ctx context.Context, jobs int, compress string, without []string) (_ *dump.Report, err error) {
	target := filepath.Join(a.Dir, fmt.Sprintf("sample-%d", time.Now().UnixNano()))
	defer func() { err = errors.Join(err, os.RemoveAll(target)) }()
	return dump.Run(ctx, dump.Options{
		Server: a.Server, Database: a.Database, Target: target, Environ: a.Environ, Finder: a.Finder, OdxVersion: a.OdxVersion,
		Jobs: jobs, Compress: compress, ExcludeTableData: without, Retries: 2, Warn: a.Warn,
	})
}
