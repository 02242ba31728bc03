package restore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// loadScript fills the database from a script in three steps. What stands before
// the data is run first; the data are loaded as they are read, over several
// connections; all else comes last, in parallel. For the first and the last step
// pg_restore gets a table of contents, so that all its rules and odx's own hold.
// Work is a folder for those.
func (r *run) loadScript(ctx context.Context, p *plan, work string) error {
	c := r.source.script
	if c.note != "" {
		r.warn("%s", c.note)
	}
	if r.source.toc.Header.Version.AtLeast(pgarchive.Version16) && r.target.admin.Version < 170000 && r.tool.Version.Major < 17 {
		r.warn("skipped: the script sets transaction_timeout, which this server does not know")
	}
	parts := cutTOC(r.source.toc)
	if err := r.runPart(ctx, filepath.Join(work, "before"), p, parts.notBefore, nil); err != nil {
		return err
	}
	r.step("objects made")
	sizes, err := r.loadData(ctx)
	if err != nil {
		return err
	}
	r.step("data loaded")
	if c.places == nil { // the rest of the table of contents is known now
		*p = makePlan(r.source.toc)
		r.publicACL = p.publicACL
		if err := r.leaveSuperuserEntries(p); err != nil {
			return err
		}
		parts = cutTOC(r.source.toc)
	}
	r.weights = weigh(r.source.toc, sizes)
	r.Progress.Objects.Start(sum(r.weights.object))
	stop := r.poll(ctx)
	defer stop()
	return r.runPart(ctx, filepath.Join(work, "after"), p, parts.done, sizes)
}

// parts tells the steps of a restore apart.
type parts struct {
	notBefore map[pgarchive.DumpID]bool // does not belong to the first step
	done      map[pgarchive.DumpID]bool // does not belong to the last one
}

// cutTOC cuts a table of contents into what stands before the data, the data
// and the rest. Comments belong to what stands before them. ACLs come last, as
// pg_restore has it: they could keep the owner itself from loading the data.
func cutTOC(toc *pgarchive.TOC) parts {
	p := parts{notBefore: map[pgarchive.DumpID]bool{}, done: map[pgarchive.DumpID]bool{}}
	groups := map[pgarchive.DumpID]bool{} // of large objects, which are made with their data
	for i := range toc.Entries {
		if e := &toc.Entries[i]; e.IsLargeObjects() {
			for _, id := range e.Dependencies {
				groups[id] = true
			}
		}
	}
	section := pgarchive.SectionPreData
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.Section != pgarchive.SectionNone {
			section = e.Section
		}
		isBefore := section == pgarchive.SectionPreData && e.Desc != "ACL"
		p.notBefore[e.ID] = !isBefore
		p.done[e.ID] = isBefore || e.HadDumper || e.Desc == pgarchive.DescBlobMetadata && groups[e.ID]
	}
	return p
}

// runPart has pg_restore run a part of the table of contents.
func (r *run) runPart(ctx context.Context, dir string, p *plan, without map[pgarchive.DumpID]bool, sizes map[pgarchive.DumpID]int64) error {
	left := make(map[pgarchive.DumpID]bool, len(without))
	isEmpty := true
	for i := range r.source.toc.Entries {
		id := r.source.toc.Entries[i].ID
		left[id] = p.left[id] || without[id]
		isEmpty = isEmpty && left[id]
	}
	if isEmpty {
		return nil
	}
	if err := r.writeTOC(dir, left, sizes); err != nil {
		return fmt.Errorf("write the table of contents: %w", err)
	}
	return r.loadEntries(ctx, dir, dir, left)
}

// sizeUnit is what a byte of a stand-in for a data file stands for.
const sizeUnit = 1 << 10

// writeTOC makes an archive without data for pg_restore. It builds the indexes
// of large tables first if it sees large data files: so each has a stand-in,
// with a hole in place of the data.
func (r *run) writeTOC(dir string, left map[pgarchive.DumpID]bool, sizes map[pgarchive.DumpID]int64) error {
	toc := r.tocForTool(left)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := pgarchive.WriteTOC(&text, toc); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "toc.dat"), text.Bytes(), 0o600); err != nil {
		return err
	}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		n := sizes[e.ID] / sizeUnit
		if e.Desc != pgarchive.DescTableData || n == 0 {
			continue
		}
		path := filepath.Join(dir, e.File)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(path, n); err != nil {
			return err
		}
	}
	return nil
}

// largeObjectGroup starts the tag of the ACL of a group of large objects, which
// pg_restore 17 applies to each of them.
const largeObjectGroup = "LARGE OBJECTS "

// tocForTool gives the table of contents in a version that pg_restore reads. An
// older one lacks nothing that is needed, but for the ACLs of groups of large
// objects: those are left out, and named.
func (r *run) tocForTool(left map[pgarchive.DumpID]bool) *pgarchive.TOC {
	toc := &pgarchive.TOC{Header: r.source.toc.Header, Entries: slices.Clone(r.source.toc.Entries)}
	h := &toc.Header
	h.Version = h.Version.ReadBy(r.tool.Version.Major)
	h.Format, h.Algorithm, h.Level = pgarchive.FormatTar, pgarchive.None, 0
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.HadDumper { // what a file says is no path of ours
			e.File = fmt.Sprintf("%d.dat", e.ID)
		}
		if e.Desc == "ACL" && strings.HasPrefix(e.Tag, largeObjectGroup) && !h.Version.AtLeast(pgarchive.Version16) && !left[e.ID] {
			left[e.ID] = true
			r.warn("left out, only pg_restore 17 or newer can do it: grants on %s", strings.ToLower(e.Tag))
		}
	}
	return toc
}

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
	g.Go(func() (err error) {
		defer loader.Close()
		if c.places != nil {
			sizes, err = r.feedPlaces(gctx, loader, &read)
		} else {
			sizes, err = r.feedScript(gctx, loader, &read)
		}
		return err
	})
	err = g.Wait()
	if refused := (*pgload.Error)(nil); errors.As(err, &refused) {
		if damage := r.findDamage(ctx); damage != nil {
			err = fmt.Errorf("%w (the server met it as: %v)", damage, err)
		}
	}
	return sizes, err
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
// completes the table of contents.
func (r *run) feedScript(ctx context.Context, l *pgload.Loader, read *atomic.Int64) (map[pgarchive.DumpID]int64, error) {
	text, err := r.source.script.open(ctx, read)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	g, gctx := errgroup.WithContext(ctx)
	sink := &feedSink{run: r, feeder: l.NewFeeder(gctx, r.Jobs*pgload.BuffersPerJob), sizes: map[pgarchive.DumpID]int64{}}
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
			r.source.toc = result.TOC
		}
		return err
	})
	return sink.sizes, g.Wait()
}

// feedSink hands the data of a script on.
type feedSink struct {
	run    *run
	feeder *pgload.Feeder
	sizes  map[pgarchive.DumpID]int64
}

func (s *feedSink) Table(e *pgarchive.Entry, offset int64) (io.WriteCloser, error) {
	s.run.Progress.Database.Item()
	return &sizer{s.feeder.Table(loadTarget(e, offset)), s.sizes, e.ID}, nil
}

func (s *feedSink) LargeObject(blobs pgarchive.DumpID, oid uint32) (io.WriteCloser, error) {
	s.run.Progress.Database.Item()
	return &sizer{s.feeder.LargeObject(oid), s.sizes, blobs}, nil
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
// of a partitioned table may be in any partition, which must not be emptied.
func loadTarget(e *pgarchive.Entry, offset int64) pgload.Target {
	name := pgload.QualifiedName(e.Namespace.String, e.Tag)
	t := pgload.Target{Name: name, Copy: e.CopyStmt.String, Offset: offset}
	if !e.Defn.Valid {
		t.Empty = "TRUNCATE TABLE ONLY " + name
	}
	return t
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
	w := feeder.Table(loadTarget(t.entry, -1))
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, &countReader{ctx, text, read}, buf); err != nil {
		return err
	}
	return w.Close()
}
