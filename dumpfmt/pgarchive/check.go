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
	check := a.checkItem
	if a.custom != nil {
		check = func(ctx context.Context, it item, buf []byte) error {
			return a.custom.checkItem(ctx, a.TOC, it, inv.expected[it.entry.ID], buf)
		}
	}
	errs, err := checkAll(ctx, opts, inv.items, check)
	if err != nil {
		return report, err
	}
	return report, joinErrors(append(inv.wrong, errs...))
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
			if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
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
func (a *Archive) checkItem(ctx context.Context, it item, buf []byte) error {
	if suffixOf(it.file) != None {
		r, err := a.openFile(it.file)
		if err != nil {
			return err
		}
		defer r.Close()
		return checkStream(ctx, r, it, buf)
	}
	f, err := os.Open(filepath.Join(a.path, it.file))
	if err != nil {
		return err
	}
	defer f.Close()
	return checkPlain(f, it)
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

// checkStream decodes all of r.
func checkStream(ctx context.Context, r io.Reader, it item, buf []byte) error {
	end := newTextEnd(it.kind)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		end.write(buf[:n])
		if err == io.EOF {
			return end.error(it)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// joinErrors joins what is wrong with an archive, as far as a person reads it.
func joinErrors(errs []error) error {
	if extra := len(errs) - dumpfmt.MaxJoined; extra > 0 {
		errs = append(slices.Clone(errs[:dumpfmt.MaxJoined]),
			fmt.Errorf("%w: %d more errors like these", dumpfmt.ErrFormat, extra))
	}
	return errors.Join(errs...)
}
