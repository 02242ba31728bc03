package restore

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/filestore"
	"odx/parallel/odoo"
	"odx/parallel/server"
)

// finish does, in the loaded database, what Odoo's own restore does.
func (r *run) finish(ctx context.Context) error {
	r.Progress.SetPhase("finishing")
	began := time.Now()
	info, err := r.inspect(ctx)
	if err != nil {
		return err
	}
	if info.IsOdoo {
		r.report.Series = info.Series.String()
		if r.isReset() { // by the run that is resumed
			r.warn("identity, neutralization and the like were done by the run that is resumed")
		} else if err := r.finishOdoo(ctx, info); err != nil {
			return err
		}
	}
	r.report.Seconds.Finish = time.Since(began).Seconds()
	if info.IsOdoo && r.files != nil {
		if err := r.checkFiles(ctx, info); err != nil {
			return err
		}
	}
	if r.Analyze {
		r.Progress.SetPhase("analyzing")
		began = time.Now()
		if err := r.analyze(ctx); err != nil {
			return err
		}
		r.report.Seconds.Analyze = time.Since(began).Seconds()
	}
	return nil
}

func (r *run) inspect(ctx context.Context) (info odoo.Info, err error) {
	err = r.session.Do(func(c *pgx.Conn) error {
		info, err = odoo.Inspect(ctx, c)
		return err
	})
	if err != nil {
		return info, fmt.Errorf("read Odoo's modules: %w", err)
	}
	return info, nil
}

func (r *run) finishOdoo(ctx context.Context, info odoo.Info) error {
	if err := r.addOdoosOwn(ctx, info); err != nil {
		return err
	}
	return r.session.Do(func(c *pgx.Conn) error {
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) (err error) {
			if r.Copy {
				if r.report.Reset, err = odoo.ResetCopy(ctx, tx, r.HTTPPort); err != nil {
					return fmt.Errorf("reset the copy's parameters: %w", err)
				}
			}
			if r.Subscription {
				done, err := odoo.ResetSubscription(ctx, tx)
				if err != nil {
					return fmt.Errorf("reset the subscription: %w", err)
				}
				r.report.Reset = append(r.report.Reset, done...)
			}
			if err := r.neutralize(ctx, tx, info); err != nil || r.keeping.journal == nil {
				return err
			}
			return noteIn(ctx, tx, resetDone)
		})
	})
}

func (r *run) neutralize(ctx context.Context, tx pgx.Tx, info odoo.Info) error {
	if !r.Neutralize {
		return nil
	}
	report, err := odoo.Neutralize(ctx, tx, info, r.Addons)
	if err != nil {
		return fmt.Errorf("neutralize: %w", err)
	}
	r.report.Neutralize = &report
	for _, w := range report.Warnings {
		r.warn("neutralize: %s", w)
	}
	return nil
}

// isReset tells whether an earlier run has done what finishOdoo does.
func (r *run) isReset() bool {
	if !r.keeping.resumed {
		return false
	}
	return r.keeping.record.Stage == StageLast || r.keeping.journal.has(resetDone.round, resetDone.entry)
}

// addOdoosOwn adds what Odoo's restore of that version adds to every database.
// It is done as the connecting role: some of it the owner may not do.
func (r *run) addOdoosOwn(ctx context.Context, info odoo.Info) error {
	s, err := r.Server.Open(ctx, r.target.temp, r.application())
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Do(func(c *pgx.Conn) error {
		for _, a := range odoo.Additions(info.Series, r.Unaccent) {
			if a.GrantsOnPublic && r.publicACL {
				continue // the archive's own grants are not widened
			}
			did, err := a.Apply(ctx, c)
			switch {
			case err != nil && server.SQLState(err) == "":
				return err
			case err != nil:
				r.warn("Odoo's restore would add %s, which the server refused: %v", a.Name, err)
			case did:
				r.added(a.Name)
			}
		}
		return nil
	})
}

// checkFiles compares the attachments of the new database with the copied
// files.
func (r *run) checkFiles(ctx context.Context, info odoo.Info) error {
	r.Progress.SetPhase("checking the filestore")
	check, err := filestore.CheckQuery(ctx, func(w io.Writer) error {
		return r.session.Do(func(c *pgx.Conn) error {
			_, err := c.PgConn().CopyTo(ctx, w, "COPY ("+odoo.AttachmentsQuery(info)+") TO STDOUT")
			return err
		})
	}, filestore.CheckOptions{Dir: r.files.Path(), Jobs: r.Jobs})
	if err != nil {
		return fmt.Errorf("check the filestore: %w", err)
	}
	f := r.report.Files
	f.Named, f.Missing, f.Damaged = check.Named, check.Missing, check.Damaged
	f.Lost = append(check.Names(), f.Lost...)
	return nil
}
