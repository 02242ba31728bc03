package dump

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgcopy"
	"odx/parallel/server"
)

// RowSink takes the rows of tables, one table after the other in the order of
// the table of contents. Calls come from several goroutines, but do not
// overlap.
type RowSink interface {
	// Begin starts the rows of a TABLE DATA entry.
	Begin(id pgarchive.DumpID) error
	// Append adds COPY text as deflate.Encoder makes a piece of it; the data are
	// the caller's after it. The pieces of an entry together are its data file's
	// text.
	Append(data []byte, crc uint32, length int64) error
	// Finish ends the rows of the entry.
	Finish() error
}

// streams tells whether what is packed gets the rows as they are read, with no
// archive in between: they come in the form in which a zip has them.
func (r *run) streams() bool {
	return r.Pack != nil && r.Engine == EngineDirect && r.compression.Method == pgarchive.Gzip
}

// stream has the dump packed while the rows are read. The snapshot is held until
// all are, the guard to the end.
func (r *run) stream(ctx context.Context, s *server.Session, g *guard, sizes relations) error {
	work, wctx := errgroup.WithContext(ctx)
	reading, read := context.WithCancel(wctx)
	work.Go(func() error { return s.Watch(reading, watchInterval) })
	work.Go(func() error {
		defer read()
		if err := r.takeFilestore(wctx, g); err != nil {
			return err
		}
		return r.packRows(wctx, s, g, sizes, read)
	})
	return work.Wait()
}

// packRows dumps what is no table's rows into the folder, and has it packed
// with them. read is called when the snapshot is not needed any more.
func (r *run) packRows(ctx context.Context, s *server.Session, g *guard, sizes relations, read func()) error {
	began := time.Now()
	w, err := r.planCopy(ctx, s)
	if err != nil {
		return err
	}
	dg := newDigester(r.archiveDir())
	if err := r.copyObjects(ctx, w, dg); err != nil {
		return err
	}
	o := w.options
	if o.Tables, err = w.tables(sizes); err != nil {
		return err
	}
	r.Progress.SetPhase("dumping into the zip")
	err = r.Pack(ctx, Packing{Dir: r.dir.Path(), Filestore: r.Filestore,
		Rows: func(ctx context.Context, sink RowSink) error {
			r.rowsPacked = true
			o.Sink, o.OneByOne = &entrySink{w.entries, sink}, true
			if err := r.copyRows(ctx, o, w.entries); err != nil {
				return err
			}
			if err := stillHeld(ctx, s); err != nil {
				return err
			}
			read()
			s.Close() // ends the snapshot: nothing needs it any more
			r.report.Seconds.Database = time.Since(began).Seconds()
			r.Progress.SetPhase("writing the zip")
			return nil
		},
		Record: func(p Packed) ([]byte, error) {
			for _, f := range p.Rows {
				dg.note(f)
			}
			if err := r.describeArchive(ctx, dg); err != nil {
				return nil, err
			}
			return r.packedRecord(ctx, g, p)
		},
	})
	r.report.Seconds.Pack = time.Since(began).Seconds()
	return err
}

// copyObjects writes the large objects into the folder: a script has them as
// statements, not as they are.
func (r *run) copyObjects(ctx context.Context, w *copyPlan, dg *digester) error {
	if len(w.objects) == 0 {
		return nil
	}
	o := w.options
	o.Objects, o.Sink = w.objects, &folder{dir: r.archiveDir(), compression: r.compression, digest: dg}
	if err := r.copyRows(ctx, o, nil); err != nil {
		return err
	}
	return writeObjectLists(r.archiveDir(), w.toc, w.lists)
}

// entrySink hands the rows of tables to a RowSink.
type entrySink struct {
	entries []*pgarchive.Entry
	rows    RowSink
}

var _ pgcopy.Sink = (*entrySink)(nil)

func (s *entrySink) Table(i int) (pgcopy.Stream, error) {
	return &entryRows{s.rows}, s.rows.Begin(s.entries[i].ID)
}

func (s *entrySink) Object(oid uint32) (pgcopy.Stream, error) {
	return nil, fmt.Errorf("odx: internal error: large object %d among the rows of tables", oid)
}

// entryRows is one table's.
type entryRows struct{ rows RowSink }

func (s *entryRows) Append(p pgcopy.Piece) error { return s.rows.Append(p.Data, p.CRC, p.Length) }
func (s *entryRows) Finish() error               { return s.rows.Finish() }
func (s *entryRows) Abort()                      {} // the sink's owner learns it as an error
