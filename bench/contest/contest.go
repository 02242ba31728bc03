package contest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"odx/bench/measure"
)

// Plan says what is measured.
type Plan struct {
	Datasets []Dataset
	Rounds   int
	Jobs     []int    // numbers of jobs, for peers that take one
	Short    bool     // only the peers of a short run
	Only     []string // only peers with one of these texts in "job: name"; all if there are none
	Until    time.Time
	Dir      string       // where data and server are made, and what peers write
	Say      func(string) // called with what is being done; must not be nil
}

// Book keeps what was measured, and knows what was measured before. Each of its
// methods keeps it for good before it returns.
type Book interface {
	Has(data, job, peer string, jobs, round int) bool
	HasLimits(data string, round int) bool
	AddData(d Data) error
	AddRun(d Data, p Peer, jobs, round int, u measure.Usage) error
	AddLimits(l Limits) error
}

// ErrTime is returned when Until was reached before all was measured. A further
// run with the same book goes on from there.
var ErrTime = errors.New("the time is up before everything was measured")

// Run measures what the plan says and the book does not have.
func Run(ctx context.Context, tools *Tools, plan Plan, book Book) error {
	for _, d := range plan.Datasets {
		if plan.isDone(d, book) {
			continue
		}
		if err := plan.measure(ctx, tools, d, book); err != nil {
			return fmt.Errorf("%s: %w", d.Name(), err)
		}
	}
	return nil
}

// entry is one run to be made.
type entry struct {
	peer Peer
	jobs int // 0 for a peer that takes none
}

// entries lists the runs of a round.
func (plan Plan) entries() []entry {
	var all []entry
	for _, p := range Peers() {
		switch {
		case plan.Short && !p.Short, len(plan.Only) > 0 && !slices.ContainsFunc(plan.Only, p.has):
		case !p.Parallel:
			all = append(all, entry{p, 0})
		case p.Aside:
			all = append(all, entry{p, plan.mainJobs()})
		default:
			for _, n := range plan.Jobs {
				all = append(all, entry{p, n})
			}
		}
	}
	return all
}

// mainJobs is the number of jobs at which peers are compared: the most of the plan
// that there are cores for, else the least.
func (plan Plan) mainJobs() int {
	jobs := slices.Sorted(slices.Values(plan.Jobs))
	best := jobs[0]
	for _, n := range jobs {
		if n <= runtime.NumCPU() {
			best = n
		}
	}
	return best
}

// Unknown returns the first text of Only that no peer has, "" if there is none.
func (plan Plan) Unknown() string {
	for _, text := range plan.Only {
		if !slices.ContainsFunc(Peers(), func(p Peer) bool { return p.has(text) }) {
			return text
		}
	}
	return ""
}

func (plan Plan) isDone(d Dataset, book Book) bool {
	for round := range plan.Rounds {
		if !book.HasLimits(d.Name(), round) || slices.ContainsFunc(plan.entries(), func(e entry) bool {
			// What pg_dump cannot do here is not missed.
			return e.peer.Compress == "" && !book.Has(d.Name(), e.peer.Job, e.peer.Name, e.jobs, round)
		}) {
			return false
		}
	}
	return true
}

// measure makes one dataset and measures it, round by round, so that peers
// alternate and what they are held against is of the same minutes.
func (plan Plan) measure(ctx context.Context, tools *Tools, d Dataset, book Book) (err error) {
	plan.Say("make data: " + d.Name())
	s, err := Open(ctx, tools, plan.Dir, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := book.AddData(s.Data); err != nil {
		return err
	}
	can := map[string]bool{}
	for _, p := range Peers() {
		if can[p.Compress], err = s.compresses(ctx, p.Compress); err != nil {
			return err
		}
	}
	for round := range plan.Rounds {
		if err := plan.measureRound(ctx, s, round, can, book); err != nil {
			return err
		}
	}
	return nil
}

// measureRound measures one round of the peers whose compression there is, and
// then what bounds them.
func (plan Plan) measureRound(ctx context.Context, s *Stage, round int, can map[string]bool, book Book) error {
	name := s.Data.Name
	for _, e := range plan.entries() {
		if !can[e.peer.Compress] || book.Has(name, e.peer.Job, e.peer.Name, e.jobs, round) {
			continue
		}
		if err := plan.isLate(); err != nil {
			return err
		}
		plan.Say(fmt.Sprintf("%s, round %d: %s, jobs %d", name, round+1, e.peer, e.jobs))
		u, err := s.Run(ctx, e.peer, max(e.jobs, 1))
		if err != nil {
			return err
		}
		if err := book.AddRun(s.Data, e.peer, e.jobs, round, u); err != nil {
			return err
		}
	}
	if book.HasLimits(name, round) {
		return nil
	}
	if err := plan.isLate(); err != nil {
		return err
	}
	plan.Say(fmt.Sprintf("%s, round %d: limits", name, round+1))
	l, err := s.Limits(ctx, slices.Compact(slices.Sorted(slices.Values(plan.Jobs))), round)
	if err != nil {
		return err
	}
	return book.AddLimits(l)
}

func (plan Plan) isLate() error {
	if !plan.Until.IsZero() && time.Now().After(plan.Until) {
		return ErrTime
	}
	return nil
}
