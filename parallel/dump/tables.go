package dump

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// table is one table that pg_dump will lock. Node is its relfilenode: TRUNCATE,
// CLUSTER and every other rewrite change it.
type table struct {
	OID, Node    uint32
	Schema, Name string
}

// Tables that an extension brings and the role may not read are left out, as
// pg_dump leaves them out.
const listTables = `
SELECT c.oid, c.relfilenode, n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
ORDER BY c.oid`

func readTables(ctx context.Context, c *pgx.Conn) ([]table, error) {
	rows, err := c.Query(ctx, listTables)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[table])
}

// maxLockRounds bounds how often the tables are listed and locked anew because
// they changed in between.
const maxLockRounds = 20

// errTablesChanged says that the tables changed between listing and locking.
var errTablesChanged = errors.New("tables keep being created, dropped or rewritten")

// lockAndExport locks every table and exports a snapshot taken after that. The
// session's transaction stays open: the snapshot lives as long as it does.
func (r *run) lockAndExport(ctx context.Context, s *server.Session) (snapshot string, err error) {
	for range maxLockRounds {
		snapshot, err = r.tryLock(ctx, s)
		if err == nil || !retryLock(err) {
			return snapshot, err
		}
		if err := s.Exec(ctx, "ROLLBACK"); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("lock the tables (%d tries): %w", maxLockRounds, errTablesChanged)
}

// retryLock tells whether the tables were only changed in between: the list
// differs, or a table of the list is gone (42P01, and XX000 "could not open
// relation" when it goes at the very moment).
func retryLock(err error) bool {
	state := server.SQLState(err)
	return errors.Is(err, errTablesChanged) || state == "42P01" || state == "3F000" || state == "XX000"
}

func (r *run) tryLock(ctx context.Context, s *server.Session) (snapshot string, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		tables, err := readTables(ctx, c)
		if err != nil {
			return fmt.Errorf("list the tables: %w", err)
		}
		r.step("tables listed")
		if err := lockTables(ctx, c, tables, r.LockWait); err != nil {
			return err
		}
		r.step("tables locked")
		if err := c.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&snapshot); err != nil {
			return fmt.Errorf("export the snapshot: %w", err)
		}
		seen, err := readTables(ctx, c)
		if err != nil {
			return fmt.Errorf("list the tables again: %w", err)
		}
		if !slices.Equal(tables, seen) {
			return errTablesChanged
		}
		return nil
	})
	return snapshot, err
}

// lockTables begins the transaction. LOCK takes no snapshot, so the snapshot
// of the transaction is the one of the statement after it.
func lockTables(ctx context.Context, c *pgx.Conn, tables []table, wait time.Duration) error {
	var sql strings.Builder
	sql.WriteString("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
	fmt.Fprintf(&sql, "SET LOCAL lock_timeout = %d;", wait.Milliseconds())
	for i, t := range tables {
		if i == 0 {
			sql.WriteString("LOCK TABLE ONLY ")
		} else {
			sql.WriteString(", ONLY ")
		}
		sql.WriteString(pgx.Identifier{t.Schema, t.Name}.Sanitize())
	}
	if len(tables) > 0 {
		sql.WriteString(" IN ACCESS SHARE MODE;")
	}
	sql.WriteString("SET LOCAL lock_timeout = 0;")
	if _, err := c.Exec(ctx, sql.String()); err != nil {
		return fmt.Errorf("lock the tables: %w", err)
	}
	return nil
}

// tableKey names a table as its TABLE DATA entry does.
type tableKey struct{ schema, name string }

// tableSizes gives the size on disk of each table's data, TOAST included.
func tableSizes(ctx context.Context, c *pgx.Conn) (map[tableKey]int64, error) {
	rows, err := c.Query(ctx, `
		SELECT n.nspname, c.relname, COALESCE(pg_catalog.pg_table_size(c.oid), 0)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence <> 't'
		  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`)
	if err != nil {
		return nil, err
	}
	sizes := map[tableKey]int64{}
	var k tableKey
	var size int64
	_, err = pgx.ForEachRow(rows, []any{&k.schema, &k.name, &size}, func() error {
		sizes[k] = size
		return nil
	})
	return sizes, err
}
