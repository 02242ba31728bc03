package dump

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// digester takes the SHA-256 of data files while pg_dump still writes others:
// they are in the page cache then.
type digester struct {
	dir   string
	queue chan pgarchive.DumpID
	mu    sync.Mutex
	done  map[string]dumpfmt.FileDigest
}

func newDigester(dir string) *digester {
	return &digester{dir: dir, queue: make(chan pgarchive.DumpID, 1024), done: map[string]dumpfmt.FileDigest{}}
}

// offer says that an entry's data file is complete. It never blocks: a file
// that finds the queue full is digested at the end.
func (d *digester) offer(id pgarchive.DumpID) {
	select {
	case d.queue <- id:
	default:
	}
}

// follow digests what is offered, until the context ends.
func (d *digester) follow(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-d.queue:
			for _, c := range []pgarchive.Compression{pgarchive.None, pgarchive.Gzip, pgarchive.LZ4, pgarchive.Zstd} {
				name := id.DataFile() + c.Suffix()
				err := d.file(ctx, name)
				if err != nil && !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
					return err
				}
			}
		}
	}
}

// finish digests what is left in the folder and returns all files, those noted
// that are not there included: toc.dat first, the others by name.
func (d *digester) finish(ctx context.Context, jobs int) ([]dumpfmt.FileDigest, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for _, e := range entries {
		if !d.has(e.Name()) {
			g.Go(func() error { return d.file(gctx, e.Name()) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	files := slices.Collect(maps.Values(d.done))
	slices.SortFunc(files, func(a, b dumpfmt.FileDigest) int {
		return cmp.Or(cmp.Compare(rank(a.Name), rank(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return files, nil
}

// rank puts the table of contents first.
func rank(name string) int {
	if strings.HasPrefix(name, "toc.dat") {
		return 0
	}
	return 1
}

func (d *digester) has(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.done[name]
	return ok
}

func (d *digester) file(ctx context.Context, name string) error {
	digest, err := dumpfmt.DigestFile(ctx, filepath.Join(d.dir, name))
	if err != nil {
		return err
	}
	d.note(digest)
	return nil
}

// note adds the digest of a file that is complete.
func (d *digester) note(digest dumpfmt.FileDigest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done[digest.Name] = digest
}
