package retention

import (
	"context"
	"errors"
	"fmt"
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
	if err := Decide(backups, o.Policy); err != nil {
		return nil, err
	}
	r := &Report{Folder: o.Folder, DryRun: o.DryRun, Policy: o.Policy, Backups: backups, Left: left}
	if o.DryRun {
		return r, nil
	}
	return r, r.remove(ctx, o.Removed)
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
