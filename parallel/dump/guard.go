package dump

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"odx/parallel/odoo"
	"odx/parallel/server"
)

const (
	// guardLockWait bounds the wait for the guard's own lock.
	guardLockWait = 15 * time.Second
	// DefaultGuardPatience is how long somebody may wait behind the guard. Odoo's own
	// garbage collection gives up after 10 s; whoever waits longer would make
	// every writer of attachments wait behind it.
	DefaultGuardPatience = 15 * time.Second
)

// guard is a session that keeps Odoo's garbage collection of files away.
type guard struct {
	session  *server.Session
	patience time.Duration
	quit     context.CancelFunc // ends the watch; nil if there is none
	mu       sync.Mutex
	state    string
}

// Guard states as they stand in the record.
const (
	guardHeld = "held"
	guardOff  = "off"
)

// takeGuard locks ir_attachment. Where the lock cannot be had, the guard's
// state says why, and the dump goes on without.
func (r *run) takeGuard(ctx context.Context, info odoo.Info, standby bool) (*guard, error) {
	g := &guard{state: guardOff, patience: cmp.Or(r.GuardPatience, DefaultGuardPatience)}
	switch {
	case !r.GCGuard:
		return g, nil
	case standby:
		g.state = "not taken: the server is a standby"
		return g, nil
	case !info.IsOdoo:
		g.state = "not taken: the database is not Odoo's"
		return g, nil
	}
	s, err := r.Server.Open(ctx, r.Database, r.application())
	if err != nil {
		return nil, err
	}
	wait := guardLockWait
	if r.LockWait > 0 {
		wait = r.LockWait
	}
	err = s.Exec(ctx, fmt.Sprintf("BEGIN; SET LOCAL lock_timeout = %d; %s; SET LOCAL lock_timeout = 0",
		wait.Milliseconds(), odoo.GuardLock))
	switch server.SQLState(err) {
	case "": // taken, or the server is gone
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("guard the filestore: %w", err)
		}
		g.session, g.state = s, guardHeld
		return g, nil
	case "55P03":
		g.state = fmt.Sprintf("not taken: ir_attachment was locked by somebody for %s", wait)
	case "42501":
		g.state = "not taken: the role may not write ir_attachment"
	default:
		g.state = "not taken: " + err.Error()
	}
	s.Close()
	r.warn("the guard against Odoo's garbage collection of files was %s; files may vanish while they are copied", g.state)
	return g, nil
}

// State says what became of the guard.
func (g *guard) State() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}

// watch looks every second whether somebody waits behind the guard, and gives
// it up when that lasts too long. It ends with the context or the guard.
func (g *guard) watch(ctx context.Context, warn func(string, ...any)) {
	if g.session == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		waiters, err := g.waiters(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			g.end(fmt.Sprintf("lost: %v", err), warn)
			return
		case len(waiters) == 0:
			since = time.Time{}
			continue
		case since.IsZero():
			since = time.Now()
			continue
		case time.Since(since) < g.patience:
			continue
		}
		g.end(fmt.Sprintf("given up: %s waited behind it for %s", waiters[0], g.patience), warn)
		return
	}
}

// during watches the guard while a whole attempt is made: whoever waits behind it
// has waited since he came, whatever the dump went on to meanwhile. The guard is
// released after it, if it was not before.
func (g *guard) during(ctx context.Context, warn func(string, ...any), do func() error) error {
	watching, quit := context.WithCancel(ctx)
	g.quit = quit
	defer context.AfterFunc(ctx, g.release)() // before the work has ended: a write of it may never do
	var work errgroup.Group
	work.Go(func() error { g.watch(watching, warn); return nil })
	err := do()
	g.release()
	return errors.Join(err, work.Wait())
}

// confirm finds out at the end whether the guard was held all the time: it may
// have been lost since the watch last looked.
func (g *guard) confirm(ctx context.Context, warn func(string, ...any)) {
	if g.State() != guardHeld {
		return
	}
	if _, err := g.waiters(ctx); err != nil {
		g.end(fmt.Sprintf("lost: %v", err), warn)
	}
}

func (g *guard) waiters(ctx context.Context) (waiters []string, err error) {
	err = g.session.Do(func(c *pgx.Conn) error {
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), server.Patience)
		defer cancel()
		waiters, err = odoo.GuardWaiters(ask, c)
		return err
	})
	return waiters, err
}

// end gives the guard up, or notes that it is gone.
func (g *guard) end(state string, warn func(string, ...any)) {
	g.mu.Lock()
	g.state = state
	g.mu.Unlock()
	g.release()
	warn("the guard against Odoo's garbage collection of files was %s; the copied files are checked at the end", state)
}

// release ends the guard's session, and before it the watch, which would take
// that for a loss. It may be called more than once.
func (g *guard) release() {
	if g.quit != nil {
		g.quit()
	}
	if g.session != nil {
		g.session.Close()
	}
}
