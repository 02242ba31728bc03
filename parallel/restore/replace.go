package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
	"odx/parallel"
	"odx/parallel/odoo"
	"odx/parallel/server"
)

// Replaced says what a restore took the place of.
type Replaced struct {
	Database      bool    `json:"database"`
	Filestore     bool    `json:"filestore"`
	KeptAs        string  `json:"kept_as,omitempty"`        // name of the old database
	KeptFilestore string  `json:"kept_filestore,omitempty"` // folder of its files
	Closed        float64 `json:"closed_seconds"`           // how long the name was closed to connections
}

// replaced is what a restore takes the place of, see Options.Force.
//
// Nothing is done to the old ones before the new ones lack nothing but their
// names. The database is then closed by renaming it in a transaction: from the
// lock that RENAME takes until the commit, who connects to it has to wait, a
// superuser too. (ALLOW_CONNECTIONS false would have to be committed before, and
// a run that is killed then would leave the database closed.) The sessions that
// it had are ended meanwhile.
//
// Until the commit the old filestore bears the name under which it is kept with
// KeepOld, and so a name that odx clean does not touch, in any case.
type replaced struct {
	database bool
	files    bool   // there is a folder at the filestore's place
	kept     string // name of what is kept, within 63 bytes
	folder   string // of kept's files
	temp     string // name of the database until it is dropped
	moved    bool   // the old files are in folder
	began    time.Time
	uuid     string // Odoo's database.uuid; "" if it is not known
}

// oldSuffix makes of the name of a database under construction that of the old
// one which it has replaced.
const oldSuffix = "-old"

// nameOld chooses the names of what is replaced.
func (r *run) nameOld(now time.Time) {
	suffix := oldSuffix + now.Format("-20060102-150405")
	base := r.Database[:min(len(r.Database), maxName-len(suffix))]
	r.old.kept = strings.ToValidUTF8(base, "") + suffix // the cut may go through a character
	r.old.temp = r.target.temp + oldSuffix
	if r.Filestore != "" {
		r.old.folder = filepath.Join(filepath.Dir(r.Filestore), r.old.kept)
	}
}

// chooseOldName gives what is replaced the name of this moment, or of one soon if
// there are a database or files of that name.
func (r *run) chooseOldName(ctx context.Context, admin *server.Session) error {
	for now := time.Now(); ; now = now.Add(time.Second) {
		r.nameOld(now)
		taken, err := databaseExists(ctx, admin, r.old.kept)
		if err != nil {
			return fmt.Errorf("look for the database: %w", err)
		}
		if r.old.folder != "" {
			_, err := os.Lstat(r.old.folder)
			taken = taken || err == nil
		}
		if !taken {
			return nil
		}
	}
}

// maxName is how many bytes of a name PostgreSQL keeps (NAMEDATALEN - 1).
const maxName = 63

// checkOldDatabase finds the database that has the name, and out whether it can
// be replaced. Its owner is to own the new one too, if nobody else is named.
func (r *run) checkOldDatabase(ctx context.Context, admin *server.Session, me string) error {
	if err := r.chooseOldName(ctx, admin); err != nil {
		return err
	}
	var owner string
	var template, mine bool
	var subscriptions, prepared int
	err := admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `
			SELECT pg_catalog.pg_get_userbyid(d.datdba), d.datistemplate, pg_catalog.pg_has_role(d.datdba, 'USAGE'),
			       (SELECT count(*) FROM pg_catalog.pg_subscription s WHERE s.subdbid = d.oid),
			       (SELECT count(*) FROM pg_catalog.pg_prepared_xacts p WHERE p.database = d.datname)
			FROM pg_catalog.pg_database d WHERE d.datname = $1`, r.target.final).
			Scan(&owner, &template, &mine, &subscriptions, &prepared)
	})
	cannot := func(why string) error {
		return fmt.Errorf("database %q cannot be replaced: %s", r.target.final, why)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look for the database: %w", err)
	case !r.Force:
		return fmt.Errorf("database %q %w", r.target.final, ErrExists)
	case r.target.final == r.Maint:
		return cannot("odx is connected to it; name another database with --maintenance-db")
	case template:
		return cannot("it is a template; ALTER DATABASE ... IS_TEMPLATE false makes it none")
	case !mine:
		return &RoleError{Role: me, Reason: fmt.Sprintf("may not rename and drop database %q: it belongs to role %q, whose rights it does not have", r.target.final, owner)}
	case subscriptions > 0:
		return cannot("it has subscriptions; drop them first (DROP SUBSCRIPTION)")
	case prepared > 0:
		return cannot("it has prepared transactions; end them first (pg_prepared_xacts lists them)")
	}
	r.old.database = true
	if r.target.owner == "" {
		r.target.owner = owner
	}
	r.old.uuid = r.oldUUID(ctx)
	if o := r.source.record; o != nil && o.Odoo != nil && o.Database.Name == r.Database && r.isSame(o.Odoo.UUID) {
		return fmt.Errorf("database %q %w", r.Database, ErrSame)
	}
	return r.warnOfSessions(ctx, admin)
}

// ErrSame is returned before any work when the database that is to be replaced is the
// one that the backup was made of, by its name too, and nobody said that it is to
// become a copy.
var ErrSame = errors.New("has the database.uuid of the backup: as a copy it would get another identity, secret and address")

// isSame tells whether a database of this UUID takes its own place as a copy without
// anybody having asked for one.
func (r *run) isSame(uuid string) bool {
	return r.Copy && !r.IdentityGiven && uuid != "" && uuid == r.old.uuid
}

// warnOfSame says of other backups, when it is known, what ErrSame says.
func (r *run) warnOfSame(info odoo.Info) {
	if r.isSame(info.UUID) {
		r.warn("the database that is replaced has the database.uuid of the backup; the new one is a copy, with another identity, secret and address: --move keeps them")
	}
}

// oldUUID reads the identity of the old database, if it can be had.
func (r *run) oldUUID(ctx context.Context) (uuid string) {
	s, err := r.Server.Open(ctx, r.target.final, r.application())
	if err != nil {
		return ""
	}
	defer s.Close()
	if s.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", patience.Milliseconds())) != nil {
		return ""
	}
	_ = s.Scan(ctx, "SELECT value FROM public.ir_config_parameter WHERE key = 'database.uuid'", &uuid)
	return uuid
}

// warnOfSessions names early who could keep the old database from being closed. A
// dump of odx's is not ended.
func (r *run) warnOfSessions(ctx context.Context, admin *server.Session) error {
	dumps, err := sessionsIn(ctx, admin, r.target.final, "AND application_name LIKE 'odx dump %'")
	if err != nil {
		return err
	}
	if dumps != "" {
		return fmt.Errorf("database %q cannot be replaced: another odx dumps it (%s)", r.target.final, dumps)
	}
	who, err := sessionsIn(ctx, admin, r.target.final, "AND NOT pg_catalog.pg_has_role(usesysid, 'USAGE')")
	if err == nil && who != "" {
		r.warn("these sessions in the old database, which this role may not end, have to be gone when it is replaced: %s", who)
	}
	return err
}

// sessionsIn describes the sessions of clients in a database; "" if there are
// none.
func sessionsIn(ctx context.Context, admin *server.Session, database, condition string) (who string, err error) {
	err = admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT COALESCE(string_agg(pg_catalog.concat_ws(' ', 'pid', pid, 'role', usename, application_name), ', ' ORDER BY pid), '')
			FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL `+condition, database).Scan(&who)
	})
	return who, err
}

// checkOldFiles makes sure that what is at the filestore's place may be replaced
// and can be.
func (r *run) checkOldFiles() error {
	err := dumpfmt.CheckMovable(r.Filestore)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !r.Force {
		return fmt.Errorf("filestore folder %s %w", r.Filestore, ErrExists)
	}
	if err == nil {
		err = isFilestore(r.Filestore)
	}
	if err != nil {
		return fmt.Errorf("the filestore cannot be replaced: %w", err)
	}
	if _, err := os.Lstat(r.old.folder); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("the filestore cannot be replaced: %s %w", r.old.folder, ErrExists), err)
	}
	r.old.files = true
	return nil
}

// isFilestore refuses a folder with folders that no filestore has: with a wrong
// --filestore those of all databases could be removed.
func isFilestore(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && !dumpfmt.IsStoreFolder(e.Name()) {
			return fmt.Errorf("%s is no filestore, it has a folder %q", path, e.Name())
		}
	}
	return nil
}

// warnOfOldFiles says what becomes of files that nothing takes the place of.
func (r *run) warnOfOldFiles() {
	if _, err := os.Lstat(r.Filestore); err == nil && r.Force {
		r.warn("the folder %s is left as it is, for the new database", r.Filestore)
		if r.KeepOld {
			r.warn("the database that is kept has no files of its own then: Odoo will remove those from %s that the new one does not name", r.Filestore)
		}
	}
}

// patience is how long the sessions of the old database may take to end;
// overridden in tests.
var patience = time.Minute

// moveOldDatabase is the first step of the transaction that gives the new
// database its name. With it the old one is closed until the commit.
func (r *run) moveOldDatabase(ctx context.Context, tx pgx.Tx) error {
	if !r.old.database {
		return nil
	}
	ender, err := r.Server.Open(ctx, r.Maint, r.application())
	if err != nil {
		return err
	}
	defer ender.Close()
	r.step("closing")
	r.old.began = time.Now()
	var endErr error
	stop := parallel.Every(ctx, 50*time.Millisecond, func() { endErr = terminateSessions(ctx, ender, r.target.final) })
	err = r.renameOld(ctx, tx)
	stop()
	if server.SQLState(err) == "55006" { // object_in_use
		who, askErr := sessionsIn(ctx, ender, r.target.final, "")
		return errors.Join(fmt.Errorf("close the old database: its sessions did not end (%s): %w", who, err), endErr, askErr)
	}
	if err != nil {
		return fmt.Errorf("rename the old database: %w", err)
	}
	r.step("old database renamed")
	return nil
}

func (r *run) renameOld(ctx context.Context, tx pgx.Tx) error {
	for deadline := time.Now().Add(patience); ; {
		err := pgx.BeginFunc(ctx, tx, func(part pgx.Tx) error {
			for _, sql := range r.renameOldStatements() {
				if _, err := part.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
		if server.SQLState(err) != "55006" || time.Now().After(deadline) {
			return err
		}
	}
}

// renameOldStatements hide the old database from Odoo: it lists no templates,
// and nothing that it cannot connect to.
func (r *run) renameOldStatements() []string {
	rename := "ALTER DATABASE " + quote(r.target.final) + " RENAME TO "
	wait := fmt.Sprintf("SET LOCAL lock_timeout = %d", patience.Milliseconds())
	if r.KeepOld {
		return []string{wait, rename + quote(r.old.kept), "ALTER DATABASE " + quote(r.old.kept) + " IS_TEMPLATE true"}
	}
	comment := fmt.Sprintf("odx has replaced this database, %q; if no odx is running, remove it with: odx clean --yes", r.target.final)
	record := Record{Database: r.target.final, Began: now(), Process: process(), Files: r.keeping.record.Files}
	if data, err := json.Marshal(record); err == nil { // it has nothing but text
		comment += marker + string(data)
	}
	return []string{wait, rename + quote(r.old.temp), "ALTER DATABASE " + quote(r.old.temp) + " ALLOW_CONNECTIONS false",
		fmt.Sprintf("COMMENT ON DATABASE %s IS %s", quote(r.old.temp), literal(comment))}
}

// ErrMadeMeanwhile is returned when a folder has come to be in the filestore's place
// while everything was restored.
var ErrMadeMeanwhile = errors.New("somebody has made a folder there meanwhile")

// placeFiles is the last step before the commit: the old files make room for
// the new ones. That takes no time in which an Odoo that is just being ended could
// make a folder in their place: all of it is on the disk, see publish.
func (r *run) placeFiles(context.Context, pgx.Tx) error {
	r.step("renamed")
	if r.files == nil {
		return nil
	}
	if r.old.files {
		if err := dumpfmt.MoveDir(r.Filestore, r.old.folder); err != nil {
			return fmt.Errorf("move the old filestore: %w", err)
		}
		r.old.moved = true
		r.step("old files moved")
	}
	err := r.files.Place()
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %w", ErrMadeMeanwhile, err)
	}
	if err != nil {
		return fmt.Errorf("put the filestore in place: %w", err)
	}
	r.step("files in place")
	return nil
}

// takeFilesBack undoes placeFiles.
func (r *run) takeFilesBack() error {
	if r.files == nil {
		return nil
	}
	if err := r.files.Retract(); err != nil {
		return errors.Join(fmt.Errorf("take the new filestore back: %w", err), r.oldFilesAt())
	}
	if !r.old.moved {
		return nil
	}
	if err := dumpfmt.MoveDir(r.old.folder, r.Filestore); err != nil {
		return errors.Join(fmt.Errorf("put the old filestore back: %w", err), r.oldFilesAt())
	}
	r.old.moved = false
	return nil
}

// DisplacedError is joined to the error of a restore that failed and could not
// put the old filestore back, or does not know which database has the name.
type DisplacedError struct{ Folder, Place string }

func (e *DisplacedError) Error() string {
	return fmt.Sprintf("the files of the old database are in %s and belong to %s", e.Folder, e.Place)
}

// oldFilesAt is a DisplacedError, nil if the old files are in their place.
func (r *run) oldFilesAt() error {
	if !r.old.moved {
		return nil
	}
	return &DisplacedError{Folder: r.old.folder, Place: r.Filestore}
}

// endReplacing reports what was replaced and removes what is not to be kept. By
// then the restore has succeeded: what cannot be removed is a warning.
func (r *run) endReplacing(ctx context.Context) {
	if !r.old.database && !r.old.moved {
		return
	}
	report := &Replaced{Database: r.old.database, Filestore: r.old.moved}
	if r.old.database {
		report.Closed = time.Since(r.old.began).Seconds()
	}
	r.report.Replaced = report
	if r.KeepOld {
		r.keepOld(report)
		return
	}
	r.Progress.SetPhase("removing the old database")
	r.step("removing the old")
	// The folder first: until then it has a name that odx clean does not touch, and
	// the old database's comment tells of it.
	if r.old.moved {
		if left, err := dumpfmt.DiscardDir(r.old.folder); err != nil {
			r.warn("the old filestore could not be removed; %s is left over: %v", left, err)
		}
	}
	if err := r.dropOld(ctx); err != nil {
		r.warn("the old database could not be dropped and is left over as %s; odx clean --yes removes it: %v", r.old.temp, err)
	}
}

func (r *run) keepOld(report *Replaced) {
	if r.old.database {
		report.KeptAs = r.old.kept
	}
	if r.old.moved {
		report.KeptFilestore = r.old.folder
	}
}

// dropOld has a session of its own: the commit may have cost the other one.
func (r *run) dropOld(ctx context.Context) error {
	if !r.old.database {
		return nil
	}
	admin, err := r.Server.Open(ctx, r.Maint, r.application())
	if err != nil {
		return err
	}
	defer admin.Close()
	return DropTemp(ctx, r.Server, admin, r.old.temp)
}
