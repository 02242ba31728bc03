package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgload"
	"odx/parallel/server"
)

// findLoaded tells which tables of a round have their rows. The journal says so
// of all but the last ones; a COPY is one transaction, so of those a table with
// rows has all of its rows. Unlogged tables have lost theirs in a crash. Where
// that does not hold (INSERT statements, rows that go through the root of a
// partitioned table) the tables are emptied, to be loaded anew.
func (r *run) findLoaded(ctx context.Context, entries []pgarchive.DumpID, noted map[pgarchive.DumpID]bool, unlogged map[tableKey]bool) (map[pgarchive.DumpID]bool, error) {
	session, byID := r.keeping.journal.session, r.source.toc.ByID()
	roots := map[string]bool{} // not whole
	loaded, extensions := map[pgarchive.DumpID]bool{}, r.dataOfExtensions()
	var throughRoot []*pgarchive.Entry
	for _, id := range entries {
		e := byID[id]
		if e.Desc != pgarchive.DescTableData {
			continue
		}
		var err error
		name, isNoted := pgload.QualifiedName(e.Namespace.String, e.Tag), noted[id]
		isUnlogged := unlogged[tableKey{e.Namespace.String, e.Tag}]
		switch {
		case e.Defn.Valid && isNoted && !isUnlogged:
			throughRoot, loaded[id] = append(throughRoot, e), true
		case e.Defn.Valid:
			throughRoot = append(throughRoot, e)
			roots[rootOf(e)] = true
		case isNoted && !isUnlogged:
			loaded[id] = true
		case !e.CopyStmt.Valid:
			err = session.Exec(ctx, "TRUNCATE TABLE ONLY "+name)
		default:
			if loaded[id], err = r.hasRows(ctx, name); err == nil && !loaded[id] && !isNoted && !extensions[id] {
				err = session.Exec(ctx, "TRUNCATE TABLE ONLY "+name) // a COPY that broke off has left dead rows
			}
		}
		if err != nil {
			return nil, fmt.Errorf("look what of table %s is loaded: %w", name, err)
		}
	}
	return loaded, r.emptyRoots(ctx, roots, throughRoot, loaded)
}

// emptyRoots empties partitioned tables that are not whole.
func (r *run) emptyRoots(ctx context.Context, roots map[string]bool, entries []*pgarchive.Entry, loaded map[pgarchive.DumpID]bool) error {
	for root := range roots {
		if err := r.keeping.journal.session.Exec(ctx, "TRUNCATE TABLE "+root); err != nil {
			return fmt.Errorf("empty table %s, which is loaded anew: %w", root, err)
		}
	}
	for _, e := range entries {
		if roots[rootOf(e)] {
			delete(loaded, e.ID)
		}
	}
	return nil
}

// rootOf gives the table that an entry's COPY names, as it stands there.
func rootOf(e *pgarchive.Entry) string {
	text := strings.TrimPrefix(e.CopyStmt.String, "COPY ")
	for i, isQuoted := 0, false; i < len(text); i++ {
		switch text[i] {
		case '"':
			isQuoted = !isQuoted
		case ' ':
			if !isQuoted {
				return text[:i]
			}
		}
	}
	return text
}

// hasRows tells whether a table has more rows than it was made with. Policies that
// hold for its owner too would hide them; they are switched on when the rows are in.
func (r *run) hasRows(ctx context.Context, name string) (has bool, err error) {
	err = r.keeping.journal.session.Do(func(c *pgx.Conn) error {
		if err := c.QueryRow(ctx, "SELECT pg_catalog.row_security_active($1)", name).Scan(&has); err != nil || has {
			return err
		}
		var had int64
		if err := c.QueryRow(ctx, "SELECT COALESCE((SELECT rows FROM "+journalSchema+".had WHERE name = $1), 0)", name).Scan(&had); err != nil {
			return err
		}
		return c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ONLY "+name+" OFFSET $1)", had).Scan(&has)
	})
	return has, err
}

// dataOfExtensions gives the entries whose tables extensions have made.
func (r *run) dataOfExtensions() map[pgarchive.DumpID]bool {
	made := map[tableKey]bool{}
	for i := range r.source.toc.Entries {
		if e := &r.source.toc.Entries[i]; e.Desc == pgarchive.DescTable {
			made[tableKey{e.Namespace.String, e.Tag}] = true
		}
	}
	set := map[pgarchive.DumpID]bool{}
	for i := range r.source.toc.Entries {
		if e := &r.source.toc.Entries[i]; e.Desc == pgarchive.DescTableData && !made[tableKey{e.Namespace.String, e.Tag}] {
			set[e.ID] = true
		}
	}
	return set
}

// countBefore notes how many rows the tables have that extensions have made.
func (r *run) countBefore(ctx context.Context) error {
	byID := r.source.toc.ByID()
	for id := range r.dataOfExtensions() {
		name := pgload.QualifiedName(byID[id].Namespace.String, byID[id].Tag)
		err := r.keeping.journal.session.Exec(ctx, "INSERT INTO "+journalSchema+".had SELECT $1, count(*) FROM ONLY "+name, name)
		if state := server.SQLState(err); state == "42P01" || state == "3F000" || state == "42501" { // made later, or not the owner's to read
			continue
		}
		if err != nil {
			return fmt.Errorf("count the rows of table %s: %w", name, err)
		}
	}
	return nil
}

// unlogged lists the tables that a crash empties, and the sequences that it resets.
func (r *run) unlogged(ctx context.Context) (map[tableKey]bool, error) {
	set := map[tableKey]bool{}
	err := r.keeping.journal.session.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'S')`)
		if err != nil {
			return err
		}
		var k tableKey
		_, err = pgx.ForEachRow(rows, []any{&k.schema, &k.name}, func() error {
			set[k] = true
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for unlogged tables: %w", err)
	}
	return set, nil
}

// unloggedWithRows lists the tables that a crash would empty.
func unloggedWithRows(ctx context.Context, s *server.Session) (list []string, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence = 'u' AND c.relkind = 'r' ORDER BY 1`)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, name := range names {
			var has bool
			if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ONLY "+name+")").Scan(&has); err != nil {
				return err
			}
			if has {
				list = append(list, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for unlogged tables: %w", err)
	}
	return list, nil
}

// checkUnlogged refuses a database of the last stage that has lost rows.
func (r *run) checkUnlogged(ctx context.Context) error {
	if len(r.keeping.record.Unlogged) == 0 {
		return nil
	}
	s, err := r.openTarget(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	now, err := unloggedWithRows(ctx, s)
	if err == nil && !slices.Equal(now, r.keeping.record.Unlogged) {
		err = fmt.Errorf("the restore %s %w: the server has crashed since, and that has emptied its unlogged tables (of %s)",
			r.Resume, ErrResume, strings.Join(r.keeping.record.Unlogged, ", "))
	}
	return err
}
