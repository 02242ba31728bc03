package dump

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgcopy"
	"odx/parallel/server"
)

// direct dumps the database in the snapshot: pg_dump makes the table of
// contents, the rows and large objects are copied here.
func (r *run) direct(ctx context.Context, s *server.Session, sizes relations, dg *digester) error {
	w, err := r.planCopy(ctx, s)
	if err != nil {
		return err
	}
	// A table that is begun last would keep a single connection busy.
	slices.SortStableFunc(w.entries, func(a, b *pgarchive.Entry) int {
		return cmp.Compare(sizes[b.OID].bytes, sizes[a.OID].bytes)
	})
	f := &folder{dir: r.archiveDir(), compression: r.compression, entries: w.entries, digest: dg}
	o := w.options
	o.Objects, o.Sink = w.objects, f
	if o.Tables, err = w.tables(sizes); err != nil {
		return err
	}
	if err := r.copyRows(ctx, o, w.entries); err != nil {
		return err
	}
	return writeObjectLists(r.archiveDir(), w.toc, w.lists)
}

// copyPlan is what is copied, and the archive's folder with its table of
// contents.
type copyPlan struct {
	toc     *pgarchive.TOC
	entries []*pgarchive.Entry            // with rows, in the order of the table of contents
	filters map[uint32]string             // by OID of the table, see readFilters
	lists   map[pgarchive.DumpID][]uint32 // of large objects, by BLOBS entry
	objects []uint32                      // all of them
	options pgcopy.Options                // but for what is copied and where to
}

// planCopy reads the table of contents and begins the archive's folder.
func (r *run) planCopy(ctx context.Context, s *server.Session) (*copyPlan, error) {
	toc, err := r.readTOC(ctx)
	if err != nil {
		return nil, err
	}
	r.step("schema read")
	w := &copyPlan{toc: toc.Folder()}
	if err := r.writeTOC(w.toc); err != nil {
		return nil, fmt.Errorf("write the table of contents: %w", err)
	}
	if w.lists, err = w.toc.ObjectLists(); err != nil {
		return nil, err
	}
	for i := range w.toc.Entries {
		e := &w.toc.Entries[i]
		w.objects = append(w.objects, w.lists[e.ID]...)
		if e.Desc == pgarchive.DescTableData {
			w.entries = append(w.entries, e)
		}
	}
	if w.options, err = r.copyOptions(w.toc); err != nil {
		return nil, err
	}
	w.filters, err = readFilters(ctx, s, w.options.Encoding)
	return w, err
}

// copyRows copies what the options say, the rows of the entries among it.
func (r *run) copyRows(ctx context.Context, o pgcopy.Options, entries []*pgarchive.Entry) error {
	counts, err := pgcopy.Run(ctx, o)
	if errors.Is(err, pgcopy.ErrLockedOut) {
		return fmt.Errorf("%w: %w", ErrLockedOut, err)
	}
	if err == nil {
		r.reportTables(entries, counts)
	}
	return err
}

// copyOptions are those of the copying, but for what is copied and where to.
func (r *run) copyOptions(toc *pgarchive.TOC) (pgcopy.Options, error) {
	encoding := toc.Encoding()
	if encoding == "" {
		return pgcopy.Options{}, errors.New("pg_dump's table of contents names no encoding")
	}
	return pgcopy.Options{
		Server: r.Server, Database: r.Database, Application: r.application(), Snapshot: r.snapshot, Encoding: encoding,
		Compress: r.compression, Jobs: r.Jobs, Rate: r.Rate, Stretch: r.stretch, Progress: &r.Progress.Database,
		Begin: func(*pgcopy.Table) { r.step("table begun") },
	}, nil
}

// reportTables puts the tables into the report, instead of what an earlier
// attempt may have put there.
func (r *run) reportTables(entries []*pgarchive.Entry, counts []pgcopy.Count) {
	r.report.Tables = nil
	for i, c := range counts {
		name := entries[i].Namespace.String + "." + entries[i].Tag
		r.report.Tables = append(r.report.Tables, TableReport{Name: name, Rows: c.Rows, Text: c.Text})
	}
}

// writeTOC begins the archive's folder.
func (r *run) writeTOC(toc *pgarchive.TOC) (err error) {
	if err := os.Mkdir(r.archiveDir(), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(r.archiveDir(), "toc.dat"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return pgarchive.WriteTOC(f, toc)
}

// writeObjectLists writes the list of each BLOBS entry.
func writeObjectLists(dir string, toc *pgarchive.TOC, lists map[pgarchive.DumpID][]uint32) error {
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if !e.IsLargeObjects() {
			continue
		}
		var text []byte
		for _, oid := range lists[e.ID] {
			text = pgarchive.AppendLargeObject(text, oid)
		}
		if err := writeFile(filepath.Join(dir, e.File), text); err != nil {
			return fmt.Errorf("write the list of large objects: %w", err)
		}
	}
	return nil
}

// readFilters gives the conditions by which pg_dump dumps the rows of tables
// that extensions have for their configuration.
func readFilters(ctx context.Context, s *server.Session, encoding string) (map[uint32]string, error) {
	filters := map[uint32]string{}
	err := s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT t.oid, pg_catalog.convert_to(t.condition, $1)
			FROM pg_catalog.pg_extension e, LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS t(oid, condition)
			WHERE t.condition <> ''`, encoding)
		if err != nil {
			return err
		}
		var oid uint32
		var condition []byte
		_, err = pgx.ForEachRow(rows, []any{&oid, &condition}, func() error {
			filters[oid] = string(condition)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what extensions have in their tables: %w", err)
	}
	return filters, nil
}

// tables gives the tables of the entries, in their order.
func (w *copyPlan) tables(sizes relations) ([]pgcopy.Table, error) {
	tables := make([]pgcopy.Table, len(w.entries))
	for i, e := range w.entries {
		columns, err := copiedColumns(e.CopyStmt.String)
		if err != nil {
			return nil, fmt.Errorf("table %s.%s: %w", e.Namespace.String, e.Tag, err)
		}
		tables[i] = pgcopy.Table{
			OID: e.OID, Schema: e.Namespace.String, Name: e.Tag, Columns: columns,
			Filter: w.filters[e.OID], Bytes: sizes[e.OID].bytes, Pages: sizes[e.OID].pages,
		}
	}
	return tables, nil
}

// copyTarget is what a copy statement names: a schema and a table, either of
// them quoted where needed. Rows of a partition may be for its root.
var copyTarget = regexp.MustCompile(`^COPY (?:"(?:[^"]|"")*"|[^". ]+)\.(?:"(?:[^"]|"")*"|[^". ]+) `)

// copiedColumns gives the columns of a copy statement, with their parentheses;
// "" is none.
func copiedColumns(statement string) (string, error) {
	target := copyTarget.FindString(statement)
	columns, ok := strings.CutSuffix(strings.TrimPrefix(statement, target), " FROM stdin;\n")
	if target == "" || !ok || columns != "" && (columns[0] != '(' || columns[len(columns)-1] != ')') {
		return "", fmt.Errorf("pg_dump's copy statement is %.200q", statement)
	}
	return columns, nil
}
