package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
)

// LinkOptions say which files of an earlier copy are taken over.
type LinkOptions struct {
	Source string // the filestore that is to be copied
	From   string // an earlier copy of it, whose files' SHA-1 were right
	Target string // made if missing; Copy completes it

	// Except are files of From that are not linked, by their paths with slashes.
	Except map[string]bool
	Jobs   int // at least 1
}

// Link makes hard links to files of an earlier copy, so that Copy finds them in
// the target and copies the rest. It links only files that the list names (see
// Check), with the SHA-1 as name: what the list does not name may still be being
// written. The file in From must have the size and time of the one in the source,
// the size in the list; it must also have the mode and owner that new files have in
// the target, because all names of a file share those. Other files, and
// those that the system lets nobody link (too many links, another owner), are
// left for Copy. The error matches syscall.EXDEV if From and Target are on different
// file systems.
func Link(ctx context.Context, list io.Reader, o LinkOptions) (LinkResult, error) {
	if err := os.Mkdir(o.Target, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return LinkResult{}, err
	}
	all := &linking{}
	if err := all.probe(o.Target); err != nil {
		return LinkResult{}, err
	}
	work := make(chan []attachment, max(o.Jobs, 1))
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		return feed(gctx, readAttachments(list), work)
	})
	for range max(o.Jobs, 1) {
		g.Go(func() error {
			l := linker{LinkOptions: o, linking: all}
			defer l.leave()
			return l.serve(gctx, work)
		})
	}
	err := g.Wait()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	why := ""
	if all.notLinked.Load() > 0 {
		why = *all.why.Load()
	}
	return LinkResult{Links: all.links.Load(), NotLinked: all.notLinked.Load(), Why: why}, err
}

// LinkResult tells what became of files that have the size of those in the earlier
// copy.
type LinkResult struct {
	Links     int64
	NotLinked int64  // they are left for Copy
	Why       string // of one of NotLinked
}

// linking is what the workers share.
type linking struct {
	made      meta          // what a new file has
	precision time.Duration // of the times of files; 0 if they cannot be set

	links, notLinked atomic.Int64
	why              atomic.Pointer[string]
}

// probe makes a file as Copy would, and removes it. A file system may give all files
// to one owner, and keep times less precisely than they are set.
func (a *linking) probe(target string) error {
	dir, err := openFolder(target)
	if err != nil {
		return err
	}
	defer dir.close()
	const name = dumpfmt.TempPrefix + "probe"
	f, err := dir.create(name)
	if err != nil {
		return dir.fail("create", name, err)
	}
	at := time.Date(2001, 2, 3, 4, 5, 6, 987654321, time.UTC)
	err = errors.Join(f.close(), dir.keepTime(name, at))
	if err == nil {
		a.made, err = dir.stat(name)
	}
	for _, p := range []time.Duration{2 * time.Second, time.Second, time.Millisecond, time.Microsecond, 100, 1} {
		if a.made.mtime.Equal(at.Truncate(p)) {
			a.precision = p
		}
	}
	return errors.Join(err, dir.remove(name))
}

// obstacle says why a file of the earlier copy cannot stand for one of the source;
// "" if it can.
func (a *linking) obstacle(was, is meta) string {
	switch {
	case was.uid != a.made.uid || was.mode != a.made.mode:
		return fmt.Sprintf("user %d, mode %04o; a new file has user %d, mode %04o", was.uid, was.mode, a.made.uid, a.made.mode)
	case a.precision == 0:
		return "the file system keeps no times"
	case was.mtime.Equal(is.mtime):
		return ""
	case a.precision > 1:
		return fmt.Sprintf("another time, and the file system keeps them by %s only", a.precision)
	}
	return "another time"
}

func (a *linking) leave(why string) {
	a.notLinked.Add(1)
	a.why.CompareAndSwap(nil, &why)
}

// linker is one worker. It keeps the folders of the last file open.
type linker struct {
	LinkOptions
	*linking

	rel           string  // of the folders
	src, from, to *folder // nil where the source or the earlier copy has no such folder
}

func (l *linker) serve(ctx context.Context, work <-chan []attachment) error {
	for batch := range work {
		for _, a := range batch {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := l.file(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// file links one file if it may be.
func (l *linker) file(a attachment) error {
	rel, ok := dumpfmt.StorePath(a.fname)
	if !ok || !dumpfmt.IsHashPath(rel) || l.Except[rel] {
		return nil
	}
	dir, name, _ := strings.Cut(rel, "/")
	if err := l.enter(dir); err != nil || l.to == nil {
		return err
	}
	was, err := l.from.stat(name)
	if err != nil || was.kind != kindFile {
		return nil // Copy reports what cannot be read
	}
	is, err := l.src.stat(name)
	if err != nil || is.kind != kindFile || is.size != was.size {
		return nil
	}
	if _, differs := a.differs(was.size); differs {
		return nil
	}
	if why := l.obstacle(was, is); why != "" {
		l.linking.leave(why)
		return nil
	}
	switch err := l.to.link(l.from, name); {
	case err == nil:
		l.links.Add(1)
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EMLINK), errors.Is(err, errors.ErrUnsupported):
		l.linking.leave(err.Error())
	default:
		return err
	}
	return nil
}

// enter opens the three folders, unless they are open, and makes that of the
// target.
func (l *linker) enter(dir string) error {
	if l.rel == dir {
		return nil
	}
	l.leave()
	l.rel = dir
	src, ok := openBelow(l.Source, dir)
	if !ok {
		return nil
	}
	from, ok := openBelow(l.From, dir)
	if !ok {
		src.close()
		return nil
	}
	to, err := l.makeBelow(dir)
	if err != nil {
		src.close()
		from.close()
		return err
	}
	l.src, l.from, l.to = src, from, to
	return nil
}

// openBelow opens a folder in a folder, which is no link.
func openBelow(root, name string) (*folder, bool) {
	dir, err := openFolder(root)
	if err != nil {
		return nil, false
	}
	defer dir.close()
	below, err := dir.folder(name)
	return below, err == nil
}

func (l *linker) makeBelow(name string) (*folder, error) {
	dir, err := openFolder(l.Target)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	if err := dir.mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return dir.folder(name)
}

func (l *linker) leave() {
	for _, d := range []*folder{l.src, l.from, l.to} {
		if d != nil {
			d.close()
		}
	}
	l.rel, l.src, l.from, l.to = "", nil, nil, nil
}
