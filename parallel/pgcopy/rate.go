package pgcopy

import (
	"context"
	"sync"
	"time"
)

// limiter spreads bytes over time. The zero rate is no limit.
type limiter struct {
	rate int64 // bytes a second

	mu   sync.Mutex
	free time.Time // when what was let through is paid for
}

func newLimiter(rate int64) *limiter { return &limiter{rate: rate} }

// wait returns once n more bytes may pass. Who comes after a pause gains
// nothing from it.
func (l *limiter) wait(ctx context.Context, n int) error {
	if l.rate <= 0 {
		return nil
	}
	until := l.reserve(time.Now(), n)
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// reserve gives the time at which n bytes that are asked for now may pass.
func (l *limiter) reserve(now time.Time, n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / float64(l.rate) * float64(time.Second)))
	return l.free
}
