package convert

import (
	"context"
	"errors"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// toZip writes the standard zip of an archive and what lies beside it.
func (c *conversion) toZip(ctx context.Context, a *pgarchive.Archive) (err error) {
	src, err := c.openZipSource(a)
	if err != nil {
		return err
	}
	w := &zipWriter{src: src, c: c}
	if w.sizes, w.files, err = c.takeInventory(a); err != nil {
		return err
	}
	c.Meter.Start(total(w.sizes))
	if c.Out != nil {
		return w.write(ctx, c.Out)
	}
	holder := ""
	if c.Consume {
		holder = c.Source
	}
	f, err := dumpfmt.CreateFileFrom(c.Target, holder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }()
	if err := w.write(ctx, f); err != nil {
		return err
	}
	if c.Check {
		if err := c.proveZip(ctx, f.Path(), src); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Commit()
}

// takeInventory finds missing files before anything is written.
func (c *conversion) takeInventory(a *pgarchive.Archive) (map[pgarchive.DumpID]int64, []pgarchive.File, error) {
	if c.Rows != nil {
		files, err := liveFiles(a)
		return nil, files, err
	}
	sizes, err := a.Sizes()
	if err != nil {
		return nil, nil, err
	}
	files, err := a.Files()
	return sizes, files, err
}
