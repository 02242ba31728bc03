package scratch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"odx/dumpfmt"
	"odx/parallel"
	"odx/parallel/doctor"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
	"odx/parallel/restore"
	"odx/parallel/server"
)

// Options say what is restored, and where.
type Options struct {
	Source  string
	TempDir string // where the server's folder is made; "" is os.TempDir()
	Finder  pgtool.Finder
	Environ []string // environment for pg_restore, before the connection's own
	Jobs    int
	Trusted bool // the superuser restores, and the dump may do what that may

	Server    string // version of the server that the dump was made of; "" if unknown
	TextBytes int64  // of all rows, as they stand in the dump
	Objects   int64  // large objects in the dump
	Rows      *Rows  // in the dump

	Progress *parallel.Progress // may be nil
	Warn     func(string)       // called with each warning as it arises; may be nil
}

// Report says how the restore went, and what came out. Sizes are in bytes.
type Report struct {
	Server      string          `json:"server"`
	Trusted     bool            `json:"trusted"`
	Restore     *restore.Report `json:"restore"`
	Tables      int64           `json:"tables"` // whose rows were compared
	Rows        int64           `json:"rows"`   // in them
	NotCompared []string        `json:"not_compared"`
	Bytes       int64           `json:"bytes"` // of the database on the server
	IsOdoo      bool            `json:"odoo"`
	Checks      []Check         `json:"checks"`
	Seconds     Seconds         `json:"seconds"`
}

// Seconds are the durations of the parts.
type Seconds struct {
	Start   float64 `json:"start"`
	Restore float64 `json:"restore"`
	Compare float64 `json:"compare"`
	Total   float64 `json:"total"`
}

// Check is a question to the restored database.
type Check struct {
	Name   string   `json:"name"`
	Damage bool     `json:"damage"` // if it failed, the backup is damaged; else it is odd
	Means  string   `json:"means"`  // what it means if it failed
	Failed int64    `json:"failed"` // how often
	Found  []string `json:"found"`  // what, at most maxFound
}

// maxFound is how much is kept of what a check found.
const maxFound = 20

func (c *Check) fail(format string, args ...any) {
	if c.Failed++; c.Failed <= maxFound {
		c.Found = append(c.Found, fmt.Sprintf(format, args...))
	}
}

// IsDamaged tells whether a check failed that a whole backup passes.
func (r *Report) IsDamaged() bool {
	for _, c := range r.Checks {
		if c.Damage && c.Failed > 0 {
			return true
		}
	}
	return false
}

const (
	database = "restored"
	role     = "restorer"
)

// trial is one restore under way.
type trial struct {
	Options
	cluster *pgcluster.Cluster
	report  Report
}

// Run restores a backup, looks at the database and removes everything. An error
// says that it could not be restored here; that something is wrong with what
// came out is in the report. The end of ctx ends the server too.
//
// It is [*pgtool.NotFoundError] if there are no programs for a server that is new
// enough, and [*doctor.BlockedError] if the disk is surely too small.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	began := time.Now()
	if o.Progress == nil {
		o.Progress = &parallel.Progress{}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	o.Jobs = max(o.Jobs, 1)
	t := &trial{Options: o, report: Report{Trusted: o.Trusted, NotCompared: []string{}}}
	if err := t.look(); err != nil {
		return nil, err
	}
	t.Progress.SetPhase("starting a throw-away server")
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.cluster.Stop()) }()
	t.report.Seconds.Start = time.Since(began).Seconds()
	if err := t.restore(ctx); err != nil {
		return nil, t.explain(err)
	}
	t.report.Seconds.Restore = time.Since(began).Seconds() - t.report.Seconds.Start
	t.Progress.SetPhase("counting rows")
	if err := t.compare(ctx); err != nil {
		return nil, fmt.Errorf("look at the restored database: %w", err)
	}
	t.report.Seconds.Total = time.Since(began).Seconds()
	t.report.Seconds.Compare = t.report.Seconds.Total - t.report.Seconds.Restore - t.report.Seconds.Start
	return &t.report, nil
}

// look makes sure of room, and names what others left.
func (t *trial) look() error {
	if t.TempDir == "" {
		t.TempDir = os.TempDir()
	}
	left, _, err := dumpfmt.Leftovers(t.TempDir)
	if err != nil {
		return fmt.Errorf("look into the folder for temporary files: %w", err)
	}
	for _, l := range left {
		t.Warn(l.Notice())
	}
	// Text is longer than what the server makes of numbers and of long values,
	// which it compresses; indexes and the write-ahead log come on top.
	need := doctor.Need{What: "the restored database", Dir: t.TempDir, Least: emptyCluster + t.TextBytes/4, Likely: emptyCluster + 2*t.TextBytes}
	found, err := doctor.Disk(need)
	if err != nil {
		return err
	}
	return doctor.Heed(found, func(format string, args ...any) { t.Warn(fmt.Sprintf(format, args...)) })
}

// emptyCluster is what initdb makes, with the first file of the write-ahead log
// and a database, in bytes.
const emptyCluster = 64 << 20

// start makes the cluster, of the newest server there is.
func (t *trial) start(ctx context.Context) (err error) {
	major, _ := dumpfmt.LeadingNumber(t.Server) // 0 for one that is not known
	postgres, err := t.Finder.Server(ctx, major)
	if err != nil {
		return err
	}
	t.cluster, err = pgcluster.Start(ctx, pgcluster.Options{
		BinDir: postgres.Dir(), Dir: t.TempDir,
		Settings: map[string]string{
			"autovacuum": "off", "shared_buffers": "256MB", "max_connections": strconv.Itoa(2*t.Jobs + 20),
			"max_wal_size": "2GB", "max_locks_per_transaction": "256",
		},
	})
	if err != nil {
		return fmt.Errorf("start a throw-away server: %w", err)
	}
	t.report.Server = "PostgreSQL " + postgres.Version.Text
	if t.Trusted {
		return nil
	}
	if err := t.makeRole(ctx); err != nil {
		return errors.Join(err, t.cluster.Stop())
	}
	return nil
}

func (t *trial) makeRole(ctx context.Context) error {
	s, err := t.settings(t.cluster.User()).Open(ctx, "postgres", "odx verify")
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Exec(ctx, "CREATE ROLE "+role+" LOGIN CREATEDB")
}

// user is who restores and asks.
func (t *trial) user() string {
	if t.Trusted {
		return t.cluster.User()
	}
	return role
}

func (t *trial) settings(user string) server.Settings {
	return server.ThrowAway(t.cluster.Host(), t.cluster.Port(), user)
}

func (t *trial) restore(ctx context.Context) (err error) {
	o := restore.Options{
		Server: t.settings(t.user()), Maint: "postgres", Source: t.Source, Database: database,
		Environ: pgtool.WithoutServer(t.Environ), Finder: t.Finder, Jobs: t.Jobs,
		Collation: restore.CollationOdoo, NoPrivileges: true, NoTablespaces: true, MissingRoles: restore.SkipMissing,
		SkipExtensions: true,       // what nothing depends on is in the report
		Progress:       t.Progress, // its warnings are about a database that stays, and are in its report
	}
	if t.report.Restore, err = restore.Run(ctx, o); err != nil {
		return err
	}
	return t.openToAll(ctx)
}

// openToAll takes the limit of connections that came with the database away: this one
// is looked at over several.
func (t *trial) openToAll(ctx context.Context) error {
	s, err := t.settings(t.cluster.User()).Open(ctx, "postgres", "odx verify")
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Exec(ctx, "ALTER DATABASE "+database+" CONNECTION LIMIT -1")
}

// UntrustedError is returned when the backup needs more rights than an untrusted
// dump has. See Options.Trusted.
type UntrustedError struct{ Err error }

func (e *UntrustedError) Error() string {
	return "restore into a throw-away server, as a role that is no superuser: " + e.Err.Error()
}

// Unwrap gives the reason.
func (e *UntrustedError) Unwrap() error { return e.Err }

// explain says what was being done, and in the server's place which disk is full.
func (t *trial) explain(err error) error {
	if !t.Trusted && (errors.Is(err, restore.ErrSuperuser) || errors.As(err, new(*restore.ExtensionError))) {
		return &UntrustedError{err}
	}
	if room, statErr := dumpfmt.FreeRoom(t.TempDir); statErr == nil && room.Bytes < 32<<20 {
		return fmt.Errorf("restore into a throw-away server: %s is full (--temp-dir names another folder): %w", t.TempDir, err)
	}
	return fmt.Errorf("restore into a throw-away server: %w", err)
}
