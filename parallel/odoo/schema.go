package odoo

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Querier runs SQL in one session: a *pgx.Conn or a pgx.Tx.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Beginner begins a transaction, or a savepoint within one: a *pgx.Conn or a
// pgx.Tx.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// schema holds the columns of tables in the schema public, by table, then by
// column. A table that does not exist is not in it.
type schema map[string]map[string]column

// column is what matters of a column to somebody who sets it.
type column struct {
	Kind     string // pg_type.typcategory
	Required bool   // NOT NULL
	Filled   bool   // has a default, or is generated
}

// Kinds of columns, as pg_type.typcategory has them.
const (
	kindText = "S"
	kindBool = "B"
	kindInt  = "N"
)

const selectColumns = `
SELECT c.relname::text, a.attname::text, t.typcategory::text, a.attnotnull,
       a.atthasdef OR a.attidentity <> ''
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname::text = ANY ($1::text[])
  AND a.attnum > 0 AND NOT a.attisdropped`

// readSchema reads which of the tables exist, and their columns.
func readSchema(ctx context.Context, q Querier, tables ...string) (schema, error) {
	rows, err := q.Query(ctx, selectColumns, tables)
	if err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	s := make(schema)
	var table, name string
	var c column
	_, err = pgx.ForEachRow(rows, []any{&table, &name, &c.Kind, &c.Required, &c.Filled}, func() error {
		if s[table] == nil {
			s[table] = make(map[string]column)
		}
		s[table][name] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	return s, nil
}

// has reports whether the table exists with all these columns.
func (s schema) has(table string, columns ...string) bool {
	if s[table] == nil {
		return false
	}
	for _, c := range columns {
		if _, ok := s[table][c]; !ok {
			return false
		}
	}
	return true
}
