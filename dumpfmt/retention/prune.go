package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"odx/dumpfmt"
)

// Options say what is pruned, and how.
type Options struct {
	Folder  string
	Policy  Policy
	DryRun  bool          // only tell
	Now     time.Time     // no backup may be after it; zero: the present
	Removed func(*Backup) // called after each that was removed; may be nil
}

// Report says what was kept and what became of the rest.
type Report struct {
	Folder  string   `json:"folder"`
	DryRun  bool     `json:"dry_run"`
	Policy  Policy   `json:"keep"`
	Backups []Backup `json:"backups"` // by kind, the newest first
	Left    []Left   `json:"left"`    // what looks like a backup and is left alone
}

// Count gives the numbers of backups that are kept, and of those that are not.
func (r *Report) Count() (kept, others int) {
	for i := range r.Backups {
		if len(r.Backups[i].Keep) > 0 {
			kept++
		} else {
			others++
		}
	}
	return kept, others
}

// Prune removes the backups in a folder that the policy does not keep, the
// oldest first. One that somebody uses is left, and said so. If one cannot be
// removed the others are, and the error says which; the report is there then
// too. The context is looked at between backups; one that is being removed is
// removed whole.
func Prune(ctx context.Context, o Options) (*Report, error) {
	if err := o.Policy.check(); err != nil {
		return nil, err
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	backups, left, err := Scan(ctx, o.Folder, o.Now)
	if err != nil {
		return nil, err
	}
	r := &Report{Folder: o.Folder, DryRun: o.DryRun, Policy: o.Policy, Backups: backups, Left: left}
	if err := r.decide(ctx); err != nil {
		return nil, err
	}
	if o.DryRun {
		return r, nil
	}
	return r, r.remove(ctx, o.Removed)
}

// decide says what is kept. Where others are to go for a backup, all of its files have
// to be there: it may be a copy that was cut off, or is still being made. To count
// them takes a while, so it is done for those alone.
func (r *Report) decide(ctx context.Context) error {
	counted := map[string]bool{}
	for {
		if err := Decide(r.Backups, r.Policy); err != nil {
			return err
		}
		i := slices.IndexFunc(r.Backups, func(b Backup) bool {
			return len(b.Keep) > 0 && b.files > 0 && !counted[b.Path] && r.isOutlived(&b)
		})
		if i < 0 {
			return nil
		}
		b := &r.Backups[i]
		counted[b.Path] = true
		switch err := b.wantFiles(ctx); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.Left = append(r.Left, Left{Path: b.Path, Reason: err.Error()})
			r.Backups = slices.Delete(r.Backups, i, i+1)
		}
	}
}

// isOutlived tells whether another backup of the same kind is to go.
func (r *Report) isOutlived(b *Backup) bool {
	return slices.ContainsFunc(r.Backups, func(other Backup) bool {
		return len(other.Keep) == 0 && slices.Equal(other.kind(), b.kind())
	})
}

// remove removes what is not kept.
func (r *Report) remove(ctx context.Context, removed func(*Backup)) error {
	var errs []error
	for i := len(r.Backups) - 1; i >= 0; i-- {
		b := &r.Backups[i]
		if len(b.Keep) > 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		switch err := dumpfmt.Discard(b.Path, b.info); {
		case errors.Is(err, dumpfmt.ErrInUse):
			r.Left = append(r.Left, Left{Path: b.Path, Reason: dumpfmt.ErrInUse.Error()})
		case err != nil:
			errs = append(errs, fmt.Errorf("remove %s: %w", b.Path, err))
		default:
			b.Removed = true
			if removed != nil {
				removed(b)
			}
		}
	}
	if len(errs) > dumpfmt.MaxJoined {
		more := len(errs) - dumpfmt.MaxJoined
		errs = append(errs[:dumpfmt.MaxJoined], fmt.Errorf("%d more could not be removed", more))
	}
	return errors.Join(errs...)
}
