package filestore

import (
	"slices"
	"sync"
)

// firsts collects the first n items in an order, whatever the order in which
// they come, so that results do not depend on the number of jobs. It holds no
// more than twice as many.
type firsts[T any] struct {
	n       int
	compare func(a, b T) int

	mu    sync.Mutex
	items []T
}

func (f *firsts[T]) add(item T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = append(f.items, item)
	if len(f.items) >= 2*f.n {
		f.cut()
	}
}

func (f *firsts[T]) cut() {
	slices.SortFunc(f.items, f.compare)
	f.items = f.items[:min(len(f.items), f.n)]
}

// list gives the items in order.
func (f *firsts[T]) list() []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut()
	return slices.Clone(f.items)
}
