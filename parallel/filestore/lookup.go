package filestore

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"odx/dumpfmt"
)

// checker is what the workers of a check share.
type checker struct {
	CheckOptions
	root *os.Root // the copy, to follow links in it
	copy *copier  // for second attempts
	lost firsts[Loss]

	absent, wrong map[string]bool         // paths
	suspects      map[string]*atomic.Bool // paths; whether the list names them

	named, elsewhere, recovered, missing, damaged, otherSize atomic.Int64
}

func newChecker(o CheckOptions) (*checker, error) {
	if o.MaxNames == 0 {
		o.MaxNames = DefaultMaxNames
	}
	c := &checker{CheckOptions: o}
	c.lost.n = o.MaxNames
	c.lost.compare = func(a, b Loss) int { return cmp.Compare(a.row, b.row) }
	c.copy = setup(Options{Source: o.Source, Target: o.Dir, Permissions: o.Permissions, Verification: o.Verification, MaxNames: 1})
	c.absent = setOf(o.Absent)
	if o.Verification != nil {
		_, wrong := o.Verification.Wrong()
		c.wrong = setOf(wrong)
	}
	c.suspects = make(map[string]*atomic.Bool, len(o.Suspects))
	for _, p := range o.Suspects {
		c.suspects[p] = &atomic.Bool{}
	}
	var err error
	c.root, err = os.OpenRoot(o.Dir)
	return c, err
}

func setOf(paths []string) map[string]bool {
	set := make(map[string]bool, len(paths))
	for _, p := range paths {
		set[filepath.ToSlash(p)] = true
	}
	return set
}

// unnamed lists the suspects that the list did not name.
func (c *checker) unnamed() (paths []string) {
	for p, named := range c.suspects {
		if !named.Load() {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// isAbsent tells whether a path, or a folder that it is in, does not count.
func (c *checker) isAbsent(rel string) bool {
	for ; len(c.absent) > 0 && rel != "."; rel = path.Dir(rel) {
		if c.absent[rel] {
			return true
		}
	}
	return false
}

// serve is one worker.
func (c *checker) serve(ctx context.Context, work <-chan []attachment) error {
	l := lookup{checker: c, files: worker{copier: c.copy}}
	defer l.leave()
	for batch := range work {
		for _, a := range batch {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := l.check(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookup is a worker of a check. It keeps the folder of the last file open.
type lookup struct {
	*checker
	dir   *folder
	rel   string // of dir, with a slash at the end; "" for the filestore itself
	files worker
	buf   []byte // for content
}

// check looks up one attachment.
func (l *lookup) check(ctx context.Context, a attachment) error {
	paths := dumpfmt.StorePaths(a.fname)
	if paths == nil {
		if a.fname != "" {
			l.elsewhere.Add(1)
		}
		return nil
	}
	l.named.Add(1)
	for _, rel := range paths {
		if named := l.suspects[rel]; named != nil {
			named.Store(true)
		}
	}
	got, err := first(paths, l.size)
	want, differs := a.differs(got)
	if err == nil && !differs && slices.ContainsFunc(paths, func(rel string) bool { return l.wrong[rel] }) {
		l.damaged.Add(1)
		l.lost.add(Loss{StoreFname: a.fname, Want: want, Got: got, WrongSHA1: true, row: a.row})
		return nil
	}
	if err != nil || !differs {
		return err
	}
	if sound, err := l.isSound(ctx, paths); err != nil {
		return err
	} else if sound {
		l.otherSize.Add(1)
		return nil
	}
	if l.Source != "" {
		got, err = first(paths, func(rel string) (int64, error) { return l.again(ctx, rel) })
		if err != nil {
			return err
		}
		if want, differs = a.differs(got); !differs {
			l.recovered.Add(1)
			return nil
		}
	}
	if got < 0 {
		l.missing.Add(1)
	} else {
		l.damaged.Add(1)
	}
	l.lost.add(Loss{StoreFname: a.fname, Want: want, Got: got, row: a.row})
	return nil
}

// isSound tells whether the first of the paths that is a file has the content that
// its name is the SHA-1 of.
func (l *lookup) isSound(ctx context.Context, paths []string) (bool, error) {
	for _, rel := range paths {
		if got, err := l.size(rel); err != nil {
			return false, err
		} else if got < 0 {
			continue
		}
		if !dumpfmt.IsHashPath(rel) {
			return false, nil
		}
		if l.buf == nil {
			l.buf = make([]byte, bufSize)
		}
		return isSound(ctx, l.root, filepath.FromSlash(rel), l.buf)
	}
	return false, nil
}

// first gives the size of the first of the paths that names a file, -1 if none
// does.
func first(paths []string, size func(rel string) (int64, error)) (got int64, err error) {
	for _, rel := range paths {
		if got, err = size(rel); got >= 0 || err != nil {
			return got, err
		}
	}
	return -1, nil
}

// size gives the size of a file in the copy, -1 if there is no such file.
func (l *lookup) size(rel string) (int64, error) {
	if l.isAbsent(rel) {
		return -1, nil
	}
	dir, name := path.Split(rel)
	err := l.enter(dir)
	if err == nil {
		var m meta
		if m, err = l.dir.stat(name); err == nil && m.kind == kindFile {
			return m.size, nil
		}
	}
	if err != nil && !noSuchFile(err) {
		return -1, err
	}
	// There may be a link on the way, of those that stay inside.
	info, err := l.root.Stat(filepath.FromSlash(rel))
	if err != nil || !info.Mode().IsRegular() {
		return -1, nil
	}
	return info.Size(), nil
}

// noSuchFile tells whether the error means that the path names no file, and is
// not a failure to find that out.
func noSuchFile(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENAMETOOLONG)
}

// enter opens a folder of the copy, unless it is open.
func (l *lookup) enter(rel string) error {
	if l.dir != nil && l.rel == rel {
		return nil
	}
	l.leave()
	dir, err := openFolder(l.Dir)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(rel, "/"), "/") {
		if name == "" {
			break
		}
		next, err := dir.folder(name)
		dir.close()
		if err != nil {
			return err
		}
		dir = next
	}
	l.dir, l.rel = dir, rel
	return nil
}

func (l *lookup) leave() {
	if l.dir != nil {
		l.dir.close()
		l.dir = nil
	}
}

// again tries once more to copy a file and gives the size it has then. Errors
// of the source are none here: the file just stays lost.
func (l *lookup) again(ctx context.Context, rel string) (int64, error) {
	src, err := openFolder(l.Source)
	if err != nil {
		return l.size(rel)
	}
	dst, err := openFolder(l.Dir)
	if err != nil {
		src.close()
		return -1, err
	}
	if err := l.files.one(ctx, newPair(src, dst, "", l.copy.Permissions), rel); err != nil {
		return -1, err
	}
	return l.size(rel)
}

// one copies the file at a path below a pair, which it releases.
func (w *worker) one(ctx context.Context, p *pair, rel string) (err error) {
	defer func() { err = errors.Join(err, p.release(err == nil)) }()
	name, rest, below := strings.Cut(rel, "/")
	if !below {
		return w.file(ctx, p, name)
	}
	sub, err := w.enter(p, name)
	if err != nil || sub == nil {
		return err
	}
	return w.one(ctx, sub, rest)
}
