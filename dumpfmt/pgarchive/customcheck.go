package pgarchive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"odx/dumpfmt"
)

// takeInventory gives the blocks in the order in which they lie in the file.
func (c *customFile) takeInventory(t *TOC) (*inventory, error) {
	inv := &inventory{toc: File{Name: c.name, Size: c.tocEnd}, expected: expectLargeObjects(t)}
	if hasUnset(t) {
		_, err := c.scan(t)
		if errors.Is(err, dumpfmt.ErrFormat) {
			inv.blame(err)
			return inv, nil
		}
		if err != nil {
			return nil, err
		}
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.HadDumper != (e.Offset.State != OffsetNoData) {
			inv.blame(&dumpfmt.FormatError{Path: c.name, Offset: -1, Field: e.describe(),
				Err: fmt.Errorf("offset state %q does not go with its data flag %t", e.Offset.State, e.HadDumper)})
			continue
		}
		if !e.HadDumper {
			continue
		}
		pos, err := c.locate(t, e)
		if err != nil {
			inv.blame(err)
			continue
		}
		inv.items = append(inv.items, item{entry: e, file: c.name, pos: pos, kind: kindOf(e)})
	}
	slices.SortFunc(inv.items, func(x, y item) int { return cmp.Compare(x.pos, y.pos) })
	inv.measure(c)
	return inv, nil
}

// hasUnset tells whether blocks can only be found by a scan.
func hasUnset(t *TOC) bool {
	for i := range t.Entries {
		if e := &t.Entries[i]; e.HadDumper && e.Offset.State == OffsetNotSet {
			return true
		}
	}
	return false
}

// measure sets the sizes of the blocks, each of which ends where the next one
// starts, and the last one with the file.
func (inv *inventory) measure(c *customFile) {
	end := c.size
	for i := len(inv.items) - 1; i >= 0; i-- {
		it := &inv.items[i]
		it.size = end - it.pos
		end = it.pos
	}
	if end != c.tocEnd && len(inv.wrong) == 0 {
		inv.blame(&dumpfmt.FormatError{Path: c.name, Offset: c.tocEnd, Field: "end of the table of contents",
			Err: fmt.Errorf("%d bytes that belong to no entry", end-c.tocEnd)})
	}
}

// checkItem decodes one block.
func (c *customFile) checkItem(ctx context.Context, t *TOC, it item, want expectation, buf []byte, opts *CheckOptions) error {
	f, b, err := c.openBlock(t, it.entry)
	if err != nil {
		return err
	}
	defer f.Close()
	defer b.release()
	if it.kind == listText {
		err = c.checkLargeObjects(ctx, t, b, it, want, buf, opts)
	} else {
		err = c.checkStream(ctx, t, b, it, buf, opts)
	}
	if err != nil {
		return err
	}
	if end := it.pos + it.size; b.pos != end {
		return b.failf(b.pos, "data end here, but the next block starts at %d", end)
	}
	return nil
}

// checkStream decodes the stream that b stands before and leaves b behind it.
func (c *customFile) checkStream(ctx context.Context, t *TOC, b *blockReader, it item, buf []byte, opts *CheckOptions) error {
	r := c.stream(t, b, nil)
	defer r.Close()
	return checkStream(ctx, r, it, buf, opts.text(it))
}

func (c *customFile) checkLargeObjects(ctx context.Context, t *TOC, b *blockReader, it item, want expectation, buf []byte, opts *CheckOptions) error {
	var listed []uint32
	part := item{entry: it.entry, file: it.file, kind: anyBytes}
	for {
		start := b.pos
		oid, err := b.oid()
		if err != nil {
			return err
		}
		if oid == 0 {
			if err := want.compare(listed); err != nil {
				return b.failf(start, "%w", err)
			}
			return nil
		}
		listed = append(listed, oid)
		part.oid = oid
		if err := c.checkStream(ctx, t, b, part, buf, opts); err != nil {
			return err
		}
	}
}
