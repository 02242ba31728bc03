package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"odx/dumpfmt"
	"odx/parallel"
	"odx/parallel/doctor"
	"odx/parallel/filestore"
	"odx/parallel/odoo"
	"odx/parallel/pgcopy"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// Options say what is dumped, and where to.
type Options struct {
	Server     server.Settings
	Database   string
	Target     string   // the folder to be made; must not exist
	Filestore  string   // the database's filestore folder; "" leaves the files out
	Environ    []string // environment for pg_dump, before the connection's own
	Finder     pgtool.Finder
	OdxVersion string

	Engine           Engine        // what moves the rows; the zero value chooses
	Jobs             int           // connections that copy rows, and as many workers for the filestore; at least 1
	Rate             int64         // bytes of rows a second, as text; 0 is no limit; EngineDirect only
	Compress         string        // METHOD[:LEVEL], as pg_dump 16 takes it
	ExcludeTableData []string      // patterns, as pg_dump takes them
	LockWait         time.Duration // for any lock; 0 waits for ever
	GCGuard          bool          // keep Odoo's garbage collection of files away
	GuardPatience    time.Duration // for which somebody may wait behind that; 0 is DefaultGuardPatience
	Strict           bool          // missing files are an error, and nothing is left
	Retries          int           // new tries after the dump was locked out of a table

	// Verify compares the SHA-1 of the filestore's files with their names while
	// they are copied. LinkDest is an earlier backup that was made so, whose files
	// are hard-linked where they have not changed; "" for none. It implies Verify.
	Verify   bool
	LinkDest string

	// ForUpgrade makes a folder with nothing but the archive, as UpgradeDump, for the
	// client of upgrade.odoo.com: neither manifest nor record, so that it does not
	// pass for a backup. It goes with no Filestore and no Pack.
	ForUpgrade bool

	// Pack, if not nil, makes something else of the backup, at Target: the folder
	// is removed in the end, and the filestore is not copied into it.
	Pack func(context.Context, Packing) error
	// PackOnce says that what Pack has written of rows cannot be taken back: the
	// dump is not tried again after that.
	PackOnce bool

	Progress *parallel.Progress // may be nil
	Warn     func(string)       // called with each warning as it arises; may be nil
}

// UpgradeDump is the archive's name in the folder made with Options.ForUpgrade. The
// client puts the answer and its files beside what it was given.
const UpgradeDump = "origin.dump"

// ErrFilesMissing is returned in strict mode when files that the snapshot
// names are missing or damaged. Otherwise they are in the report.
var ErrFilesMissing = errors.New("files of the filestore are missing or damaged")

// ErrNoFilestore is returned before any work when the database names files and
// the filestore folder does not exist.
var ErrNoFilestore = errors.New("the filestore folder does not exist")

// Report says what a dump did.
type Report struct {
	Target string `json:"target"`
	Tool   string `json:"pg_dump"` // path and version
	Engine Engine `json:"engine"`
	// EngineNote says why it is not the direct engine, unless pg_dump was
	// asked for.
	EngineNote string         `json:"engine_note,omitempty"`
	Attempts   int            `json:"attempts"`
	Record     dumpfmt.Record `json:"backup"`
	Seconds    Seconds        `json:"seconds"`
	Children   pgtool.Usage   `json:"children"` // pg_dump and its workers
	Warnings   []string       `json:"warnings"`
	Tables     []TableReport  `json:"tables,omitempty"` // largest on disk first; EngineDirect only
}

// TableReport says what was dumped of a table.
type TableReport struct {
	Name string `json:"name"` // schema.table, not quoted
	Rows int64  `json:"rows"`
	Text int64  `json:"bytes"` // of COPY text, before compression
}

// Copied gives the rows of all tables and their text in bytes, as far as they
// are known.
func (r *Report) Copied() (rows, text int64) {
	for _, t := range r.Tables {
		rows, text = rows+t.Rows, text+t.Text
	}
	return rows, text
}

// Seconds are the durations of a dump's parts. They overlap.
type Seconds struct {
	Database  float64 `json:"database"`
	Filestore float64 `json:"filestore"`
	Pack      float64 `json:"pack,omitempty"`
	Total     float64 `json:"total"`
}

// run is one dump under way.
type run struct {
	Options
	tool   pgtool.Tool
	dir    *dumpfmt.PendingDir
	record dumpfmt.Record

	snapshot     string             // of the attempt under way
	compression  pgcopy.Compression // of the direct engine
	previous     *previous          // of LinkDest
	verification *filestore.Verification
	rowsPacked   bool         // Pack has asked for rows
	elsewhere    int64        // attachments whose content is in another storage
	unlogged     []string     // tables of which a standby has no rows
	stretch      int64        // of the direct engine; 0 is the default
	hook         func(string) // called between two steps; set in tests

	mu     sync.Mutex
	report Report
}

// Run dumps one database and its filestore. On any error nothing is left but
// the error; leftovers of an earlier run that was killed are named as warnings.
// The context ends pg_dump, the copy and all sessions.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{Options: o}
	return r.do(ctx)
}

func (r *run) do(ctx context.Context) (_ *Report, err error) {
	began := time.Now()
	if r.Progress == nil {
		r.Progress = &parallel.Progress{}
	}
	r.Jobs = max(r.Jobs, 1)
	r.Progress.SetPhase("connecting")
	info, standby, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.createTarget(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.dir.Abort()) }()
	if r.LinkDest != "" && r.Filestore != "" {
		if err := r.openPrevious(); err != nil {
			return nil, err
		}
		defer r.previous.close()
	}
	if r.Verify || r.LinkDest != "" {
		r.verification = filestore.NewVerification(maxLost)
	}
	r.record.Started = began.UTC()
	if err := r.attempts(ctx, info, standby); err != nil {
		return nil, err
	}
	if r.Pack == nil {
		if err := r.commit(); err != nil {
			return nil, err
		}
	}
	r.warnAbsent()
	r.report.Target = r.Target
	r.report.Record = r.record
	r.report.Seconds.Total = time.Since(began).Seconds()
	return &r.report, nil
}

// commit puts the folder in place.
func (r *run) commit() error {
	if err := r.checkLosses(); err != nil {
		return err
	}
	r.Progress.SetPhase("writing to disk")
	if !r.ForUpgrade {
		if err := r.writeRecord(); err != nil {
			return err
		}
	}
	if err := r.dir.Commit(); err != nil {
		return fmt.Errorf("put the backup in place: %w", err)
	}
	return nil
}

// attempts makes the dump, again when somebody locked pg_dump out: the lock is
// waiting for odx's own, so it is let through and the next attempt waits its
// turn. Files that are copied already stay.
func (r *run) attempts(ctx context.Context, info odoo.Info, standby bool) error {
	for {
		r.report.Attempts++
		err := r.attempt(ctx, info, standby)
		if err == nil || !errors.Is(err, ErrLockedOut) || r.report.Attempts > r.Retries || r.PackOnce && r.rowsPacked {
			return err
		}
		r.warn("%v; starting again (%d of %d)", ErrLockedOut, r.report.Attempts, r.Retries)
		if err := r.clearArchive(); err != nil {
			return err
		}
	}
}

// prepare looks at the server and the database before anything is written.
func (r *run) prepare(ctx context.Context) (info odoo.Info, standby bool, err error) {
	s, err := r.openFirst(ctx)
	if err != nil {
		return info, false, err
	}
	defer s.Close()
	if info, err = r.look(ctx, s); err != nil {
		return info, false, r.explainLock(err)
	}
	findings, err := r.examine(ctx, s)
	if err != nil {
		return info, false, err
	}
	return info, s.Standby, doctor.Heed(findings, r.warn)
}

// openFirst opens the session of prepare, which waits no longer for a lock than the
// dump itself may.
func (r *run) openFirst(ctx context.Context) (*server.Session, error) {
	s, err := r.Server.Open(ctx, r.Database, r.application())
	if err != nil {
		return nil, err
	}
	if err := s.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", r.LockWait.Milliseconds())); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// look chooses the programs and reads what the database is.
func (r *run) look(ctx context.Context, s *server.Session) (info odoo.Info, err error) {
	if r.tool, err = r.Finder.PgDump(ctx, s.Major()); err != nil {
		return info, err
	}
	if _, err := compressArg(r.Compress, r.tool.Version.Major); err != nil {
		return info, err
	}
	if err := r.chooseEngine(s.Major()); err != nil {
		return info, err
	}
	r.report.Tool = r.tool.Path + " " + r.tool.Version.Text
	r.record.PgDump, r.record.Server, r.record.Standby = r.tool.Version.Text, s.VersionTxt, s.Standby
	if info, err = inspect(ctx, s); err != nil {
		return info, err
	}
	if !info.IsOdoo && r.Filestore != "" {
		r.warn("database %q is not Odoo's: no filestore and no manifest", r.Database)
		r.Filestore = ""
	}
	return info, r.checkFilestore(ctx, s, info)
}

func (r *run) createTarget() (err error) {
	if r.dir, err = dumpfmt.CreateDir(r.Target); err != nil {
		return fmt.Errorf("create the backup: %w", err)
	}
	leftovers, _, err := dumpfmt.Leftovers(filepath.Dir(r.Target))
	if err != nil {
		return errors.Join(err, r.dir.Abort())
	}
	for _, l := range leftovers {
		r.warn("%s", l.Notice())
	}
	return nil
}

// checkLosses says what is missing, and refuses it in strict mode.
func (r *run) checkLosses() error {
	f := r.record.Filestore
	if f == nil || f.Missing+f.Damaged+f.Unread == 0 {
		return nil
	}
	if r.Strict {
		return fmt.Errorf("%w: %d missing, %d damaged, %d unreadable of %d (such as %s)",
			ErrFilesMissing, f.Missing, f.Damaged, f.Unread, f.Named, first(f.Lost))
	}
	return nil
}

func first(names []string) string {
	if len(names) == 0 {
		return "?"
	}
	return names[0]
}

// Losses tells whether files that the snapshot names are missing or damaged.
func (r *Report) Losses() bool {
	f := r.Record.Filestore
	return f != nil && f.Missing+f.Damaged+f.Unread > 0
}

// application names this run's sessions, pg_dump's workers included.
func (r *run) application() string { return fmt.Sprintf("odx dump %d", os.Getpid()) }
func (r *run) storeDir() string    { return filepath.Join(r.dir.Path(), dumpfmt.FilestoreDir) }

func (r *run) archiveDir() string {
	if r.ForUpgrade {
		return filepath.Join(r.dir.Path(), UpgradeDump)
	}
	return filepath.Join(r.dir.Path(), dumpfmt.ArchiveDir)
}

func (r *run) step(name string) {
	if r.hook != nil {
		r.hook(name)
	}
}

// warn adds a warning to the report and hands it on. It may be called from
// several goroutines.
func (r *run) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.report.Warnings = append(r.report.Warnings, text)
	r.mu.Unlock()
	if r.Warn != nil {
		r.Warn(text)
	}
}

func (r *run) noteUsage(u pgtool.Usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Children.Add(u)
}
