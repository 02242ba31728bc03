package odoozip

import (
	"context"
	"sync"
)

// A budget bounds the memory of what is on its way, in bytes. One goroutine
// takes, others give back.
type budget struct {
	mu    sync.Mutex
	free  int
	given chan struct{} // has one when something was given back
}

func newBudget(size int) *budget {
	return &budget{free: size, given: make(chan struct{}, 1)}
}

// take waits until n bytes are free. It returns why ctx has ended if it does so
// before.
func (b *budget) take(ctx context.Context, n int) error {
	for {
		b.mu.Lock()
		enough := b.free >= n
		if enough {
			b.free -= n
		}
		b.mu.Unlock()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if enough {
			return nil
		}
		select {
		case <-b.given:
		case <-ctx.Done():
		}
	}
}

func (b *budget) give(n int) {
	b.mu.Lock()
	b.free += n
	b.mu.Unlock()
	select {
	case b.given <- struct{}{}:
	default:
	}
}
