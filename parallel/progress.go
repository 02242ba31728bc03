package parallel

import (
	"context"
	"sync/atomic"
	"time"
)

// Progress is what a running dump or restore shows of itself. Workers add,
// anyone may read at any time; nothing blocks. The zero value is ready.
type Progress struct {
	Database Meter // bytes: table sizes in a dump, data file sizes in a restore
	Objects  Meter // indexes, keys and other objects after the data (restore)
	Files    Meter // bytes of the filestore
	phase    atomic.Pointer[string]
}

// SetPhase names what is being done now, for people.
func (p *Progress) SetPhase(name string) { p.phase.Store(&name) }

// Phase returns what is being done now.
func (p *Progress) Phase() string {
	if s := p.phase.Load(); s != nil {
		return *s
	}
	return ""
}

// Meter counts work done against a total that may become known, or grow, only
// while the work goes on.
type Meter struct {
	done, extra, total, items atomic.Int64
}

// Add counts n more units as done for good.
func (m *Meter) Add(n int64) { m.done.Add(n) }

// Item counts one more finished item: a table, a file, an index.
func (m *Meter) Item() { m.items.Add(1) }

// SetExtra says how much of the items under way is done. It replaces the last
// such figure, and is an estimate.
func (m *Meter) SetExtra(n int64) { m.extra.Store(n) }

// Start sets the expected total and counts from zero.
func (m *Meter) Start(total int64) {
	m.Set(0, 0)
	m.extra.Store(0)
	m.total.Store(total)
}

// SetTotal sets the expected total.
func (m *Meter) SetTotal(n int64) { m.total.Store(n) }

// Set replaces the figures by those of another counter.
func (m *Meter) Set(done, items int64) {
	m.done.Store(done)
	m.items.Store(items)
}

// Read returns what is done, never more than a known total, the total (0 if
// unknown) and the number of finished items.
func (m *Meter) Read() (done, total, items int64) {
	total = m.total.Load()
	done = m.done.Load() + m.extra.Load()
	if total > 0 {
		done = min(done, total)
	}
	return done, total, m.items.Load()
}

// Every calls f at each interval from a goroutine of its own, until the
// returned function is called, which waits for the last call to end.
func Every(ctx context.Context, interval time.Duration, f func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				f()
			}
		}
	}()
	return func() { cancel(); <-ended }
}
