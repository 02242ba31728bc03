package advise

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// reserve are the connections that a dump needs beside its jobs.
const reserve = 4

// listTables returns the tables that a dump reads, largest first. Without a
// right to read them no dump is possible, and it says so itself.
func listTables(ctx context.Context, s *server.Session) (tables []Table, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT n.nspname, c.relname, pg_table_size(c.oid)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
				AND pg_relation_size(c.oid) > 0
				AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
			ORDER BY 3 DESC, 1, 2`)
		if err != nil {
			return err
		}
		tables, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Table])
		return err
	})
	return tables, err
}

// pattern returns what names this table alone to pg_dump's options: within
// double quotes nothing but these has a meaning.
func (t Table) pattern() string {
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	return quote(t.Schema) + "." + quote(t.Name)
}
