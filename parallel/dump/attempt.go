package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"odx/parallel/filestore"
	"odx/parallel/odoo"
	"odx/parallel/server"
)

// watchInterval is how often a session is asked for a sign of life.
const watchInterval = 15 * time.Second

// attempt takes the guard and dumps under it.
func (r *run) attempt(ctx context.Context, info odoo.Info, standby bool) error {
	r.Progress.SetPhase("waiting for locks")
	g := &guard{state: guardOff}
	var err error
	if r.Filestore != "" {
		if g, err = r.takeGuard(ctx, info, standby); err != nil {
			return err
		}
	}
	return g.during(ctx, r.warn, func() error {
		r.step("guard taken")
		return r.dumpGuarded(ctx, g)
	})
}

// dumpGuarded locks, takes the snapshot and dumps in it.
func (r *run) dumpGuarded(ctx context.Context, g *guard) error {
	s, err := r.Server.Open(ctx, r.Database, r.application())
	if err != nil {
		return err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, s.Close)() // a write that never ends must not keep the locks
	if r.snapshot, err = r.lockAndExport(ctx, s); err != nil {
		return r.explainLock(err)
	}
	r.step("snapshot exported")
	sizes, err := r.readSnapshot(ctx, s)
	if err != nil {
		return err
	}
	r.step("snapshot read")
	if r.Pack != nil && !(r.PackOnce && r.streams()) { // rows that go elsewhere take no room
		if err := r.checkRoom(); err != nil {
			return err
		}
	}
	r.Progress.SetPhase("dumping")
	if r.streams() {
		err = r.stream(ctx, s, g, sizes)
	} else {
		err = r.inSnapshot(ctx, s, g, sizes)
	}
	if errors.Is(err, ErrLockedOut) {
		r.nameBlocked(ctx, s)
	}
	return err
}

// inSnapshot runs the dump of the database and the copy of the filestore side by side, and
// watches the sessions while they do.
func (r *run) inSnapshot(ctx context.Context, s *server.Session, g *guard, sizes relations) error {
	watched, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	work, wctx := errgroup.WithContext(watched)
	digest := newDigester(r.archiveDir())
	began := time.Now()
	dumping, dumped := context.WithCancel(wctx)
	work.Go(func() error { return s.Watch(dumping, watchInterval) })
	work.Go(func() error { return digest.follow(dumping) })
	work.Go(func() error {
		defer dumped()
		if err := r.dumpDatabase(wctx, s, sizes, digest); err != nil {
			return err
		}
		if err := stillHeld(wctx, s); err != nil {
			return err
		}
		dumped()
		s.Close() // ends the snapshot: nothing needs it any more
		r.report.Seconds.Database = time.Since(began).Seconds()
		return nil
	})
	work.Go(func() error {
		if r.Filestore == "" {
			return nil
		}
		if err := r.takeFilestore(wctx, g); err != nil {
			return err
		}
		if r.Pack == nil { // copied files need no guard any more
			g.release()
		}
		r.report.Seconds.Filestore = time.Since(began).Seconds()
		return nil
	})
	if err := work.Wait(); err != nil {
		return err
	}
	if err := r.describeArchive(ctx, digest); err != nil || r.Pack == nil {
		return err
	}
	r.step("archive made")
	return r.pack(ctx, g)
}

// stillHeld finds out whether the snapshot's transaction, and with it the locks on
// all tables, lasted until now: it may have been lost since the watch last looked.
func stillHeld(ctx context.Context, s *server.Session) error {
	if err := s.Exec(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("session that held the snapshot lost: %w", err)
	}
	return nil
}

// takeFilestore copies the filestore, or looks at it where it is.
func (r *run) takeFilestore(ctx context.Context, g *guard) error {
	switch {
	case r.Pack == nil:
		return r.copyFilestore(ctx, g)
	case r.Strict: // better known before the work than after it
		return r.checkLive(ctx, g, nil)
	}
	return nil
}

// dumpDatabase writes the archive. It returns once everything that read the
// database for it is gone.
func (r *run) dumpDatabase(ctx context.Context, s *server.Session, sizes relations, dg *digester) error {
	if r.Engine == EngineDirect {
		return r.direct(ctx, s, sizes, dg)
	}
	stop := r.pollCopies(ctx)
	defer stop()
	return r.pgDump(ctx, sizes, dg)
}

// copyFilestore copies the files and checks them against the snapshot's list.
func (r *run) copyFilestore(ctx context.Context, g *guard) error {
	counters := &filestore.Counters{}
	stop := r.pollFiles(ctx, counters)
	defer stop()
	if err := r.linkPrevious(ctx); err != nil {
		return err
	}
	result, err := filestore.Copy(ctx, filestore.Options{
		Source: r.Filestore, Target: r.storeDir(), Jobs: r.Jobs, Counters: counters, Verification: r.verification,
	})
	if err != nil {
		return fmt.Errorf("copy the filestore: %w", err)
	}
	r.step("filestore copied")
	list, err := os.Open(r.spoolFile())
	if err != nil {
		return err
	}
	defer list.Close()
	check, err := filestore.Check(ctx, list, filestore.CheckOptions{
		Dir: r.storeDir(), Source: r.Filestore, Jobs: r.Jobs, Verification: r.verification, Suspects: result.Changing,
	})
	if err == nil {
		err = r.dropUnnamed(&result, check.Unnamed)
	}
	if err != nil {
		return fmt.Errorf("check the filestore: %w", err)
	}
	g.confirm(ctx, r.warn)
	r.noteFiles(check)
	r.elsewhere = check.Elsewhere
	r.record.Filestore = filestoreRecord(result, check, g.State())
	r.record.Filestore.SHA1 = r.sha1Record()
	return os.Remove(r.spoolFile())
}

// dropUnnamed takes files out of the copy that were being written while they were
// copied, and that the snapshot does not name: under the name of the whole file Odoo
// would take the part for it when it is uploaded again.
func (r *run) dropUnnamed(copied *filestore.Result, paths []string) error {
	bytes, err := filestore.Drop(r.storeDir(), paths)
	if err != nil || len(paths) == 0 {
		return err
	}
	copied.Files, copied.Bytes = copied.Files-int64(len(paths)), copied.Bytes-bytes
	r.warn("%d files that were being written while they were copied are left out; the snapshot names none of them", len(paths))
	return nil
}

// explainLock adds what to do to an error of the locking step.
func (r *run) explainLock(err error) error {
	if server.SQLState(err) == "55P03" {
		return fmt.Errorf("%w: a table stayed locked by somebody for %s", err, r.LockWait)
	}
	return err
}

// nameBlocked warns of who waits for our locks, so that the user learns which
// statement locked pg_dump out.
func (r *run) nameBlocked(ctx context.Context, s *server.Session) {
	var who []string
	err := s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT format('pid %s of %s: %s', pid, usename, left(query, 200))
			FROM pg_catalog.pg_stat_activity
			WHERE pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids(pid)) ORDER BY pid LIMIT 3`)
		if err != nil {
			return err
		}
		who, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err == nil && len(who) > 0 {
		r.warn("waiting for a lock that a dump excludes: %s", strings.Join(who, "; "))
	}
}
