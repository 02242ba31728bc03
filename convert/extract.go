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
	last  string // folder that is known to be there
	meter Meter
}

func (e *extractor) file(x extraction) (err error) {
	if err := e.ctx.Err(); err != nil {
		return context.Cause(e.ctx)
	}
	name := filepath.FromSlash(strings.TrimSuffix(x.path, "/"))
	if x.member.Kind == odoozip.KindDirectory {
		return e.root.MkdirAll(name, 0o700)
	}
	if dir := filepath.Dir(name); dir != e.last {
		if err := e.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		e.last = dir
	}
	f, err := e.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
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
	_, err = io.CopyBuffer(onlyWriter{f}, &source{ctx: e.ctx, r: r, meter: noMeter{}}, e.buf)
	if err != nil {
		return err
	}
	e.meter.Add(x.member.Size)
	return e.root.Chtimes(name, x.member.Modified(), x.member.Modified())
}

// onlyWriter hides File.ReadFrom, which would allocate a buffer of its own.
type onlyWriter struct{ io.Writer }
