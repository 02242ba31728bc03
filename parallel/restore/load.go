package restore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/parallel/server"
)

// loadBoth loads the database and copies the filestore at the same time.
func (r *run) loadBoth(ctx context.Context) (err error) {
	if err := refuseStrange(r.source.toc); err != nil {
		return err
	}
	r.properties = readProperties(r.source.toc)
	p := makePlan(r.source.toc)
	r.publicACL = p.publicACL && !r.NoPrivileges
	if err := r.createMissing(ctx); err != nil {
		return err
	}
	if err := r.restoreEarly(ctx); err != nil {
		return err
	}
	if err := r.prepareTarget(ctx, &p); err != nil {
		return err
	}
	if r.keeping.record.Stage == StageLoading {
		if err := r.beginJournal(ctx); err != nil {
			return err
		}
	}
	if r.source.script == nil || r.source.script.places != nil {
		r.sayLeftOut()
	}
	if r.work, err = dumpfmt.CreateScratch("", "restore"); err != nil {
		return err
	}
	r.Progress.SetPhase("restoring")
	r.Progress.Database.Start(sum(r.weights.data))
	r.Progress.Objects.Start(sum(r.weights.object))
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := r.loadDatabase(gctx, &p)
		r.report.Seconds.Load = time.Since(began).Seconds()
		return err
	})
	if r.files != nil {
		g.Go(func() error {
			err := r.copyFilestore(gctx)
			r.report.Seconds.Filestore = time.Since(began).Seconds()
			return err
		})
	}
	return g.Wait()
}

// loadDatabase loads all but what comes last.
func (r *run) loadDatabase(ctx context.Context, p *plan) error {
	if r.source.script != nil {
		return r.loadScript(ctx, p)
	}
	if len(r.mended) > 0 {
		r.without = map[pgarchive.DumpID]bool{}
		var err error
		if r.mendedTOC, err = r.writeTOC("mended", nil); err != nil {
			return fmt.Errorf("write the table of contents: %w", err)
		}
	}
	if r.keeping.record.Stage == StageLast {
		return nil // the run that is resumed has done it
	}
	stop := r.poll(ctx)
	defer stop()
	return r.load(ctx, false)
}

// prepareTarget opens the new database and makes in it what the owner may not.
func (r *run) prepareTarget(ctx context.Context, p *plan) error {
	s, err := r.Server.Open(ctx, r.target.temp, r.application())
	if err != nil {
		return err
	}
	defer s.Close()
	if err := r.createExtensions(ctx, s, p); err != nil {
		return err
	}
	if err := r.planRounds(ctx, s, p); err != nil {
		return err
	}
	r.session, err = r.openTarget(ctx)
	return err
}

// onlySuperuser is why an entry is left out that nobody who takes part may make.
const onlySuperuser = "only a superuser may restore it"

// planRounds decides who restores which entry when, and names what nobody may
// restore.
func (r *run) planRounds(ctx context.Context, s *server.Session, p *plan) error {
	toc := r.source.toc
	mappingsNeedServers(toc)
	r.report.LeftOut = nil // a script is planned twice
	r.report.LeftOut = append(r.report.LeftOut, p.refused...)
	if r.NoPrivileges {
		p.leavePrivileges(toc)
	}
	if err := r.mendRoles(ctx, p); err != nil {
		return err
	}
	if err := r.leaveUnaccent(toc, p); err != nil {
		return err
	}
	if err := r.leaveAbsent(ctx, s, p); err != nil {
		return err
	}
	if err := r.leaveLabels(ctx, s, p); err != nil {
		return err
	}
	who, err := findReserved(ctx, s, toc, r.target.owner)
	if err != nil {
		return err
	}
	if r.power == noSuperuser {
		names, err := p.leaveReserved(toc, who)
		if err != nil {
			return err
		}
		for _, name := range names {
			r.report.LeftOut = append(r.report.LeftOut, Omission{Entry: name, Reason: onlySuperuser})
			r.warnOnce("left out, %s: %s", onlySuperuser, name)
		}
	}
	r.rounds = rounds(toc, p.left, func(e *pgarchive.Entry) bool {
		return r.power == superuserConnecting && who.doer(e) != byOwner
	}, !r.knowsNeeds())
	if r.source.script == nil {
		r.rounds = apart(r.rounds, toc, r.mended)
	}
	r.report.Superuser = nil // a script is planned twice
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if r.power == superuserConnecting && !p.left[e.ID] && !isNote(e.Desc) && who.doer(e) == bySuperuser {
			r.report.Superuser = append(r.report.Superuser, e.Desc+" "+e.Tag)
		}
	}
	return nil
}

// loadLast restores what must not be there while odx works in the database.
func (r *run) loadLast(ctx context.Context) error {
	began := time.Now()
	err := r.load(ctx, true)
	r.report.Seconds.Load += time.Since(began).Seconds()
	return err
}

// openTarget opens a session in the new database as its owner.
func (r *run) openTarget(ctx context.Context) (*server.Session, error) {
	s, err := r.Server.Open(ctx, r.target.temp, r.application())
	if err != nil || r.role == "" {
		return s, err
	}
	if err := s.Exec(ctx, r.becomeOwner()); err != nil {
		s.Close()
		return nil, fmt.Errorf("become role %q: %w", r.role, err)
	}
	return s, nil
}

// load has pg_restore work through the rounds: the last ones, or those before.
func (r *run) load(ctx context.Context, last bool) error {
	for i, now := range r.rounds {
		now.entries = slices.DeleteFunc(slices.Clone(now.entries), func(id pgarchive.DumpID) bool { return r.without[id] })
		if now.last != last || len(now.entries) == 0 {
			continue
		}
		entries, inDoubt, err := r.remaining(ctx, i, now)
		if err != nil {
			return err
		}
		now.entries = entries
		if err := r.noting(ctx, i, func() error { return r.loadRound(ctx, i, now, inDoubt) }); err != nil {
			return err
		}
	}
	return nil
}

// noting writes into the journal that a round begins, what of it is finished, and
// that it is.
func (r *run) noting(ctx context.Context, i int, load func() error) error {
	j := r.keeping.journal
	if j == nil {
		return load()
	}
	j.add(i, roundBegun)
	if err := j.flush(ctx); err != nil {
		return err
	}
	stop := j.during(ctx)
	err := load()
	if err == nil {
		j.add(i, roundDone)
	}
	return errors.Join(err, stop())
}

// loadRound loads what is left of round i. If some of it may be there already
// (inDoubt), it is dropped before it is made.
func (r *run) loadRound(ctx context.Context, i int, now round, inDoubt bool) error {
	if len(now.entries) > 0 {
		path := filepath.Join(r.work.Path(), fmt.Sprintf("%s-%d.list", filepath.Base(r.source.dump), i))
		if err := writeList(path, now.entries); err != nil {
			return fmt.Errorf("write the list of entries: %w", err)
		}
		err := r.pgRestore(ctx, i, now, inDoubt, path)
		if err != nil && now.views && ctx.Err() == nil {
			err = r.loadViews(ctx, i, now, err)
		}
		if err != nil {
			return err
		}
	}
	if now.connecting {
		return r.handOver(ctx)
	}
	return nil
}
