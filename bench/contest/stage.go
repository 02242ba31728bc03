package contest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/bench"
	"odx/dumpfmt"
	"odx/parallel/pgcluster"
)

// Dataset says what database and filestore to make.
type Dataset struct {
	Profile   bench.Profile
	Bytes     int64 // of rows as COPY text, about
	FileBytes int64 // of files, about; 0 is what the profile has
	Seed      uint64
	Tables    int  // invented ones; see bench.Options
	Jobs      int  // connections that make it; it has no influence on what is made
	Unsafe    bool // the server does not sync, and disks are not measured: steadier
}

// Name tells datasets apart.
func (d Dataset) Name() string { return fmt.Sprintf("%s-%dMB", d.Profile, d.Bytes/1e6) }

// Data says what was made.
type Data struct {
	Name      string       `json:"name"`
	Profile   string       `json:"profile"`
	Seed      uint64       `json:"seed"`
	Generated bench.Result `json:"generated"`
	Database  int64        `json:"database_bytes"` // on the server
	MBPerSec  float64      `json:"generated_mb_per_second"`
}

// Bytes is the size of rows and files together.
func (d Data) Bytes() int64 { return d.Generated.CopyBytes + d.Generated.FileBytes }

// Stage is a throw-away server with one dataset, and a folder to work in. The
// caller calls Close.
type Stage struct {
	Data    Data
	tools   *Tools
	unsafe  bool
	cluster *pgcluster.Cluster
	scratch *dumpfmt.Scratch
	dir     string // of scratch: everything but the cluster's own folder
	made    map[string]bool
	waste   waste
}

const (
	sourceDB = "source"
	newDB    = "made"
)

// fast are the server's settings while the database is made: rows that are
// copied into a table of the same transaction need no log then.
func fast() map[string]string {
	return map[string]string{
		"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "16GB", "checkpoint_timeout": "1h",
		"autovacuum": "off", "shared_buffers": "512MB",
	}
}

// safe are the statements that make the server a usual one afterwards.
var safe = []string{
	"ALTER SYSTEM SET wal_level = replica", "ALTER SYSTEM SET max_wal_senders = 10", "ALTER SYSTEM SET fsync = on",
	"ALTER SYSTEM SET full_page_writes = on", "ALTER SYSTEM SET synchronous_commit = on",
	"ALTER SYSTEM SET max_wal_size = '4GB'", "ALTER SYSTEM SET checkpoint_timeout = '5min'",
}

// Open makes the server and the data in a new folder below parent. The user that
// the server runs as must be able to enter parent.
func Open(ctx context.Context, tools *Tools, parent string, d Dataset) (_ *Stage, err error) {
	s := &Stage{tools: tools, unsafe: d.Unsafe, made: make(map[string]bool)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.scratch, err = dumpfmt.CreateScratch(parent, "bench"); err != nil {
		return nil, err
	}
	s.dir = s.scratch.Path()
	s.waste.dir = filepath.Join(s.dir, "waste")
	s.cluster, err = pgcluster.Start(ctx, pgcluster.Options{BinDir: tools.BinDir, Dir: parent, Settings: fast()})
	if err != nil {
		return nil, err
	}
	if err := s.generate(ctx, d); err != nil {
		return nil, fmt.Errorf("make the data: %w", err)
	}
	if d.Unsafe {
		return s, nil
	}
	if err := s.exec(ctx, "postgres", append(safe, "CHECKPOINT")...); err != nil {
		return nil, err
	}
	return s, s.cluster.Restart(ctx)
}

func (s *Stage) generate(ctx context.Context, d Dataset) error {
	began := time.Now()
	made, err := bench.Generate(ctx, bench.Options{
		DSN: s.cluster.DSN("postgres"), Database: sourceDB, Filestore: s.filestore(), Seed: d.Seed, Scale: d.Bytes,
		FilestoreBytes: d.FileBytes, Profile: d.Profile, Tables: d.Tables, Jobs: d.Jobs,
	})
	if err != nil {
		return err
	}
	s.Data = Data{Name: d.Name(), Profile: d.Profile.String(), Seed: d.Seed, Generated: made}
	s.Data.MBPerSec = float64(made.CopyBytes) / 1e6 / time.Since(began).Seconds()
	conn, err := pgx.Connect(ctx, s.cluster.DSN(sourceDB))
	if err != nil {
		return err
	}
	err = conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&s.Data.Database)
	return errors.Join(err, conn.Close(ctx))
}

// Close ends the server and removes everything.
func (s *Stage) Close() error {
	var err error
	if s.cluster != nil {
		err = s.cluster.Stop()
	}
	return errors.Join(err, s.scratch.Remove())
}

func (s *Stage) filestore() string {
	return filepath.Join(s.dir, "data", "filestore", sourceDB)
}

func (s *Stage) input(name string) string { return filepath.Join(s.dir, "in", name) }

func (s *Stage) work() string { return filepath.Join(s.dir, "work") }

// exec runs statements, each in a transaction of its own.
func (s *Stage) exec(ctx context.Context, database string, statements ...string) (err error) {
	conn, err := pgx.Connect(ctx, s.cluster.DSN(database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// placeholders gives what the names in a step's arguments stand for.
func (s *Stage) placeholders(jobs int, out string) []string {
	pairs := []string{
		"{db}", sourceDB, "{new}", newDB, "{filestore}", s.filestore(), "{out}", out, "{tmp}", s.tmp(),
		"{jobs}", strconv.Itoa(jobs), "{bin}", s.tools.BinDir,
	}
	for _, in := range inputs() {
		pairs = append(pairs, "{in:"+in.name+"}", s.input(in.name))
	}
	return pairs
}

func (s *Stage) tmp() string { return filepath.Join(s.work(), "tmp") }
