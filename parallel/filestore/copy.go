package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const (
	batchSize = 16        // names handed to a worker at once
	pieceSize = 8 << 20   // bytes copied between two looks at the context
	bufSize   = 256 << 10 // for copies that pass through this process
	maxDepth  = 64        // folders in folders; each level holds two descriptors
)

// Copy copies a filestore. The source is not altered. Symbolic links are
// copied as links if they stay inside the tree, and reported otherwise.
//
// What cannot be read is counted and listed in the result; the rest is copied.
// What cannot be written ends the copy at once with an error that names the
// file; the caller then removes the target. Ending the context ends the copy
// within a few MiB per worker, unless the file system itself hangs, with
// context.Cause.
//
// If the target holds files of the same size and time they are taken as
// copied: Copy may be repeated after it was interrupted.
func Copy(ctx context.Context, o Options) (Result, error) {
	c, root, err := newCopier(o)
	if err != nil {
		return Result{}, err
	}
	defer c.links.Close()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(c.work)
		return c.walk(gctx, root, 0)
	})
	for range max(o.Jobs, 1) {
		g.Go(func() error { return c.serve(gctx) })
	}
	err = g.Wait()
	for b := range c.work { // what no worker took after an error
		err = errors.Join(err, b.pair.release(false))
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return c.result(), err
}

// copier is what walker and workers share.
type copier struct {
	Options
	work     chan batch
	links    *os.Root    // the source, to find out where links lead
	plain    atomic.Bool // copy_file_range does not work here
	problems firsts[Problem]

	cannotLink atomic.Bool // the target is on another file system
	unlinked   firsts[Problem]
	differing  firsts[string]
	changing   firsts[string]

	files, bytes, folders, linked, present, vanished, changed, unread, skipped atomic.Int64
	hardLinked, notLinked, same, differ                                        atomic.Int64
}

// batch is some files of one folder.
type batch struct {
	pair    *pair
	entries []entry
}

// setup fills in what the options leave open.
func setup(o Options) *copier {
	if o.Counters == nil {
		o.Counters = &Counters{}
	}
	if o.Permissions == nil {
		o.Permissions = alone
	}
	if o.MaxNames == 0 {
		o.MaxNames = DefaultMaxNames
	}
	c := &copier{Options: o, work: make(chan batch, max(o.Jobs, 1))}
	c.problems.n = o.MaxNames
	byPath := func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) }
	c.problems.compare = byPath
	c.unlinked.n, c.unlinked.compare = 1, byPath
	c.differing.n, c.differing.compare = o.MaxNames, cmp.Compare[string]
	c.changing.n, c.changing.compare = o.MaxNames, cmp.Compare[string]
	return c
}

// newCopier opens both folders, making the target.
func newCopier(o Options) (*copier, *pair, error) {
	c := setup(o)
	if err := refuseInside(o.Source, o.Target); err != nil {
		return nil, nil, err
	}
	src, err := openFolder(o.Source)
	if err != nil {
		return nil, nil, err
	}
	if err := os.Mkdir(o.Target, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		src.close()
		return nil, nil, err
	}
	dst, err := openFolder(o.Target)
	if err != nil {
		src.close()
		return nil, nil, err
	}
	p := newPair(src, dst, "", c.Permissions)
	if c.links, err = os.OpenRoot(o.Source); err != nil {
		return nil, nil, errors.Join(err, p.release(false))
	}
	return c, p, nil
}

// refuseInside refuses a target in the source, which would be copied into
// itself, and one around it, whose copied files could take the place of the
// source's.
func refuseInside(source, target string) error {
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	inside, err := isInside(target, source)
	if err == nil && inside {
		return fmt.Errorf("%s is inside of %s, which is to be copied", target, source)
	}
	if err != nil {
		return err
	}
	if inside, err = isInside(source, target); err == nil && inside {
		return fmt.Errorf("%s, which is to be copied, is inside of %s", source, target)
	}
	return err
}

// isInside tells whether path is the folder dir or lies below it, wherever
// links on the way lead. What does not exist counts by its name.
func isInside(path, dir string) (bool, error) {
	folder, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	for {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return isBelow(real, folder), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) == path {
			return false, err
		}
		path = filepath.Dir(path)
	}
}

// isBelow is isInside for a path without links.
func isBelow(path string, folder fs.FileInfo) bool {
	for ; ; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err == nil && os.SameFile(folder, info) {
			return true
		}
		if filepath.Dir(path) == path {
			return false
		}
	}
}

// serve is one worker.
func (c *copier) serve(ctx context.Context) error {
	w := worker{copier: c}
	for b := range c.work {
		if err := w.batch(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) result() Result {
	return Result{
		Files: c.files.Load(), Bytes: c.bytes.Load(), Folders: c.folders.Load(), Links: c.linked.Load(),
		Present: c.present.Load(), Vanished: c.vanished.Load(), Changed: c.changed.Load(), Changing: c.changing.list(),
		Unread: c.unread.Load(), Skipped: c.skipped.Load(), Problems: c.problems.list(),
		HardLinked: c.hardLinked.Load(), NotLinked: c.notLinked.Load(), WhyNotLinked: c.unlinked.list(),
		Same: c.same.Load(), Differ: c.differ.Load(), Differing: c.differing.list(),
	}
}

// missed notes that something in the source could not be read. What has
// vanished is no problem: the list of attachments decides.
func (c *copier) missed(path string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		c.vanished.Add(1)
		return
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = fmt.Errorf("%s: %w", p.Op, p.Err)
	}
	c.unread.Add(1)
	c.problems.add(Problem{Path: path, Err: err})
}

// skip notes that something in the source is left out.
func (c *copier) skip(path string, err error) {
	c.skipped.Add(1)
	c.problems.add(Problem{Path: path, Err: err})
}
