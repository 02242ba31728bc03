package restore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/server"
)

// remaining gives what is left to be done of a round that an earlier run has begun,
// and whether that is in doubt: then pg_restore drops each object before it makes
// it, as far as it is there.
func (r *run) remaining(ctx context.Context, i int, now round) (entries []pgarchive.DumpID, inDoubt bool, err error) {
	if !r.keeping.resumed {
		return now.entries, false, nil
	}
	if now.last {
		if entries, err = r.withoutSubscriptions(ctx, now.entries); err == nil {
			entries, err = r.fillPublications(ctx, now, entries)
		}
		return entries, true, err
	}
	if !r.keeping.journal.has(i, roundBegun) {
		return now.entries, false, nil
	}
	unlogged, err := r.unlogged(ctx)
	if err != nil {
		return nil, false, err
	}
	noted := r.noted(i, now.entries)
	loaded, err := r.findLoaded(ctx, now.entries, noted, unlogged)
	if err != nil {
		return nil, false, err
	}
	attached, err := r.attachedIndexes(ctx)
	if err != nil {
		return nil, false, err
	}
	byID := r.source.toc.ByID()
	for _, id := range now.entries {
		e := byID[id]
		if r.isFinished(i, e, noted, loaded, unlogged) || isIndex(e.Desc) && attached[tableKey{e.Namespace.String, e.Tag}] {
			r.finished(id)
			continue
		}
		entries = append(entries, id)
	}
	if !r.keeping.journal.has(i, roundDone) {
		entries, err = r.fillPublications(ctx, now, entries)
	}
	return entries, true, err
}

// noted gives the entries of a round that the journal has, or all if the round is
// done, and what they depend on: pg_restore begins nothing before that has ended,
// even if its own line is lost. What comes after the rows waits for those of its
// table.
func (r *run) noted(i int, entries []pgarchive.DumpID) map[pgarchive.DumpID]bool {
	j, byID, rows := r.keeping.journal, r.source.toc.ByID(), map[pgarchive.DumpID][]pgarchive.DumpID{}
	isDone := j.has(i, roundDone)
	var found []pgarchive.DumpID
	for _, id := range entries {
		if isDone || j.has(i, id) {
			found = append(found, id)
		}
		if e := byID[id]; e.Desc == pgarchive.DescTableData {
			for _, d := range e.Dependencies {
				rows[d] = append(rows[d], id)
			}
		}
	}
	set := map[pgarchive.DumpID]bool{}
	for len(found) > 0 {
		last := len(found) - 1
		e := byID[found[last]]
		found = found[:last]
		if e == nil || set[e.ID] {
			continue
		}
		set[e.ID] = true
		found = append(found, e.Dependencies...)
		if e.Section == pgarchive.SectionPostData {
			for _, d := range e.Dependencies {
				found = append(found, rows[d]...)
			}
		}
	}
	return set
}

// isIndex tells whether an entry is about an index, its constraint or its place in
// that of a partitioned table.
func isIndex(desc string) bool {
	return desc == "INDEX" || desc == pgarchive.DescIndexAttach || desc == "CONSTRAINT"
}

// attachedIndexes lists the indexes of partitions that are attached to those of
// partitioned tables, and the latter, by the tags of their entries: they are there
// as a whole, and none could be dropped by itself to be made again.
func (r *run) attachedIndexes(ctx context.Context) (map[tableKey]bool, error) {
	tags := map[tableKey]bool{}
	err := r.keeping.journal.session.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT n.nspname, i.relname, t.relname
			FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class i ON i.oid IN (h.inhrelid, h.inhparent) AND i.relkind IN ('i', 'I')
			JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
			JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace`)
		if err != nil {
			return err
		}
		var schema, index, table string
		_, err = pgx.ForEachRow(rows, []any{&schema, &index, &table}, func() error {
			tags[tableKey{schema, index}], tags[tableKey{schema, table + " " + index}] = true, true
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the indexes of partitions: %w", err)
	}
	return tags, nil
}

// isFinished tells whether an entry of a round that was begun needs nothing more.
// A crash resets sequences that are not logged, even if the round is done.
func (r *run) isFinished(i int, e *pgarchive.Entry, noted, loaded map[pgarchive.DumpID]bool, unlogged map[tableKey]bool) bool {
	j := r.keeping.journal
	switch {
	case e.Desc == pgarchive.DescTableData:
		return loaded[e.ID]
	case e.Desc == "SEQUENCE SET" && unlogged[tableKey{e.Namespace.String, e.Tag}]:
		return false
	}
	return noted[e.ID] || e.Section == pgarchive.SectionPreData && j.has(i, definitionsMade) && !isPreamble(e.Desc)
}

// fillPublications adds to publications what they may have already: nothing drops
// that, unless the publication itself is made again.
func (r *run) fillPublications(ctx context.Context, now round, entries []pgarchive.DumpID) (rest []pgarchive.DumpID, err error) {
	byID := r.source.toc.ByID()
	again := map[pgarchive.DumpID]bool{}
	for _, id := range entries {
		again[id] = byID[id].Desc == "PUBLICATION"
	}
	for _, id := range entries {
		e := byID[id]
		if !strings.HasPrefix(e.Desc, "PUBLICATION TABLE") || dependsOn(e, again) {
			rest = append(rest, id)
			continue
		}
		open := r.openTarget
		if now.connecting {
			open = func(ctx context.Context) (*server.Session, error) {
				return r.Server.Open(ctx, r.target.temp, r.application())
			}
		}
		s, err := open(ctx)
		if err != nil {
			return nil, err
		}
		err = s.Exec(ctx, e.Defn.String)
		s.Close()
		if err != nil && server.SQLState(err) != "42710" { // duplicate_object
			return nil, fmt.Errorf("%s: %w", entryName(e), err)
		}
	}
	return rest, nil
}

// withoutSubscriptions leaves out those that are there: dropping one would drop
// its slot on another server.
func (r *run) withoutSubscriptions(ctx context.Context, entries []pgarchive.DumpID) (rest []pgarchive.DumpID, err error) {
	byID := r.source.toc.ByID()
	for _, id := range entries {
		if e := byID[id]; e.Desc == "SUBSCRIPTION" {
			var there bool
			err := r.target.admin.Do(func(c *pgx.Conn) error {
				return c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
					WHERE d.datname = $1 AND s.subname = $2)`, r.target.temp, e.Tag).Scan(&there)
			})
			if err != nil {
				return nil, fmt.Errorf("look for subscriptions: %w", err)
			}
			if there {
				continue
			}
		}
		rest = append(rest, id)
	}
	return rest, nil
}
