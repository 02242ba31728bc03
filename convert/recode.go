package convert

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// recode writes the folder of an archive with the entries and data of another.
func (c *conversion) recode(ctx context.Context, a *pgarchive.Archive) (err error) {
	sizes, err := a.Sizes() // finds missing files before anything is written
	if err != nil {
		return err
	}
	dir, err := dumpfmt.CreateDir(c.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Abort()) }()
	c.Meter.Start(total(sizes))
	if err := c.recodeIn(ctx, dir.Path(), a, sizes); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return dir.Commit()
}

func (c *conversion) recodeIn(ctx context.Context, dir string, a *pgarchive.Archive, sizes map[pgarchive.DumpID]int64) error {
	toc := c.folderTOC(a.TOC)
	size, err := writeTOC(dir, toc)
	if err != nil {
		return err
	}
	work := &recoding{c: c, dir: dir, archive: a, sizes: sizes}
	for i := range toc.Entries {
		if e := &toc.Entries[i]; e.HadDumper {
			work.items = append(work.items, recodeItem{from: &a.TOC.Entries[i], file: e.File})
		}
	}
	// Large ones first, so that none is left for the end.
	slices.SortStableFunc(work.items, func(x, y recodeItem) int { return cmp.Compare(sizes[y.from.ID], sizes[x.from.ID]) })
	if err := work.run(ctx); err != nil {
		return err
	}
	r := &c.report
	r.Tables, r.DataBytes = work.tables.Load(), work.text.Load()
	r.TargetBytes = size + work.bytes.Load()
	c.describeArchive(toc)
	return nil
}

// folderTOC gives the table of contents of a directory-format archive with the
// same entries.
func (c *conversion) folderTOC(from *pgarchive.TOC) *pgarchive.TOC {
	t := from.Folder()
	c.Compression.setHeader(&t.Header)
	return t
}

// recoding is the work on all data files.
type recoding struct {
	c       *conversion
	dir     string
	archive *pgarchive.Archive
	sizes   map[pgarchive.DumpID]int64
	items   []recodeItem

	next                atomic.Int64
	tables, text, bytes atomic.Int64
}

// recodeItem is an entry with data and the file that they go to.
type recodeItem struct {
	from *pgarchive.Entry
	file string
}

func (w *recoding) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range min(w.c.Jobs, len(w.items)) {
		g.Go(func() error { return w.worker(ctx) })
	}
	return g.Wait()
}

// worker takes one item after the other.
func (w *recoding) worker(ctx context.Context) error {
	// A second core compresses what the first has decoded.
	out, err := newDataFile(w.dir, w.c.Compression, min(w.c.Jobs, 2))
	if err != nil {
		return err
	}
	defer out.abort()
	buf := make([]byte, 256<<10)
	for {
		n := int(w.next.Add(1)) - 1
		if n >= len(w.items) {
			break
		}
		if err := w.item(ctx, out, w.items[n], buf); err != nil {
			return err
		}
	}
	w.text.Add(out.text)
	w.bytes.Add(out.bytes)
	return nil
}

// item writes the data of an entry.
func (w *recoding) item(ctx context.Context, out *dataFile, it recodeItem, buf []byte) error {
	meter := &share{Writer: out, meter: w.c.Meter, left: w.sizes[it.from.ID]}
	defer meter.done()
	if it.from.IsLargeObjects() {
		return w.largeObjects(ctx, out, meter, it, buf)
	}
	r, err := w.archive.Text(it.from)
	if err != nil {
		return err
	}
	w.tables.Add(1)
	w.c.Meter.Item()
	return copyData(ctx, out, meter, it.file, r, buf)
}

// copyData writes a data file with all of r, by way of meter, and closes r.
func copyData(ctx context.Context, out *dataFile, meter io.Writer, name string, r io.ReadCloser, buf []byte) (err error) {
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := out.create(name); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := meter.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return out.Close()
		case err != nil:
			return err
		}
	}
}

// largeObjects writes the large objects of a BLOBS entry and their list.
func (w *recoding) largeObjects(ctx context.Context, out *dataFile, meter io.Writer, it recodeItem, buf []byte) (err error) {
	f, err := createFile(w.dir, it.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	list := bufio.NewWriter(f)
	for lo, err := range w.archive.LargeObjects(it.from) {
		if err != nil {
			return err
		}
		r, err := lo.Open()
		if err != nil {
			return err
		}
		name := pgarchive.LargeObjectFile(lo.OID)
		if err := copyData(ctx, out, meter, name, r, buf); err != nil {
			return err
		}
		w.c.Meter.Item()
		n, _ := list.Write(pgarchive.AppendLargeObject(nil, lo.OID)) // an error stays for Flush
		w.bytes.Add(int64(n))
	}
	return list.Flush()
}
