package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
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
	if !info.IsOdoo {
		if err := r.refuseNeutralizing(); err != nil {
			return err
		}
	} else {
		r.report.Series = info.Series.String()
		if r.isReset() { // by the run that is resumed
			if r.keeping.otherAddons {
				return fmt.Errorf("the restore %s %w: it is neutralized already, by the modules of another --addons-path", r.Resume, ErrResume)
			}
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

// refuseNeutralizing says that what was asked for cannot be done: a copy that is
// taken for harmless must not be live.
func (r *run) refuseNeutralizing() error {
	if !r.Neutralize && !r.Subscription {
		return nil
	}
	return errors.New("--neutralize and --reset-subscription are for Odoo's databases, and the backup has no ir_module_module and ir_attachment in the schema public")
}

// hasOdoo tells whether a table of contents has what makes a database Odoo's.
func hasOdoo(toc *pgarchive.TOC) bool {
	return slices.ContainsFunc(toc.Entries, func(e pgarchive.Entry) bool {
		return e.Desc == pgarchive.DescTable && e.Namespace.String == "public" && e.Tag == "ir_module_module"
	})
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
	if r.keeping.otherAddons { // from now on these are those that it is neutralized by
		r.keeping.record.Options = r.keeping.options
		if err := r.target.note(ctx, &r.keeping.record); err != nil {
			return err
		}
	}
	return r.session.Do(func(c *pgx.Conn) error {
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) (err error) {
			if r.Copy {
				r.warnOfSame(info)
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
			if r.old.database {
				if err := odoo.Signal(ctx, tx); err != nil {
					r.warn("Odoo could not be told to look anew at the database: restart it (%v)", err)
				}
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
	}, r.checkOptions())
	if err != nil {
		return fmt.Errorf("check the filestore: %w", err)
	}
	if err := r.dropUnnamed(check.Unnamed); err != nil {
		return fmt.Errorf("check the filestore: %w", err)
	}
	f := r.report.Files
	f.Named, f.Missing, f.Damaged, f.Recovered = check.Named, check.Missing, check.Damaged, check.Recovered
	f.Lost = append(check.Names(), f.Lost...)
	if note := check.Note(); note != "" {
		r.warn("%s", note)
	}
	if check.Elsewhere > 0 && r.Copy {
		r.warn("%d attachments are in another storage (such as s3://), which this copy shares with the original: what is deleted in the copy may be deleted there, so give the copy a storage of its own", check.Elsewhere)
	}
	if f.Recovered > 0 {
		r.warn("%d files that the backup lacks, or has in another size, were taken from the filestore that is replaced", f.Recovered)
	}
	return nil
}

// dropUnnamed takes files out that were being written while they were copied, and that
// the database does not name: under the name of the whole file Odoo would take the part
// for it when it is uploaded again.
func (r *run) dropUnnamed(paths []string) error {
	bytes, err := filestore.Drop(r.files.Path(), paths)
	if err != nil || len(paths) == 0 {
		return err
	}
	f := r.report.Files
	f.Files, f.Bytes = f.Files-int64(len(paths)), f.Bytes-bytes
	r.warn("%d files that were being written while they were copied are left out; the database names none of them", len(paths))
	return nil
}

// checkOptions say how the copy is checked. A filestore that is to be replaced may
// have the only copy of a file that the backup lacks: names are those of content.
func (r *run) checkOptions() filestore.CheckOptions {
	o := filestore.CheckOptions{Dir: r.files.Path(), Jobs: r.Jobs, Suspects: r.changing}
	if r.old.files {
		o.Source, o.Permissions = r.Filestore, &r.give
	}
	return o
}
