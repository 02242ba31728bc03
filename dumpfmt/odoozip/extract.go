package odoozip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"odx/dumpfmt"
)

// ExtractOptions say how members are extracted.
type ExtractOptions struct {
	Jobs int // files written at once, at least 1
	// Path gives the file that a member becomes, or the folder, relative to that
	// which it is extracted to, with slashes; "" leaves it out. It is called from
	// several goroutines, since a list of the paths would take much memory.
	Path func(*Member) string
	// Give, if not nil, is called with each new file or folder, which has mode
	// 0600 or 0700, to give it another owner or mode.
	Give func(f *os.File, isDir bool) error
	// Done, if not nil, is called after each member. It may be called from
	// several goroutines.
	Done func(*Member)
}

// extractBuffer is the text that a worker holds, in bytes.
const extractBuffer = 256 << 10

// Extract writes members into files of a new folder, on several cores. Nothing
// in the folder is followed or replaced, and nothing is written outside of it.
// Files get the times that their members have. Damage is a *dumpfmt.FormatError.
func Extract(ctx context.Context, z *Reader, dir string, o ExtractOptions) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(max(o.Jobs, 1), len(z.Members)) {
		workers.Go(func() {
			e := extractor{ctx: ctx, zip: z, root: root, buf: make([]byte, extractBuffer), opts: &o}
			defer e.leave()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(z.Members) {
					return
				}
				m := &z.Members[i]
				path := o.Path(m)
				if path == "" {
					continue
				}
				if err := e.extract(m, path); err != nil {
					cancel(fmt.Errorf("extract %s: %w", m.Name(), err))
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// extractor writes one file after the other.
type extractor struct {
	ctx  context.Context
	zip  *Reader
	root *os.Root
	buf  []byte
	opts *ExtractOptions

	dir    *os.Root // the folder of the last file, kept open: the next one is mostly in it too
	dirFor string
}

func (e *extractor) extract(m *Member, path string) error {
	name := filepath.FromSlash(strings.TrimSuffix(path, "/"))
	if m.Kind == KindDirectory {
		return e.mkdirAll(name)
	}
	if err := e.enter(filepath.Dir(name)); err != nil {
		return err
	}
	if err := e.file(m, filepath.Base(name)); err != nil {
		return err
	}
	if e.opts.Done != nil {
		e.opts.Done(m)
	}
	return nil
}

func (e *extractor) file(m *Member, name string) error {
	f, err := e.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &dumpfmt.FormatError{Path: m.Name(), Offset: -1, Err: errors.New("another member has the same file on this system")}
	}
	if err != nil {
		return err
	}
	err = e.fill(f, m)
	if err == nil && e.opts.Give != nil {
		err = e.opts.Give(f, false)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = e.dir.Chtimes(name, m.Modified(), m.Modified())
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return nil // where all files are given to one owner others set no times, which only save work
	}
	return err
}

func (e *extractor) fill(f *os.File, m *Member) error {
	r, err := e.zip.Open(m)
	if err != nil {
		return err
	}
	defer r.Close()
	// Neither side may bring its own way of copying: this one has a buffer, and
	// ends when it is told to.
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, &cancelReader{e.ctx, r}, e.buf)
	return err
}

// cancelReader ends when its context does.
type cancelReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// enter makes and opens a folder.
func (e *extractor) enter(path string) error {
	if e.dir != nil && path == e.dirFor {
		return nil
	}
	e.leave()
	if err := e.mkdirAll(path); err != nil {
		return err
	}
	dir, err := e.root.OpenRoot(path)
	if err != nil {
		return err
	}
	e.dir, e.dirFor = dir, path
	return nil
}

func (e *extractor) leave() {
	if e.dir != nil {
		_ = e.dir.Close() // open for reading
		e.dir = nil
	}
}

// mkdirAll makes a folder and those above it. Who makes one gives it away.
func (e *extractor) mkdirAll(path string) error {
	if path == "." {
		return nil
	}
	err := e.root.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := e.mkdirAll(filepath.Dir(path)); err != nil {
			return err
		}
		err = e.root.Mkdir(path, 0o700)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil || e.opts.Give == nil:
		return err
	}
	f, err := e.root.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(e.opts.Give(f, true), f.Close())
}
