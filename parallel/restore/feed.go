package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/rebuild"
	"odx/parallel"
	"odx/parallel/pgload"
	"odx/parallel/server"
)

// loadData loads the data and gives the length of each table's text in bytes.
func (r *run) loadData(ctx context.Context) (sizes map[pgarchive.DumpID]int64, err error) {
	began := time.Now()
	defer func() { r.report.Seconds.Data = time.Since(began).Seconds() }()
	c := r.source.script
	var read atomic.Int64
	r.Progress.Database.Start(c.length())
	show := func() { r.Progress.Database.SetExtra(read.Load()) }
	stop := parallel.Every(ctx, time.Second/4, show)
	defer func() { stop(); show() }()

	g, gctx := errgroup.WithContext(ctx)
	loader := pgload.New(pgload.Options{Ordered: r.Ordered, Open: r.openLoading})
	for range r.Jobs {
		g.Go(func() error { return loader.Work(gctx) })
	}
	whole := r.source.toc // workers read the one that there is
	g.Go(func() (err error) {
		defer loader.Close()
		if c.places != nil {
			sizes, err = r.feedPlaces(gctx, loader, &read)
		} else {
			whole, sizes, err = r.feedScript(gctx, loader, &read)
		}
		return err
	})
	if err = g.Wait(); err == nil {
		r.source.toc = whole
	}
	if refused := (*pgload.Error)(nil); errors.As(err, &refused) && mayBeDamage(err) {
		if damage := r.findDamage(ctx); damage != nil {
			err = fmt.Errorf("%w (the server met it as: %v)", damage, err)
		}
	}
	return sizes, err
}

// mayBeDamage tells whether the server refused what it was given, and was not
// itself in trouble: with a full disk nobody is to wait for the script's end until
// the database is dropped.
func mayBeDamage(err error) bool {
	switch state := server.SQLState(err); {
	case state == "08P01", strings.HasPrefix(state, "22"), strings.HasPrefix(state, "23"), strings.HasPrefix(state, "42"):
		return true
	}
	return false
}

// findDamage tells what is wrong with a compressed script whose rows the server
// refused: damage within it shows in the CRC-32 at its end only.
func (r *run) findDamage(ctx context.Context) error {
	c := r.source.script
	if c.zip == nil && !c.isPacked {
		return nil
	}
	r.Progress.SetPhase("looking whether the backup is damaged")
	text, err := c.open(ctx, new(atomic.Int64))
	if err != nil {
		return err
	}
	defer text.Close()
	if _, err = io.Copy(io.Discard, text); errors.Is(err, dumpfmt.ErrFormat) {
		return err
	}
	return nil
}

// openLoading opens a session that loads data as pg_restore's would.
func (r *run) openLoading(ctx context.Context) (*server.Session, error) {
	s, err := r.openTarget(ctx)
	if err != nil {
		return nil, err
	}
	settings := `SET synchronous_commit = off; SET check_function_bodies = false; SET xmloption = content;
		SET escape_string_warning = off; SET row_security = off; SET client_min_messages = error;`
	for i := range r.source.toc.Entries {
		switch e := &r.source.toc.Entries[i]; e.Desc {
		case "ENCODING", "STDSTRINGS", "SEARCHPATH":
			settings += e.Defn.String
		}
	}
	if err := s.Do(func(c *pgx.Conn) error { return c.PgConn().Exec(ctx, settings).Close() }); err != nil {
		s.Close()
		return nil, fmt.Errorf("set the script's settings: %w", err)
	}
	return s, nil
}

// readBuffer is the text in bytes that is inflated ahead of the scan.
const readBuffer = 1 << 20

// feedScript reads a script from its start to its end, hands on its data and
// gives the whole table of contents.
func (r *run) feedScript(ctx context.Context, l *pgload.Loader, read *atomic.Int64) (toc *pgarchive.TOC, sizes map[pgarchive.DumpID]int64, err error) {
	text, err := r.source.script.open(ctx, read)
	if err != nil {
		return nil, nil, err
	}
	defer text.Close()
	g, gctx := errgroup.WithContext(ctx)
	sink := &feedSink{run: r, feeder: l.NewFeeder(gctx, r.Jobs*pgload.BuffersPerJob), sizes: map[pgarchive.DumpID]int64{}, seen: map[tableKey]bool{}}
	// Inflating and scanning are done at the same time.
	in, out := io.Pipe()
	g.Go(func() error {
		_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{text}, make([]byte, readBuffer))
		out.CloseWithError(err)
		return nil // the reader gets the error
	})
	g.Go(func() error {
		defer in.Close()
		result, err := rebuild.Read(in, sink, rebuild.Options{Name: r.source.script.name()})
		if err == nil {
			toc = result.TOC
		}
		return err
	})
	err = g.Wait()
	return toc, sink.sizes, err
}

// feedSink hands the data of a script on.
type feedSink struct {
	run    *run
	feeder *pgload.Feeder
	sizes  map[pgarchive.DumpID]int64
	seen   map[tableKey]bool
}

func (s *feedSink) Table(e *pgarchive.Entry, offset int64) (io.WriteCloser, error) {
	s.run.Progress.Database.Item()
	t := s.run.loadTarget(e, offset)
	if key := (tableKey{e.Namespace.String, e.Tag}); t.Empty != "" && s.run.Ordered {
		if s.seen[key] { // it would be emptied again
			return nil, fmt.Errorf("%w: rows of %s come in two parts, whose order odx does not keep: restore without --ordered", dumpfmt.ErrUnsupported, t.Name)
		}
		s.seen[key] = true
	}
	return &sizer{s.feeder.Table(t), s.sizes, e.ID}, nil
}

func (s *feedSink) LargeObject(blobs pgarchive.DumpID, oid uint32, _ int64) (io.WriteCloser, error) {
	s.run.Progress.Database.Item()
	return &sizer{s.feeder.LargeObject(oid, s.run.becomeOwner()), s.sizes, blobs}, nil
}

// sizer counts what is written for an entry.
type sizer struct {
	io.WriteCloser
	sizes map[pgarchive.DumpID]int64
	id    pgarchive.DumpID
}

func (s *sizer) Write(p []byte) (int, error) {
	s.sizes[s.id] += int64(len(p))
	return s.WriteCloser.Write(p)
}

// loadTarget says how an entry's data are loaded. Rows that go through the root
// of a partitioned table may be in any partition, which must not be emptied. The
// tables of extensions are not in the dump, and are the connecting role's.
func (r *run) loadTarget(e *pgarchive.Entry, offset int64) pgload.Target {
	name := pgload.QualifiedName(e.Namespace.String, e.Tag)
	t := pgload.Target{Name: name, Copy: e.CopyStmt.String, Offset: offset}
	canBeEmptied, isOurs := r.tables[tableKey{e.Namespace.String, e.Tag}]
	if !e.Defn.Valid && canBeEmptied {
		t.Empty = "TRUNCATE TABLE ONLY " + name
	}
	switch {
	case r.role == "":
	case r.power == superuserConnecting && !isOurs:
		t.Role = "RESET ROLE"
	default:
		t.Role = r.becomeOwner()
	}
	return t
}

// becomeOwner gives the statement that makes a session the owner's; "" if it is.
func (r *run) becomeOwner() string {
	if r.role == "" {
		return ""
	}
	return "SET ROLE " + quote(r.role)
}

// feedPlaces reads the data from their places, several at once, the largest
// first.
func (r *run) feedPlaces(ctx context.Context, l *pgload.Loader, read *atomic.Int64) (map[pgarchive.DumpID]int64, error) {
	tables := slices.Clone(r.source.script.places)
	slices.SortStableFunc(tables, func(a, b tablePlace) int { return cmp.Compare(b.place.TextLength(), a.place.TextLength()) })
	sizes := make(map[pgarchive.DumpID]int64, len(tables))
	for _, t := range tables {
		sizes[t.entry.ID] = t.place.TextLength()
	}
	var next atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	for range min(r.Jobs, len(tables)) {
		g.Go(func() error {
			feeder, buf := l.NewFeeder(gctx, pgload.BuffersPerJob), make([]byte, readBuffer)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(tables) {
					return nil
				}
				if err := r.feedPlace(gctx, feeder, tables[i], read, buf); err != nil {
					return err
				}
				r.Progress.Database.Item()
			}
		})
	}
	return sizes, g.Wait()
}

func (r *run) feedPlace(ctx context.Context, feeder *pgload.Feeder, t tablePlace, read *atomic.Int64, buf []byte) (err error) {
	c := r.source.script
	text, err := c.zip.OpenText(c.dump, t.place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, text.Close()) }()
	w := feeder.Table(r.loadTarget(t.entry, -1))
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, &countReader{ctx, text, read}, buf); err != nil {
		return err
	}
	return w.Close()
}
