package filestore

import (
	"sync/atomic"
	"time"
)

// pair is a folder of the source and its copy, both open. They are closed when
// the last of those that hold the pair releases it: the walker while it lists
// the folder, and each batch of its files.
type pair struct {
	src, dst *folder
	rel      string // path in the tree, with slashes; "" for its root
	perm     *Permissions
	holders  atomic.Int32
	failed   atomic.Bool
}

// newPair makes a pair with one holder.
func newPair(src, dst *folder, rel string, perm *Permissions) *pair {
	p := &pair{src: src, dst: dst, rel: rel, perm: perm}
	p.holders.Store(1)
	return p
}

func (p *pair) hold() { p.holders.Add(1) }

// release lets go of the pair. The last holder gives the copied folder its
// owner, mode and time, unless somebody has failed. The time comes last: it
// changes with each file that is made.
func (p *pair) release(ok bool) error {
	if !ok {
		p.failed.Store(true)
	}
	if p.holders.Add(-1) > 0 {
		return nil
	}
	defer p.src.close()
	defer p.dst.close()
	if p.failed.Load() {
		return nil
	}
	mtime, err := p.src.mtime()
	if err != nil {
		mtime = time.Now() // nobody can say any more
	}
	if err := p.dst.give(p.perm.UID, p.perm.GID, p.perm.DirMode); err != nil {
		return err
	}
	return p.dst.keepTime(".", mtime)
}

// join is the path in the tree of a name in the folder.
func (p *pair) join(name string) string {
	if p.rel == "" {
		return name
	}
	return p.rel + "/" + name
}
