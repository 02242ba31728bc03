package convert

import (
	"context"
	"errors"
	"io"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/render"
)

// print writes the script of an archive.
func (c *conversion) print(ctx context.Context, a *pgarchive.Archive) (err error) {
	s, err := render.New(a, render.Options{
		NoOwner: c.NoOwner, NoPrivileges: c.NoPrivileges, QuoteAll: c.QuoteAll, RestrictKey: c.RestrictKey,
	})
	if err != nil {
		return err
	}
	c.report.RestrictKey = s.RestrictKey()
	sizes, err := a.Sizes() // finds missing files before anything is written
	if err != nil {
		return err
	}
	f, err := dumpfmt.CreateFile(c.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }()
	c.Meter.Start(total(sizes))
	if err := c.printTo(ctx, s, f, sizes); err != nil {
		return err
	}
	return f.Commit()
}

func (c *conversion) printTo(ctx context.Context, s *render.Script, w io.Writer, sizes map[pgarchive.DumpID]int64) error {
	r := &c.report
	for piece, err := range s.Pieces() {
		if err != nil {
			return err
		}
		if piece.Data == nil {
			n, err := w.Write(piece.SQL)
			r.TargetBytes += int64(n)
			if err != nil {
				return err
			}
			continue
		}
		out := &share{Writer: w, meter: c.Meter, left: sizes[piece.Data.ID]}
		n, err := s.PrintData(ctx, out, piece.Data)
		r.TargetBytes += n
		r.DataBytes += n
		if err != nil {
			return err
		}
		out.done()
		c.Meter.Item()
		if !piece.Data.IsLargeObjects() {
			r.Tables++
		}
	}
	return ctx.Err()
}

func total(sizes map[pgarchive.DumpID]int64) (sum int64) {
	for _, n := range sizes {
		sum += n
	}
	return sum
}
