package scratch

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odx/parallel/odoo"
	"odx/parallel/server"
)

// open opens a session in the restored database. What the dump sets for the
// database does not choose which functions are called, nor hide rows.
func (t *trial) open(ctx context.Context) (*server.Session, error) {
	s, err := t.settings(t.user()).Open(ctx, database, "odx verify")
	if err != nil {
		return nil, err
	}
	if err := s.Exec(ctx, "SET search_path = pg_catalog, pg_temp; SET row_security = off; SET default_transaction_read_only = on"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// compare asks everything.
func (t *trial) compare(ctx context.Context) error {
	rows, err := t.compareRows(ctx)
	if err != nil {
		return err
	}
	t.report.Checks = append(t.report.Checks, rows)
	s, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Scan(ctx, "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", &t.report.Bytes); err != nil {
		return err
	}
	for _, ask := range []func(context.Context, *server.Session) (Check, error){t.objects, indexes, sequences} {
		check, err := ask(ctx, s)
		if err != nil {
			return err
		}
		t.report.Checks = append(t.report.Checks, check)
	}
	return t.askOdoo(ctx, s)
}

// objects compares how many large objects there are.
func (t *trial) objects(ctx context.Context, s *server.Session) (Check, error) {
	c := Check{Name: "large objects", Damage: true, Found: []string{}, Means: "after a restore there are other large objects than the dump says"}
	var n int64
	err := s.Scan(ctx, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata", &n)
	if err == nil && n != t.Objects {
		c.fail("%d large objects, and the dump has %d", n, t.Objects)
	}
	return c, err
}

// indexes looks for those that are there and not used. One on a table with
// partitions may be so: it waits for those of all partitions.
func indexes(ctx context.Context, s *server.Session) (Check, error) {
	c := Check{Name: "indexes", Damage: true, Found: []string{}, Means: "the index is not used, and keeps no values unique"}
	err := eachRow(ctx, s, `SELECT n.nspname, i.relname, t.relname FROM pg_catalog.pg_index x
		JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
		WHERE i.relkind = 'i' AND NOT (x.indisvalid AND x.indisready AND x.indislive) ORDER BY 1, 2`,
		func(v []string) { c.fail("%s.%s of table %s is invalid", v[0], v[1], v[2]) })
	return c, err
}

// sequenceQuery finds columns of whole numbers that take their values from a
// sequence of their own.
const sequenceQuery = `SELECT sn.nspname, sc.relname, tn.nspname, tc.relname, a.attname, s.seqincrement::text FROM pg_catalog.pg_sequence s
	JOIN pg_catalog.pg_class sc ON sc.oid = s.seqrelid JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace
	JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = s.seqrelid
		AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
	JOIN pg_catalog.pg_class tc ON tc.oid = d.refobjid AND tc.relkind IN ('r', 'p') JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
	JOIN pg_catalog.pg_attribute a ON a.attrelid = tc.oid AND a.attnum = d.refobjsubid
	WHERE s.seqincrement > 0 AND NOT s.seqcycle AND a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype)
	ORDER BY 1, 2`

// sequences looks for those that would give a number which is taken.
func sequences(ctx context.Context, s *server.Session) (Check, error) {
	c := Check{Name: "sequences", Found: []string{}, Means: "new records get numbers that are taken, and fail, until setval() puts the sequence ahead; the source may be so itself"}
	var columns [][]string
	if err := eachRow(ctx, s, sequenceQuery, func(v []string) { columns = append(columns, v) }); err != nil {
		return c, err
	}
	for _, v := range columns {
		sequence, column := pgx.Identifier{v[0], v[1]}.Sanitize(), pgx.Identifier{v[4]}.Sanitize()
		var most, next string
		var taken bool
		err := s.Scan(ctx, fmt.Sprintf(`SELECT COALESCE(most, 0)::text, next::text, COALESCE(next <= most, false)
			FROM (SELECT pg_catalog.max(%s) FROM %s) t (most), (SELECT last_value::numeric + CASE WHEN is_called THEN %s ELSE 0 END FROM %s) s (next)`,
			column, pgx.Identifier{v[2], v[3]}.Sanitize(), v[5], sequence), &most, &next, &taken)
		switch {
		case server.SQLState(err) == insufficientPrivilege:
			continue // what row security hides has been named with the rows
		case err != nil:
			return c, fmt.Errorf("look at sequence %s: %w", sequence, err)
		case taken:
			c.fail("%s.%s goes on with %s, and %s.%s has %s up to %s", v[0], v[1], next, v[2], v[3], v[4], most)
		}
	}
	return c, nil
}

// askOdoo asks what Odoo asks when it starts.
func (t *trial) askOdoo(ctx context.Context, s *server.Session) error {
	var info odoo.Info
	err := s.Do(func(c *pgx.Conn) (err error) {
		info, err = odoo.Inspect(ctx, c)
		return err
	})
	if err != nil || !info.IsOdoo {
		return err
	}
	t.report.IsOdoo = true
	base := Check{Name: "module base", Damage: true, Found: []string{}, Means: "Odoo does not start on this database"}
	var state *string
	if err := s.Scan(ctx, "SELECT (SELECT state::text FROM public.ir_module_module WHERE name = 'base' LIMIT 1)", &state); err != nil {
		return err
	}
	switch {
	case state == nil:
		base.fail("the module is not in ir_module_module")
	case *state != "installed" && *state != "to upgrade":
		base.fail("its state is %s", *state)
	}
	users, err := countUsers(ctx, s)
	if err != nil {
		return err
	}
	uuid := Check{Name: "database.uuid", Found: []string{}, Means: "the database has no identity; Odoo gives it one when base is updated"}
	if info.UUID == "" {
		uuid.fail("the parameter is missing or empty")
	}
	t.report.Checks = append(t.report.Checks, base, users, uuid)
	return nil
}

func countUsers(ctx context.Context, s *server.Session) (Check, error) {
	c := Check{Name: "users", Damage: true, Found: []string{}, Means: "nobody can log in"}
	var there bool
	var n int64
	err := s.Scan(ctx, "SELECT pg_catalog.to_regclass('public.res_users') IS NOT NULL", &there)
	if err == nil && there {
		err = s.Scan(ctx, "SELECT pg_catalog.count(*) FROM public.res_users WHERE active", &n)
	}
	if err == nil && n == 0 {
		c.fail("res_users has no active user")
	}
	return c, err
}

// eachRow runs a query that gives names, and hands on each row.
func eachRow(ctx context.Context, s *server.Session, sql string, row func(names []string)) error {
	return s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (names []string, _ error) {
			for _, name := range r.RawValues() {
				names = append(names, string(name))
			}
			return names, nil
		})
		for _, names := range all {
			row(names)
		}
		return err
	})
}
