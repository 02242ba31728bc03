package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/parallel"
	"odx/parallel/doctor"
	"odx/parallel/filestore"
	"odx/parallel/odoo"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// Options say what is restored, and where to.
type Options struct {
	Server    server.Settings
	Maint     string // database to connect to while the new one is made
	Source    string // path of the backup, which is only read
	Database  string // the database to be made; must not exist, but for Force
	Filestore string // its filestore folder, to be made; "" leaves the files out
	// FilestoreGuessed says that Filestore is where Odoo looks by default, in the home
	// of whoever runs it: its data folder, two levels above, must be there then.
	FilestoreGuessed bool
	// FilestoreFrom has the files from before an upgrade: a filestore folder, or a
	// backup that is a folder; "" for none. The source's files are merged over
	// them. It is only read. HardLink links files of folders where it can.
	FilestoreFrom string
	HardLink      bool
	Owner         string   // role that is to own it; "" is that of the database it replaces, or the connecting role
	Environ       []string // environment for pg_restore, before the connection's own
	Finder        pgtool.Finder

	Force   bool // replace a database and a filestore folder of these names
	KeepOld bool // with Force: keep what is replaced, under another name

	Keep   bool   // after a failure that comes after the tables were made, leave the work for Resume
	Resume string // goes on with the work that KeptError.ID names; "" begins anew

	Jobs          int
	Collation     string // CollationOdoo, CollationSource or the name of a locale
	NoPrivileges  bool   // leave GRANTs and default privileges out
	NoTablespaces bool   // everything goes to the default tablespace
	MissingRoles  MissingRoles
	// SkipExtensions leaves out what the server does not have and nothing in the
	// dump depends on.
	SkipExtensions bool
	Copy           bool // a copy gets an identity of its own, as Odoo's restore does it
	IdentityGiven  bool // the user has said whether it is to be a copy
	Subscription   bool // forget the subscription as well
	Neutralize     bool
	Addons         []string // folders with modules, for their own neutralize.sql
	Unaccent       bool     // odoo.conf says unaccent
	HTTPPort       int      // for web.base.url of a copy
	Analyze        bool
	Ordered        bool // keep the order of rows; archives keep it anyway

	Progress *parallel.Progress // may be nil
	Warn     func(string)       // called with each warning as it arises; may be nil
}

// Report says what a restore did.
type Report struct {
	Database   string                 `json:"database"`
	Owner      string                 `json:"owner"`
	Filestore  string                 `json:"filestore,omitempty"`
	Source     string                 `json:"source"`
	Layout     string                 `json:"layout"`
	Tool       string                 `json:"pg_restore"` // path and version
	Server     string                 `json:"server"`
	Locale     string                 `json:"locale"`
	Options    string                 `json:"session_settings"` // of pg_restore's sessions
	Series     string                 `json:"odoo_series,omitempty"`
	Added      []string               `json:"added"`             // what the new database has and the dump had not
	Superuser  []string               `json:"made_by_superuser"` // entries that only the connecting role might restore
	LeftOut    []Omission             `json:"left_out"`          // what could not apply
	Reset      []string               `json:"reset"`             // parameters given new values
	Neutralize *odoo.NeutralizeReport `json:"neutralize,omitempty"`
	Files      *FilesReport           `json:"files,omitempty"`
	Replaced   *Replaced              `json:"replaced,omitempty"` // nil if there was nothing of the names
	Seconds    Seconds                `json:"seconds"`
	Children   pgtool.Usage           `json:"children"`
	Warnings   []string               `json:"warnings"`
}

// FilesReport counts what became of the filestore.
type FilesReport struct {
	Files     int64    `json:"files"`
	Bytes     int64    `json:"bytes"`
	Named     int64    `json:"named"`               // files that the database names
	Missing   int64    `json:"missing"`             // of those, not in the backup
	Damaged   int64    `json:"damaged"`             // of those, of another size than file_size
	Recovered int64    `json:"recovered,omitempty"` // of those, neither now: they came from the filestore that is replaced
	Unread    int64    `json:"unread,omitempty"`    // files and folders of the backup that could not be read
	Lost      []string `json:"lost,omitempty"`

	Linked int64         `json:"linked"`           // of Files: hard links to the backup's, or to the older ones
	Merged *MergedReport `json:"merged,omitempty"` // with Options.FilestoreFrom
}

// Seconds are the durations of a restore's parts. Filestore overlaps.
type Seconds struct {
	Check     float64 `json:"check"`
	Load      float64 `json:"load"`
	Data      float64 `json:"data,omitempty"` // of Load: reading a script and loading its rows
	Filestore float64 `json:"filestore"`
	Finish    float64 `json:"finish"` // reset, neutralize
	Analyze   float64 `json:"analyze"`
	Total     float64 `json:"total"`
}

// Losses tells whether files that the database names are missing or damaged, or
// any could not be read.
func (r *Report) Losses() bool {
	return r.Files != nil && r.Files.Missing+r.Files.Damaged+r.Files.Unread > 0
}

// run is one restore under way.
type run struct {
	Options
	source   *source
	tool     pgtool.Tool
	target   *target
	old      replaced
	role     string // for SET ROLE; "" if the connecting role owns the database
	power    power
	settings string
	keeping  keeping

	publicACL    bool                      // the archive has grants of its own on schema public
	rounds       []round                   // of pg_restore
	without      map[pgarchive.DumpID]bool // entries of the rounds that are not for now; see loadScript
	work         *dumpfmt.Scratch          // folder for what pg_restore is to read
	tables       map[tableKey]bool         // that a script makes; true for those that can be emptied
	oneSpace     bool                      // everything goes to the default tablespace
	mended       map[pgarchive.DumpID]bool // entries with another definition than the archive's
	mendedTOC    string                    // folder with the archive's changed table of contents; "" if nothing was changed
	newRoles     []string                  // made for this restore
	unsure       *UnsureError              // nobody knows whether the database has its name; nil otherwise
	notImmutable error                     // why unaccent could not be made IMMUTABLE; nil if it was, or is not there

	properties properties
	weights    weights
	session    *server.Session       // in the new database, as the owner
	files      *dumpfmt.PendingDir   // the filestore under construction
	parents    []string              // folders that were made for it
	give       filestore.Permissions // owner and modes of its files
	changing   []string              // files that were being written while they were copied
	hook       func(string)          // called between two steps; set in tests

	mu     sync.Mutex
	report Report
}

// Run restores one backup. On any error neither database nor filestore is
// left, unless Options.Keep asks for it (see KeptError), and with Force the old
// ones are as they were; leftovers of an earlier run that was killed are named as
// warnings. The context ends pg_restore, the copy and all sessions.
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
	r.source, err = openSource(&r.Options)
	defer r.source.close()
	if err != nil {
		return nil, err
	}
	if err := r.checkKeeping(); err != nil {
		return nil, err
	}
	if err := r.knock(ctx); err != nil {
		return nil, err
	}
	if err := r.checkSource(ctx); err != nil {
		return nil, err
	}
	admin, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if err := claim(ctx, admin, r.Database, r.target.temp); err != nil {
		return nil, err
	}
	l, err := r.begin(ctx, admin)
	if err != nil {
		return nil, err
	}
	findings, err := r.examine(ctx, admin)
	if err != nil {
		return nil, err
	}
	if err := doctor.Heed(findings, r.warn); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.abortFilestore(err)) }()
	if err := r.createFilestore(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.work.Remove()) }()
	if err := r.fillDatabase(ctx, l); err != nil {
		return nil, err
	}
	r.report.Seconds.Total = time.Since(began).Seconds()
	return &r.report, nil
}

// abortFilestore removes the folder under construction, if it is one still and
// is not to be kept, and after a failure those that were made for it.
func (r *run) abortFilestore(failure error) (err error) {
	if errors.As(failure, new(*KeptError)) {
		if r.files != nil {
			r.files.Leave()
		}
		return nil
	}
	if r.files != nil {
		err = r.files.Abort()
	}
	if failure != nil || err != nil {
		err = errors.Join(err, filestore.RemoveParents(r.parents))
	}
	return err
}

// begin does all that comes before the first thing is made.
func (r *run) begin(ctx context.Context, admin *server.Session) (l locale, err error) {
	r.target.admin = admin
	if err := r.settle(ctx); err != nil {
		return l, err
	}
	if l, err = r.preflight(ctx, admin); err != nil {
		return l, err
	}
	return l, r.findRecord(ctx)
}

// checkSource reads the backup before anything is made in the server.
func (r *run) checkSource(ctx context.Context) error {
	r.Progress.SetPhase("checking the backup")
	began := time.Now()
	r.report.Source, r.report.Layout = r.Source, r.source.layout.String()
	if r.source.archive == nil {
		return nil // it is read once: what is wrong with it is found while it is loaded
	}
	sizes, err := r.source.archive.Sizes()
	if err != nil {
		return err
	}
	r.weights = weigh(r.source.toc, sizes)
	var done atomic.Int64
	r.Progress.Database.Start(sum(r.weights.data))
	stop := parallel.Every(ctx, time.Second/4, func() { r.Progress.Database.Set(done.Load(), 0) })
	err = r.source.check(ctx, r.Jobs, &done)
	stop()
	r.report.Seconds.Check = time.Since(began).Seconds()
	return err
}

// fillDatabase makes the database, fills it and gives it its name, or drops it.
func (r *run) fillDatabase(ctx context.Context, l locale) (err error) {
	r.Progress.SetPhase("creating the database")
	published := false
	defer func() {
		r.session.Close()
		if !published { // also after a panic, which goes on
			err = errors.Join(err, r.undo())
		}
	}()
	if err := r.takeDatabase(ctx, l); err != nil {
		return err
	}
	r.step("database created")
	if err := r.whileAlive(ctx, r.fill); err != nil {
		return err
	}
	r.step("finished")
	if err := r.publish(ctx); err != nil {
		return err
	}
	published = true
	r.endReplacing(ctx)
	return nil
}

// fill loads everything and does all that the database lacks but its name.
func (r *run) fill(ctx context.Context) error {
	if err := r.loadBoth(ctx); err != nil {
		return err
	}
	r.step("loaded")
	if err := r.reopen(ctx); err != nil {
		return err
	}
	if err := r.finish(ctx); err != nil {
		return err
	}
	if err := r.endJournal(ctx); err != nil {
		return err
	}
	r.step("journal ended")
	if err := r.loadLast(ctx); err != nil {
		return err
	}
	return r.restoreSettings(ctx)
}

// watchInterval is how often an idle session is asked for a sign of life: what
// stands between odx and the server may end one that is silent for long.
const watchInterval = time.Minute

// whileAlive does work for hours in which the session that holds the claim on the
// database has little to do. Lost, it ends the work, and not when that is done.
func (r *run) whileAlive(ctx context.Context, work func(context.Context) error) error {
	wctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer end(nil)
	watch.Go(func() {
		if err := r.target.admin.Watch(wctx, watchInterval); err != nil {
			end(err)
		}
	})
	err := work(wctx)
	if lost := context.Cause(wctx); err != nil && lost != nil && ctx.Err() == nil {
		return lost
	}
	return err
}

// reopen makes sure of the session in the new database, which was idle during the
// load.
func (r *run) reopen(ctx context.Context) (err error) {
	if r.session.Exec(ctx, "SELECT 1") == nil {
		return nil
	}
	r.session.Close()
	r.session, err = r.openTarget(ctx)
	return err
}

// undo removes what was made, or keeps it, also where it may have its name already.
func (r *run) undo() error {
	if r.unsure != nil {
		return nil
	}
	kept := r.keep()
	if r.keeping.journal != nil {
		r.keeping.journal.session.Close()
	}
	if kept != nil {
		return kept
	}
	err := errors.Join(r.withRoles(r.markNewRoles), r.dropTemp())
	r.step("database dropped")
	return errors.Join(err, r.withRoles(r.dropNewRoles))
}

// How long a server may take after a failure, whatever ends the run: to open a
// session, and to drop a large database, for which it waits for a checkpoint and
// removes hundreds of files. Overridden in tests.
var (
	openPatience = time.Minute
	dropPatience = time.Hour
)

// dropTemp removes the database after a failure, also after an interruption:
// it has a context of its own, and a session too if the first one is gone.
func (r *run) dropTemp() error {
	r.Progress.SetPhase("removing the database")
	ctx, cancel := context.WithTimeout(context.Background(), dropPatience)
	defer cancel()
	octx, cancelOpen := context.WithTimeout(ctx, openPatience)
	defer cancelOpen()
	err := r.target.admin.Exec(octx, "SELECT 1") // it may be dead without knowing
	if err == nil {
		err = DropTemp(ctx, r.Server, r.target.admin, r.target.temp)
	}
	if err == nil {
		return nil
	}
	octx, cancelOpen = context.WithTimeout(ctx, openPatience)
	defer cancelOpen()
	admin, openErr := r.Server.Open(octx, r.Maint, r.application())
	if openErr == nil {
		defer admin.Close()
		err = DropTemp(ctx, r.Server, admin, r.target.temp)
	}
	if err != nil {
		return &LeftoverError{Database: r.target.temp, Err: err}
	}
	return nil
}

// withRoles does something with the roles that were made, if there are any, in a
// session of its own: it is needed after an interruption too.
func (r *run) withRoles(do func(context.Context, *server.Session) error) error {
	if len(r.newRoles) == 0 {
		return nil
	}
	return r.inNewSession(do)
}

// inNewSession does something in a session of its own, also after an interruption,
// for as long as opening one may take.
func (r *run) inNewSession(do func(context.Context, *server.Session) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), openPatience)
	defer cancel()
	admin, err := r.Server.Open(ctx, r.Maint, r.application())
	if err != nil {
		return err
	}
	defer admin.Close()
	return do(ctx, admin)
}

func (r *run) application() string {
	if r.target == nil {
		return "odx restore"
	}
	return "odx restore " + r.target.temp
}

func (r *run) step(name string) {
	if r.hook != nil {
		r.hook(name)
	}
}

func (r *run) added(what string) { r.report.Added = append(r.report.Added, what) }

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

// warnOnce is warn for what several runs of pg_restore may have to say.
func (r *run) warnOnce(format string, args ...any) {
	r.mu.Lock()
	said := slices.Contains(r.report.Warnings, fmt.Sprintf(format, args...))
	r.mu.Unlock()
	if !said {
		r.warn(format, args...)
	}
}
