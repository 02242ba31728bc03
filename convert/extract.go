package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// extraction is a member and the file that it becomes.
type extraction struct {
	member *odoozip.Member
	path   string // relative to the folder of the backup, with slashes
}

// extract writes members into files of a new folder, on several cores. Nothing
// in the folder is followed or replaced.
func extract(ctx context.Context, z *odoozip.Reader, dir string, list []extraction, jobs int, meter Meter) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	g, gctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range max(jobs, 1) {
		g.Go(func() error {
			e := extractor{ctx: gctx, zip: z, root: root, buf: make([]byte, 256<<10), meter: meter}
			defer e.leave()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return nil
				}
				if err := e.file(list[i]); err != nil {
					return fmt.Errorf("extract %s: %w", list[i].member.Name, err)
				}
			}
		})
	}
	return g.Wait()
}

// extractor writes one file after the other.
type extractor struct {
	ctx   context.Context
	zip   *odoozip.Reader
	root  *os.Root
	buf   []byte
	meter Meter

	dir    *os.Root // the folder of the last file, kept open: the next one is mostly in it too
	dirFor string
}

func (e *extractor) file(x extraction) (err error) {
	if err := e.ctx.Err(); err != nil {
		return context.Cause(e.ctx)
	}
	name := filepath.FromSlash(strings.TrimSuffix(x.path, "/"))
	if x.member.Kind == odoozip.KindDirectory {
		return e.root.MkdirAll(name, 0o700)
	}
	if err := e.enter(filepath.Dir(name)); err != nil {
		return err
	}
	name = filepath.Base(name)
	f, err := e.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &dumpfmt.FormatError{Path: x.member.Name, Offset: -1, Err: errors.New("another member has the same file on this system")}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err := e.zip.Open(x.member)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err = io.CopyBuffer(onlyWriter{f}, &source{ctx: e.ctx, r: r, meter: noMeter{}}, e.buf); err != nil {
		return err
	}
	e.meter.Add(x.member.Size)
	return e.dir.Chtimes(name, x.member.Modified(), x.member.Modified())
}

// enter makes and opens a folder.
func (e *extractor) enter(path string) error {
	if e.dir != nil && path == e.dirFor {
		return nil
	}
	e.leave()
	if err := e.root.MkdirAll(path, 0o700); err != nil {
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

// onlyWriter hides File.ReadFrom, which would allocate a buffer of its own.
type onlyWriter struct{ io.Writer }
