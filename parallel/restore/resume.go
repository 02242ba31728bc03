package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"odx/dumpfmt"
	"odx/parallel/filestore"
	"odx/parallel/server"
)

// keeping is what a run writes down so that another can go on, and what it has
// taken over itself.
type keeping struct {
	record  Record
	journal *journal // nil for a script, and before and after the load
	resumed bool     // the database was made by an earlier run, and is gone on with

	options     []string // what shapes this run
	otherAddons bool     // that run had another --addons-path
}

// ErrResume is returned before anything is changed when a restore cannot be
// resumed as asked.
var ErrResume = errors.New("cannot be resumed")

// KeptError is joined to the error of a restore that failed and left its work, as
// asked; see Options.Keep.
type KeptError struct {
	Database string // under construction
	Folder   string // with the files copied so far; "" if there is none
	Source   string
	Final    string   // name of the database that it is to become
	Roles    []string // made for it
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
	case !slices.Equal(old.Options, k.record.Options) && (old.Stage == StageLast || !slices.Equal(withoutAddons(old.Options), withoutAddons(k.record.Options))):
		return cannot("it was begun with %s, not with %s", strings.Join(old.Options, " "), strings.Join(k.record.Options, " "))
	case old.Files != nil && old.Files.Target != r.Filestore:
		return cannot("its filestore was to become %s", old.Files.Target)
	}
	k.options, k.otherAddons = k.record.Options, !slices.Equal(old.Options, k.record.Options)
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
	if err := unmarkRoles(ctx, r.target.admin, r.newRoles); err != nil {
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
// until they are gone. Those of others, such as a superuser's, may not be ended.
func evict(ctx context.Context, admin *server.Session, database string) error {
	for began := time.Now(); ; {
		if err := terminateSessions(ctx, admin, database); err != nil {
			return err
		}
		who, err := sessionsIn(ctx, admin, database, "")
		if err != nil || who == "" {
			return err
		}
		if time.Since(began) > patience {
			return fmt.Errorf("sessions in database %q do not end: %s", database, who)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
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

// digestOf stays the same from one version of odx to the next, or no restore that the
// one has begun could be resumed with the other.
func digestOf(list []round) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s", list)))
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
