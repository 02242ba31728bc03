package scratch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"odx/parallel/server"
)

// Rows are how many rows the tables of a dump have. The zero value has none. It
// takes some 100 bytes for each table.
type Rows struct {
	mu     sync.Mutex
	tables map[table]int64
}

type table struct{ schema, name string }

func (t table) String() string { return t.schema + "." + t.name }

// Add counts more rows of a table, or says by a negative number that they are
// not known. It may be called from several goroutines.
func (r *Rows) Add(schema, name string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tables == nil {
		r.tables = map[table]int64{}
	}
	t := table{schema, name}
	if old, seen := r.tables[t]; n < 0 || seen && old < 0 {
		r.tables[t] = -1
	} else {
		r.tables[t] += n
	}
}

// sorted gives the tables by name.
func (r *Rows) sorted() []table {
	list := make([]table, 0, len(r.tables))
	for t := range r.tables {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b table) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// compareRows counts the rows of every table, Jobs tables at once.
func (t *trial) compareRows(ctx context.Context) (Check, error) {
	check := Check{Name: "row counts", Damage: true, Found: []string{},
		Means: "after a restore the table has other rows than the dump says"}
	var mu sync.Mutex
	tables := t.Rows.sorted()
	t.Progress.Objects.Start(int64(len(tables)))
	work := make(chan table)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		for _, name := range tables {
			select {
			case work <- name:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range t.Jobs {
		g.Go(func() error {
			s, err := t.open(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			for name := range work {
				got, reason, err := countRows(ctx, s, name)
				if err != nil {
					return fmt.Errorf("count the rows of %s: %w", name, err)
				}
				t.Progress.Objects.Add(1)
				mu.Lock()
				t.judge(&check, name, got, reason)
				mu.Unlock()
			}
			return nil
		})
	}
	err := g.Wait()
	slices.Sort(t.report.NotCompared)
	return check, err
}

// judge holds a table's rows against those in the dump.
func (t *trial) judge(check *Check, name table, got int64, reason string) {
	want := t.Rows.tables[name]
	if want < 0 && reason == "" {
		reason = "the dump has INSERT statements"
	}
	switch {
	case reason != "":
		t.report.NotCompared = append(t.report.NotCompared, name.String()+": "+reason)
		return
	case got < 0:
		check.fail("%s: the table is not there, and the dump has %d rows of it", name, want)
	case got != want:
		check.fail("%s: %d rows, and the dump has %d", name, got, want)
	}
	t.report.Tables++
	t.report.Rows += max(got, 0)
}

// kindQuery tells what a table is, and whether an extension made it.
const kindQuery = `SELECT c.relkind::text, EXISTS (SELECT FROM pg_catalog.pg_depend d
	WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $1 AND c.relname = $2`

// countRows counts the rows of a table as the dump's COPY would: of one with
// partitions all, else without those that inherit from it. It gives -1 where there
// is no such table, and a reason where its rows cannot be compared.
func countRows(ctx context.Context, s *server.Session, t table) (n int64, reason string, err error) {
	if !utf8.ValidString(t.schema + t.name) {
		return 0, "its name stands in the dump in another encoding than UTF-8", nil
	}
	var kind string
	var ofExtension bool
	err = s.Do(func(c *pgx.Conn) error { return c.QueryRow(ctx, kindQuery, t.schema, t.name).Scan(&kind, &ofExtension) })
	if err == pgx.ErrNoRows {
		return -1, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	name := pgx.Identifier{t.schema, t.name}.Sanitize()
	switch {
	case ofExtension:
		return 0, "an extension made the table, with rows of its own", nil
	case kind == "r":
		name = "ONLY " + name
	case kind != "p":
		return 0, "it is no table", nil
	}
	err = s.Scan(ctx, "SELECT pg_catalog.count(*) FROM "+name, &n)
	if server.SQLState(err) == insufficientPrivilege {
		return 0, "row security or privileges keep its rows from the role that restored it", nil
	}
	return n, "", err
}

const insufficientPrivilege = "42501"
