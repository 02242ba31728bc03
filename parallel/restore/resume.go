package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/parallel/filestore"
	"odx/parallel/pgload"
	"odx/parallel/server"
)

// keeping is what a run writes down so that another can go on, and what it has
// taken over itself.
type keeping struct {
	record  Record
	journal *journal // nil for a script, and before and after the load
	resumed bool     // the database was made by an earlier run, and is gone on with
}

// ErrResume is returned before anything is changed when a restore cannot be
// resumed as asked.
var ErrResume = errors.New("cannot be resumed")

// KeptError is joined to the error of a restore that failed and left its work, as
// asked; see Options.Keep.
type KeptError struct {
	Database  string // under construction
	Folder    string // with the files copied so far; "" if there is none
	Source    string
	Final     string   // name of the database that it is to become
	Roles     []string // made for it, which odx clean does not remove
	Filestore bool
}

// ID is what Options.Resume takes.
func (e *KeptError) ID() string { return strings.TrimPrefix(e.Database, TempPrefix) }

func (e *KeptError) Error() string {
	what := fmt.Sprintf("what is done is kept: database %q", e.Database)
	if e.Folder != "" {
		what += " and folder " + e.Folder
	}
	if len(e.Roles) > 0 {
		what += ", and roles made for them (" + strings.Join(e.Roles, ", ") + ")"
	}
	return fmt.Sprintf("%s; with the same backup, go on with: odx restore --resume %s %s %s (and the options of this run); or remove it with: odx clean --yes",
		what, e.ID(), e.Source, e.Final)
}

// checkKeeping refuses what cannot be kept or resumed, by the backup alone.
func (r *run) checkKeeping() error {
	if r.source.archive != nil || !r.Keep && r.Resume == "" {
		return nil
	}
	what := "--on-failure keep"
	if r.Resume != "" {
		what = "--resume"
	}
	return fmt.Errorf("a %s is loaded as it is read, and its restore %w: leave %s out, or convert it to a folder first (odx convert) and restore that",
		r.source.layout, ErrResume, what)
}

// findRecord begins the record, or finds that of the run which is resumed, and
// makes sure that it is the same restore.
func (r *run) findRecord(ctx context.Context) (err error) {
	k := &r.keeping
	k.record = Record{Database: r.Database, Source: r.Source, Options: r.shape(), Process: process(), Began: now(), Stage: StageLoading}
	if r.source.archive != nil {
		if k.record.Digest, err = r.source.digest(); err != nil {
			return err
		}
	}
	if r.Resume == "" {
		return nil
	}
	list, err := underConstruction(ctx, r.target.admin)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(u Unfinished) bool { return u.Name == r.target.temp })
	cannot := func(why string, args ...any) error {
		return fmt.Errorf("the restore %s %w: %s", r.Resume, ErrResume, fmt.Sprintf(why, args...))
	}
	if i < 0 {
		return cannot("there is no database %q", r.target.temp)
	}
	old := list[i].Record
	switch {
	case old == nil:
		return cannot("database %q has no record of it in its comment", r.target.temp)
	case old.Database != r.Database:
		return cannot("it was to become database %q, not %q", old.Database, r.Database)
	case old.Digest != k.record.Digest:
		return cannot("it was begun from another backup, %s", old.Source)
	case !slices.Equal(old.Options, k.record.Options):
		return cannot("it was begun with %s, not with %s", strings.Join(old.Options, " "), strings.Join(k.record.Options, " "))
	case old.Files != nil && old.Files.Target != r.Filestore:
		return cannot("its filestore was to become %s", old.Files.Target)
	}
	old.Source, old.Process = k.record.Source, k.record.Process
	k.record = *old
	r.newRoles = old.Roles
	return nil
}

// takeDatabase makes the database under construction, or takes over that of the
// run which is resumed. What did not come to the rows is made anew: nothing is
// known of how far it came, and it takes seconds.
func (r *run) takeDatabase(ctx context.Context, l locale) error {
	if r.Resume == "" {
		return r.target.create(ctx, l, &r.keeping.record)
	}
	if err := evict(ctx, r.target.admin, r.target.temp); err != nil {
		return err
	}
	if r.keeping.record.Stage == StageLoading {
		isUsable, err := r.isUsable(ctx)
		if err != nil {
			return err
		}
		if !isUsable {
			r.warn("the restore %s had not made all tables yet: the database is made anew", r.Resume)
			if err := DropTemp(ctx, r.Server, r.target.admin, r.target.temp); err != nil {
				return err
			}
			return r.target.create(ctx, l, &r.keeping.record)
		}
	}
	r.keeping.resumed = true
	if r.keeping.record.Stage == StageLast {
		if err := r.checkUnlogged(ctx); err != nil {
			return err
		}
	}
	return r.target.note(ctx, &r.keeping.record)
}

func (r *run) isUsable(ctx context.Context) (bool, error) {
	s, err := r.openTarget(ctx)
	if err != nil {
		return false, err
	}
	defer s.Close()
	var there bool
	if err := s.Scan(ctx, "SELECT pg_catalog.to_regclass('"+journalSchema+".plan') IS NOT NULL", &there); err != nil || !there {
		return false, err
	}
	j, err := openJournal(ctx, s)
	return err == nil && j.isResumable(), err
}

// evict ends the sessions that a killed run has left in a database, and waits
// until they are gone.
func evict(ctx context.Context, admin *server.Session, database string) error {
	for {
		if err := terminateSessions(ctx, admin, database); err != nil {
			return err
		}
		who, err := sessionsIn(ctx, admin, database, "")
		if err != nil || who == "" {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// beginJournal opens the journal once the plan is known, which has to be the one
// that the work was begun by.
func (r *run) beginJournal(ctx context.Context) error {
	if r.source.archive == nil {
		return nil
	}
	s, err := r.openTarget(ctx)
	if err != nil {
		return err
	}
	j, err := openJournal(ctx, s)
	if err != nil {
		s.Close()
		return err
	}
	r.keeping.journal = j
	same, err := j.agree(ctx, digestOf(r.rounds))
	if err == nil && !same {
		err = fmt.Errorf("the restore %s %w: the roles of the server, or their rights, have changed since, and with them what is restored how", r.Resume, ErrResume)
	}
	if err == nil && !r.keeping.resumed {
		err = r.countBefore(ctx)
	}
	return err
}

// unloggedWithRows lists the tables that a crash would empty.
func unloggedWithRows(ctx context.Context, s *server.Session) (list []string, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence = 'u' AND c.relkind = 'r' ORDER BY 1`)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, name := range names {
			var has bool
			if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ONLY "+name+")").Scan(&has); err != nil {
				return err
			}
			if has {
				list = append(list, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for unlogged tables: %w", err)
	}
	return list, nil
}

// checkUnlogged refuses a database of the last stage that has lost rows.
func (r *run) checkUnlogged(ctx context.Context) error {
	if len(r.keeping.record.Unlogged) == 0 {
		return nil
	}
	s, err := r.openTarget(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	now, err := unloggedWithRows(ctx, s)
	if err == nil && !slices.Equal(now, r.keeping.record.Unlogged) {
		err = fmt.Errorf("the restore %s %w: the server has crashed since, and that has emptied its unlogged tables (of %s)",
			r.Resume, ErrResume, strings.Join(r.keeping.record.Unlogged, ", "))
	}
	return err
}

func digestOf(list []round) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%v", list)))
}

// endJournal is the end of the load: what comes now must find no trace of odx.
func (r *run) endJournal(ctx context.Context) error {
	if r.keeping.journal != nil {
		r.keeping.journal.session.Close()
		r.keeping.journal = nil
	}
	if r.keeping.record.Stage == StageLoading {
		var err error
		if r.keeping.record.Unlogged, err = unloggedWithRows(ctx, r.session); err != nil {
			return err
		}
	}
	r.keeping.record.Stage = StageLast
	if err := r.target.note(ctx, &r.keeping.record); err != nil {
		return err
	}
	return dropJournal(ctx, r.session)
}

// remaining gives what is left to be done of a round that an earlier run has begun,
// and whether that is in doubt: then pg_restore drops each object before it makes
// it, as far as it is there.
func (r *run) remaining(ctx context.Context, i int, now round) (entries []pgarchive.DumpID, inDoubt bool, err error) {
	if !r.keeping.resumed {
		return now.entries, false, nil
	}
	if now.last {
		if entries, err = r.withoutSubscriptions(ctx, now.entries); err == nil {
			entries, err = r.fillPublications(ctx, now, entries)
		}
		return entries, true, err
	}
	if !r.keeping.journal.has(i, roundBegun) {
		return now.entries, false, nil
	}
	unlogged, err := r.unlogged(ctx)
	if err != nil {
		return nil, false, err
	}
	loaded, err := r.findLoaded(ctx, i, now.entries, unlogged)
	if err != nil {
		return nil, false, err
	}
	byID := r.source.toc.ByID()
	for _, id := range now.entries {
		if r.isFinished(i, byID[id], loaded, unlogged) {
			r.finished(id)
			continue
		}
		entries = append(entries, id)
	}
	if !r.keeping.journal.has(i, roundDone) {
		entries, err = r.fillPublications(ctx, now, entries)
	}
	return entries, true, err
}

// isFinished tells whether an entry of a round that was begun needs nothing more.
// A crash resets sequences that are not logged, even if the round is done.
func (r *run) isFinished(i int, e *pgarchive.Entry, loaded map[pgarchive.DumpID]bool, unlogged map[tableKey]bool) bool {
	j := r.keeping.journal
	switch {
	case e.Desc == pgarchive.DescTableData:
		return loaded[e.ID]
	case e.Desc == "SEQUENCE SET" && unlogged[tableKey{e.Namespace.String, e.Tag}]:
		return false
	case j.has(i, roundDone):
		return true
	}
	return j.has(i, e.ID) || e.Section == pgarchive.SectionPreData && j.has(i, definitionsMade) && !isPreamble(e.Desc)
}

// fillPublications adds to publications what they may have already: nothing drops
// that, unless the publication itself is made again.
func (r *run) fillPublications(ctx context.Context, now round, entries []pgarchive.DumpID) (rest []pgarchive.DumpID, err error) {
	byID := r.source.toc.ByID()
	again := map[pgarchive.DumpID]bool{}
	for _, id := range entries {
		again[id] = byID[id].Desc == "PUBLICATION"
	}
	for _, id := range entries {
		e := byID[id]
		if !strings.HasPrefix(e.Desc, "PUBLICATION TABLE") || dependsOn(e, again) {
			rest = append(rest, id)
			continue
		}
		open := r.openTarget
		if now.connecting {
			open = func(ctx context.Context) (*server.Session, error) {
				return r.Server.Open(ctx, r.target.temp, r.application())
			}
		}
		s, err := open(ctx)
		if err != nil {
			return nil, err
		}
		err = s.Exec(ctx, e.Defn.String)
		s.Close()
		if err != nil && server.SQLState(err) != "42710" { // duplicate_object
			return nil, fmt.Errorf("%s: %w", entryName(e), err)
		}
	}
	return rest, nil
}

// withoutSubscriptions leaves out those that are there: dropping one would drop
// its slot on another server.
func (r *run) withoutSubscriptions(ctx context.Context, entries []pgarchive.DumpID) (rest []pgarchive.DumpID, err error) {
	byID := r.source.toc.ByID()
	for _, id := range entries {
		if e := byID[id]; e.Desc == "SUBSCRIPTION" {
			var there bool
			err := r.target.admin.Do(func(c *pgx.Conn) error {
				return c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
					WHERE d.datname = $1 AND s.subname = $2)`, r.target.temp, e.Tag).Scan(&there)
			})
			if err != nil {
				return nil, fmt.Errorf("look for subscriptions: %w", err)
			}
			if there {
				continue
			}
		}
		rest = append(rest, id)
	}
	return rest, nil
}

// findLoaded tells which tables of a round have their rows. The journal says so
// of all but the last ones; a COPY is one transaction, so of those a table with
// rows has all of its rows. Unlogged tables have lost theirs in a crash. Where
// that does not hold (INSERT statements, rows that go through the root of a
// partitioned table) the tables are emptied, to be loaded anew.
func (r *run) findLoaded(ctx context.Context, i int, entries []pgarchive.DumpID, unlogged map[tableKey]bool) (map[pgarchive.DumpID]bool, error) {
	j, byID := r.keeping.journal, r.source.toc.ByID()
	roots := map[string]bool{} // not whole
	loaded, extensions := map[pgarchive.DumpID]bool{}, r.dataOfExtensions()
	var throughRoot []*pgarchive.Entry
	for _, id := range entries {
		e := byID[id]
		if e.Desc != pgarchive.DescTableData {
			continue
		}
		var err error
		name, isNoted := pgload.QualifiedName(e.Namespace.String, e.Tag), j.has(i, id)
		switch {
		case e.Defn.Valid && isNoted:
			throughRoot, loaded[id] = append(throughRoot, e), true
		case e.Defn.Valid:
			throughRoot = append(throughRoot, e)
			roots[rootOf(e)] = true
		case isNoted && !unlogged[tableKey{e.Namespace.String, e.Tag}]:
			loaded[id] = true
		case !e.CopyStmt.Valid:
			err = j.session.Exec(ctx, "TRUNCATE TABLE ONLY "+name)
		default:
			if loaded[id], err = r.hasRows(ctx, name); err == nil && !loaded[id] && !isNoted && !extensions[id] {
				err = j.session.Exec(ctx, "TRUNCATE TABLE ONLY "+name) // a COPY that broke off has left dead rows
			}
		}
		if err != nil {
			return nil, fmt.Errorf("look what of table %s is loaded: %w", name, err)
		}
	}
	return loaded, r.emptyRoots(ctx, roots, throughRoot, loaded)
}

// emptyRoots empties partitioned tables that are not whole.
func (r *run) emptyRoots(ctx context.Context, roots map[string]bool, entries []*pgarchive.Entry, loaded map[pgarchive.DumpID]bool) error {
	for root := range roots {
		if err := r.keeping.journal.session.Exec(ctx, "TRUNCATE TABLE "+root); err != nil {
			return fmt.Errorf("empty table %s, which is loaded anew: %w", root, err)
		}
	}
	for _, e := range entries {
		if roots[rootOf(e)] {
			delete(loaded, e.ID)
		}
	}
	return nil
}

// rootOf gives the table that an entry's COPY names, as it stands there.
func rootOf(e *pgarchive.Entry) string {
	text := strings.TrimPrefix(e.CopyStmt.String, "COPY ")
	for i, isQuoted := 0, false; i < len(text); i++ {
		switch text[i] {
		case '"':
			isQuoted = !isQuoted
		case ' ':
			if !isQuoted {
				return text[:i]
			}
		}
	}
	return text
}

// hasRows tells whether a table has more rows than it was made with.
func (r *run) hasRows(ctx context.Context, name string) (has bool, err error) {
	err = r.keeping.journal.session.Do(func(c *pgx.Conn) error {
		var had int64
		if err := c.QueryRow(ctx, "SELECT COALESCE((SELECT rows FROM "+journalSchema+".had WHERE name = $1), 0)", name).Scan(&had); err != nil {
			return err
		}
		return c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ONLY "+name+" OFFSET $1)", had).Scan(&has)
	})
	return has, err
}

// dataOfExtensions gives the entries whose tables extensions have made.
func (r *run) dataOfExtensions() map[pgarchive.DumpID]bool {
	made := map[tableKey]bool{}
	for i := range r.source.toc.Entries {
		if e := &r.source.toc.Entries[i]; e.Desc == pgarchive.DescTable {
			made[tableKey{e.Namespace.String, e.Tag}] = true
		}
	}
	set := map[pgarchive.DumpID]bool{}
	for i := range r.source.toc.Entries {
		if e := &r.source.toc.Entries[i]; e.Desc == pgarchive.DescTableData && !made[tableKey{e.Namespace.String, e.Tag}] {
			set[e.ID] = true
		}
	}
	return set
}

// countBefore notes how many rows the tables have that extensions have made.
func (r *run) countBefore(ctx context.Context) error {
	byID := r.source.toc.ByID()
	for id := range r.dataOfExtensions() {
		name := pgload.QualifiedName(byID[id].Namespace.String, byID[id].Tag)
		err := r.keeping.journal.session.Exec(ctx, "INSERT INTO "+journalSchema+".had SELECT $1, count(*) FROM ONLY "+name, name)
		if state := server.SQLState(err); state == "42P01" || state == "3F000" || state == "42501" { // made later, or not the owner's to read
			continue
		}
		if err != nil {
			return fmt.Errorf("count the rows of table %s: %w", name, err)
		}
	}
	return nil
}

// unlogged lists the tables that a crash empties, and the sequences that it resets.
func (r *run) unlogged(ctx context.Context) (map[tableKey]bool, error) {
	set := map[tableKey]bool{}
	err := r.keeping.journal.session.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'S')`)
		if err != nil {
			return err
		}
		var k tableKey
		_, err = pgx.ForEachRow(rows, []any{&k.schema, &k.name}, func() error {
			set[k] = true
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for unlogged tables: %w", err)
	}
	return set, nil
}

// takeFiles takes over the folder of the run that is resumed, if it is there,
// and removes from it what is not whole.
func (r *run) takeFiles(ctx context.Context) (bool, error) {
	if r.Resume == "" || r.keeping.record.Files == nil {
		return false, nil
	}
	var err error
	if r.files, err = dumpfmt.AdoptDir(r.keeping.record.Files.Temp, r.Filestore, r.old.files); err != nil || r.files == nil {
		return false, err
	}
	r.Progress.SetPhase("checking the files that are there")
	if err := filestore.RemoveUnsound(ctx, r.files.Path(), r.Jobs); err != nil {
		return true, fmt.Errorf("check the files that are there: %w", err)
	}
	return true, nil
}

// keep tells whether the work stays after a failure, and how to go on.
func (r *run) keep() *KeptError {
	k := &r.keeping
	if !r.Keep || r.source.archive == nil || !(k.resumed || k.record.Stage == StageLast || k.journal != nil && k.journal.isResumable()) {
		return nil
	}
	e := &KeptError{Database: r.target.temp, Source: r.Source, Final: r.Database, Roles: r.newRoles}
	if r.files != nil {
		e.Folder = r.files.Path()
	}
	return e
}
