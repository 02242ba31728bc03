package convert

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
)

func formatCount(n int64) string { return strconv.FormatInt(n, 10) }

// hashBuffer is what a worker reads at once, in bytes.
const hashBuffer = 256 << 10

// storeFolder holds the content of every file of a filestore against its name.
func (v *verifier) storeFolder(ctx context.Context, dir string, record *dumpfmt.Record) error {
	if record != nil && record.Filestore != nil {
		v.Files.Start(record.Filestore.Bytes)
	}
	paths := make(chan []string, v.Jobs)
	var counts storeCounts
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(paths)
		return v.walkStore(gctx, dir, paths)
	})
	for range v.Jobs {
		g.Go(func() error {
			h := hasher{sha1: sha1.New(), buf: make([]byte, hashBuffer)}
			for batch := range paths {
				for _, rel := range batch {
					if err := v.storeFile(gctx, dir, rel, &h, &counts); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	v.report.Filestore, v.report.Hashed = &FilestoreInfo{counts.files, counts.bytes}, counts.hashed
	return nil
}

// storeCounts count the files of a filestore.
type storeCounts struct {
	mu                   sync.Mutex
	files, bytes, hashed int64
}

func (c *storeCounts) add(size int64, hashed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files++
	c.bytes += size
	if hashed {
		c.hashed++
	}
}

// walkStore gives the files below a folder, some at a time.
func (v *verifier) walkStore(ctx context.Context, dir string, paths chan<- []string) error {
	const size = 64
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var batch []string
	send := func() error {
		select {
		case paths <- batch:
			batch = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			v.found.add(unreadable, dumpfmt.FilestoreDir+"/"+rel, place{}, err.Error())
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular() && !isFileWithin(root, rel):
			v.found.add(oddKind, dumpfmt.FilestoreDir+"/"+rel, place{}, "neither file nor folder")
			return nil
		}
		if batch = append(batch, rel); len(batch) == size {
			return send()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return send()
}

// isFileWithin tells whether a link leads to a file of the same filestore: a zip has
// that file in its place.
func isFileWithin(root *os.Root, rel string) bool {
	info, err := root.Stat(filepath.FromSlash(rel))
	return err == nil && info.Mode().IsRegular()
}

// storeFile reads one file.
func (v *verifier) storeFile(ctx context.Context, dir, rel string, h *hasher, counts *storeCounts) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(rel)))
	if err == nil {
		defer f.Close()
		err = h.read(ctx, f, v.Files)
	}
	where := dumpfmt.FilestoreDir + "/" + rel
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.found.add(unreadable, where, place{}, err.Error())
		return nil
	}
	counts.add(h.size, v.holdName(where, rel, h))
	v.Files.Item()
	return nil
}

// holdName holds what a file has, which h has read, against its name, and tells
// whether the name says what is in it.
func (v *verifier) holdName(where, rel string, h *hasher) bool {
	switch sum := h.sum(); {
	case strings.HasPrefix(rel, checklist+"/"):
		return false
	case !dumpfmt.IsHashPath(rel):
		v.found.add(oddName, where, place{}, "not named by the SHA-1 of its content")
		return false
	case sum != path.Base(rel):
		v.found.add(badContent, where, place{}, fmt.Sprintf("%d bytes with the SHA-1 %s, which is not the name", h.size, sum))
	}
	return true
}

// checklist is the folder in which Odoo notes what to look at for removal.
const checklist = "checklist"

// hasher takes the SHA-1 of one file after the other.
type hasher struct {
	sha1 hash.Hash
	size int64
	buf  []byte
}

// read reads all of r.
func (h *hasher) read(ctx context.Context, r io.Reader, meter Meter) (err error) {
	h.sha1.Reset()
	h.size, err = io.CopyBuffer(h.sha1, &source{ctx: ctx, r: r, meter: meter}, h.buf)
	return err
}

func (h *hasher) sum() string { return hex.EncodeToString(h.sha1.Sum(nil)) }

// compareStore holds what was counted against the record.
func (v *verifier) compareStore(record *dumpfmt.Record) {
	got := v.report.Filestore
	if record == nil || record.Filestore == nil || got == nil {
		return
	}
	if want := record.Filestore; got.Files != want.Files || got.Bytes != want.Bytes {
		v.found.add(oddRecord, dumpfmt.FilestoreDir, place{}, fmt.Sprintf(
			"%d files with %d bytes, and odx.json says %d with %d", got.Files, got.Bytes, want.Files, want.Bytes))
	}
}
