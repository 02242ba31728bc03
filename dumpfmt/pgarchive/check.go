package pgarchive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"odx/dumpfmt"
)

// checkBuffer is the decoded text that a check holds at once.
const checkBuffer = 256 << 10

// CheckOptions says how Archive.Check works.
type CheckOptions struct {
	// Jobs is the number of files that are read at the same time; 0 means
	// one for each processor.
	Jobs int

	// Done, if not nil, grows by the bytes on disk that are dealt with.
	Done *atomic.Int64

	// Text, if not nil, gives what the decoded data of a table are written to,
	// or those of a large object, whose OID is not 0; nil where nobody wants
	// them. Close is called when the data were whole. With it all text is read.
	Text func(e *Entry, oid uint32) io.WriteCloser
	// File, if not nil, gives what the bytes of each data file of a
	// directory-format archive are written to, and all of them are read. Close is
	// called at the end of the file.
	File func(name string) io.WriteCloser
	// Wrong, if not nil, gets each error about a file instead of the error that
	// Check returns, also where a file cannot be read, so that all is looked at.
	//
	// All three are called from several goroutines.
	Wrong func(error)
}

// readsAll tells whether text without compression is read, too.
func (o *CheckOptions) readsAll() bool { return o.Text != nil || o.File != nil }

// text gives what the data of a stream are written to; nil for nowhere.
func (o *CheckOptions) text(it item) io.WriteCloser {
	if o.Text == nil || it.kind == listText || it.kind == anyBytes && it.oid == 0 {
		return nil
	}
	return o.Text(it.entry, it.oid)
}

// CheckReport is what Archive.Check found besides errors.
type CheckReport struct {
	Files int      // with data; in a custom-format file the blocks
	Bytes int64    // on disk
	Notes []string // what is odd but does no harm, such as files that nothing refers to
}

// Check makes sure that the archive is complete: every file is there (in a
// custom-format file: every block, and nothing between them), the lists of
// large objects agree with the entries, every compressed stream is whole, and
// the text of each table ends as pg_dump ends it, and only there.
// pg_restore cannot be relied on for that: it takes short lz4 and zstd files,
// and with zlib 1.3.2 short gzip files, for whole ones.
//
// A file that is cut off can only be told from a whole one by inflating it:
// Check reads and decodes every compressed file once, Jobs at a time. That
// takes a core two to four seconds for each GB of text in gzip files, one in
// lz4 files. Of uncompressed files it reads the end. Memory is below 1 MB a
// job, and for zstd up to its window more, which is 8 MB at usual levels and at
// most 128 MB.
//
// Damage within a file is found as far as its compression has a checksum:
// gzip does; lz4, zstd and uncompressed files of pg_dump do not. Nothing says
// how long a large object without compression should be, and an empty lz4 or
// zstd file is what pg_dump makes of an empty large object.
//
// All that is wrong with the content comes as joined *dumpfmt.FormatErrors in
// the order of the archive, up to dumpfmt.MaxJoined of them. Other errors, and
// the end of ctx, which interrupts reading, come alone.
func (a *Archive) Check(ctx context.Context, opts CheckOptions) (CheckReport, error) {
	inv, err := a.takeInventory()
	if err != nil {
		return CheckReport{}, err
	}
	report := CheckReport{Files: len(inv.items)}
	for _, it := range inv.items {
		report.Bytes += it.size
	}
	for _, name := range inv.unused {
		report.Notes = append(report.Notes, fmt.Sprintf("%s belongs to no entry", name))
	}
	check := func(ctx context.Context, it item, buf []byte) error {
		if a.custom != nil {
			return a.custom.checkItem(ctx, a.TOC, it, inv.expected[it.entry.ID], buf, &opts)
		}
		return a.checkItem(ctx, it, buf, &opts)
	}
	errs, err := checkAll(ctx, opts, inv.items, check)
	if err != nil {
		return report, err
	}
	errs = append(inv.wrong, errs...)
	if opts.Wrong == nil {
		return report, joinErrors(errs, inv.more)
	}
	for _, err := range errs {
		opts.Wrong(err)
	}
	if inv.more > 0 {
		opts.Wrong(moreErrors(inv.more))
	}
	return report, nil
}

// checkAll runs check on each item, large ones first so that none is left for
// the end, and gives the errors about the content in the order of the items.
func checkAll(ctx context.Context, opts CheckOptions, items []item,
	check func(context.Context, item, []byte) error) ([]error, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	order := largestFirst(items)
	jobs := opts.Jobs
	if jobs < 1 {
		jobs = runtime.GOMAXPROCS(0)
	}
	errs := make([]error, len(items))
	var next atomic.Int64
	work := func() {
		buf := make([]byte, checkBuffer)
		for ctx.Err() == nil {
			n := int(next.Add(1)) - 1
			if n >= len(order) {
				return
			}
			it := items[order[n]]
			err := check(ctx, it, buf)
			if err != nil && !errors.Is(err, dumpfmt.ErrFormat) && opts.Wrong == nil {
				cancel(err)
			}
			errs[order[n]] = err
			if opts.Done != nil {
				opts.Done.Add(it.size)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(jobs, len(items)) {
		wg.Go(work)
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil }), nil
}

// largestFirst gives the indices of the items by descending size.
func largestFirst(items []item) []int {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(items[y].size, items[x].size) })
	return order
}

// checkItem checks one file of a directory-format archive.
func (a *Archive) checkItem(ctx context.Context, it item, buf []byte, opts *CheckOptions) error {
	f, err := os.Open(filepath.Join(a.path, it.file))
	if err != nil {
		return err
	}
	defer f.Close()
	if suffixOf(it.file) == None && !opts.readsAll() {
		return checkPlain(f, it)
	}
	if opts.File == nil {
		return checkDecoded(ctx, f, it, buf, opts)
	}
	w := opts.File(it.file)
	raw := io.TeeReader(f, w)
	wrong := checkDecoded(ctx, raw, it, buf, opts)
	// What follows damage is not decoded, but is a part of the file.
	for err == nil && ctx.Err() == nil {
		_, err = raw.Read(buf)
	}
	if err == io.EOF {
		err = nil
	}
	return cmp.Or(ctx.Err(), wrong, err, w.Close())
}

// checkDecoded decodes the file that r gives.
func checkDecoded(ctx context.Context, r io.Reader, it item, buf []byte, opts *CheckOptions) error {
	d := newFileReader(r, io.NopCloser(r), it.file)
	return errors.Join(checkStream(ctx, d, it, buf, opts.text(it)), d.Close())
}

// checkPlain looks at the end of a file that is not compressed.
func checkPlain(f *os.File, it item) error {
	end := newTextEnd(it.kind)
	p := make([]byte, min(it.size, maxTextEnd))
	if _, err := f.ReadAt(p, it.size-int64(len(p))); err != nil {
		if err != io.EOF {
			return err
		}
		return &dumpfmt.FormatError{Path: it.file, Offset: it.size,
			Err: fmt.Errorf("became shorter while it was read: %w", io.ErrUnexpectedEOF)}
	}
	end.skip(it.size - int64(len(p)))
	end.write(p)
	return end.error(it)
}

// checkStream decodes all of r, and passes it on unless w is nil.
func checkStream(ctx context.Context, r io.Reader, it item, buf []byte, w io.WriteCloser) error {
	end := newTextEnd(it.kind)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		end.write(buf[:n])
		if w != nil {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			err = end.error(it)
			if err == nil && w != nil {
				err = w.Close()
			}
			return err
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// joinErrors joins what is wrong with an archive, as far as a person reads it.
// There may be more such errors that were not kept, but only beyond these.
func joinErrors(errs []error, more int) error {
	if extra := len(errs) + more - dumpfmt.MaxJoined; extra > 0 {
		errs = append(slices.Clone(errs[:dumpfmt.MaxJoined]), moreErrors(extra))
	}
	return errors.Join(errs...)
}

// moreErrors stands for errors that are only counted.
func moreErrors(n int) error {
	return fmt.Errorf("%w: %d more errors like these", dumpfmt.ErrFormat, n)
}
