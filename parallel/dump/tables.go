package dump

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

func readTables(ctx context.Context, s *server.Session) (tables []table, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, listTables)
		if err != nil {
			return err
		}
		tables, err = pgx.CollectRows(rows, pgx.RowToStructByPos[table])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	return tables, nil
}

// maxLockRounds bounds how often the lock is begun anew because the tables
// changed, and how often, within that, more tables turn up.
const maxLockRounds = 20

// errTablesChanged says that the tables changed between listing and locking.
var errTablesChanged = errors.New("tables keep being created, dropped or rewritten")

// lockAndExport locks every table and exports a snapshot taken after that. The
// session's transaction stays open: the snapshot lives as long as it does.
func (r *run) lockAndExport(ctx context.Context, s *server.Session) (snapshot string, err error) {
	// A query in the transaction would take its snapshot, so another session
	// lists the tables.
	lister, err := r.Server.Open(ctx, r.Database, r.application())
	if err != nil {
		return "", err
	}
	defer lister.Close()
	for range maxLockRounds {
		snapshot, err = r.tryLock(ctx, s, lister)
		if err == nil || !retryLock(err) {
			return snapshot, err
		}
		if err := s.Exec(ctx, "ROLLBACK"); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("lock the tables (%d tries): %w", maxLockRounds, err)
}

// retryLock tells whether the tables were only changed in between: the list
// differs, a table of the list is gone (42P01, 3F000, and XX000 "could not open
// relation" when it goes at the very moment), or the server broke a deadlock
// with somebody who rewrites several (40P01).
func retryLock(err error) bool {
	if errors.Is(err, errTablesChanged) {
		return true
	}
	switch server.SQLState(err) {
	case "42P01", "3F000", "XX000", "40P01":
		return true
	}
	return false
}

// tryLock locks what is listed, and lists again, until everything listed is
// locked: from then on only new tables can come. Then it takes the snapshot,
// which must show the same tables, with the same files.
func (r *run) tryLock(ctx context.Context, s, lister *server.Session) (snapshot string, err error) {
	begin := fmt.Sprintf("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = %d", r.LockWait.Milliseconds())
	if err := s.Exec(ctx, begin); err != nil {
		return "", fmt.Errorf("lock the tables: %w", err)
	}
	tables, err := r.lockAll(ctx, s, lister)
	if err != nil {
		return "", err
	}
	r.step("tables locked")
	if err := s.Exec(ctx, "SET LOCAL lock_timeout = 0"); err != nil {
		return "", err
	}
	if err := s.Scan(ctx, "SELECT pg_catalog.pg_export_snapshot()", &snapshot); err != nil {
		return "", fmt.Errorf("export the snapshot: %w", err)
	}
	seen, err := readTables(ctx, s)
	if err != nil {
		return "", err
	}
	if !slices.Equal(tables, seen) {
		return "", errTablesChanged
	}
	return snapshot, nil
}

// lockAll returns the tables as they were listed when all of them were locked.
func (r *run) lockAll(ctx context.Context, s, lister *server.Session) ([]table, error) {
	locked := map[table]bool{} // by name too: LOCK goes by it, and another table may have got it meanwhile
	key := func(t table) table { t.Node = 0; return t }
	for range maxLockRounds {
		tables, err := readTables(ctx, lister)
		if err != nil {
			return nil, err
		}
		r.step("tables listed")
		more := slices.DeleteFunc(slices.Clone(tables), func(t table) bool { return locked[key(t)] })
		if len(more) == 0 {
			return tables, nil
		}
		if err := s.Exec(ctx, lockTables(more)); err != nil {
			return nil, fmt.Errorf("lock the tables: %w", err)
		}
		for _, t := range more {
			locked[key(t)] = true
		}
	}
	return nil, errTablesChanged
}

// lockTables is a LOCK, which takes no snapshot: that of the transaction is
// the one of the statement after it.
func lockTables(tables []table) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = "ONLY " + pgx.Identifier{t.Schema, t.Name}.Sanitize()
	}
	return "LOCK TABLE " + strings.Join(names, ", ") + " IN ACCESS SHARE MODE"
}
