package dump

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// relation is a table with rows of its own, as far as its size goes.
type relation struct {
	schema, name string
	bytes        int64 // on disk, TOAST included
	pages        int64 // of the heap; 0 where ranges of pages cannot be read by themselves
}

// relations are the tables by their OIDs.
type relations map[uint32]relation

// total gives the size of all tables in bytes.
func (r relations) total() (bytes int64) {
	for _, t := range r {
		bytes += t.bytes
	}
	return bytes
}

// readRelations reads the sizes of the tables. Ranges of pages can be read
// from 14 on, of tables whose access method is heap (OID 2).
func readRelations(ctx context.Context, c *pgx.Conn, version int) (relations, error) {
	pages := "0::bigint"
	if version >= 140000 {
		pages = `CASE c.relam WHEN 2 THEN COALESCE(pg_catalog.pg_relation_size(c.oid), 0)
			/ pg_catalog.current_setting('block_size')::bigint ELSE 0 END`
	}
	rows, err := c.Query(ctx, `
		SELECT c.oid, n.nspname, c.relname, COALESCE(pg_catalog.pg_table_size(c.oid), 0), `+pages+`
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence <> 't'
		  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`)
	if err != nil {
		return nil, err
	}
	all := relations{}
	var oid uint32
	var t relation
	_, err = pgx.ForEachRow(rows, []any{&oid, &t.schema, &t.name, &t.bytes, &t.pages}, func() error {
		all[oid] = t
		return nil
	})
	return all, err
}
