package restore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// strays lists, as ALTER statements for the role $1, what the current role
// owns in the database and any role may own. Event triggers, foreign data
// wrappers and the like stay a superuser's, languages too. A type that is only
// declared has to keep its owner until it is made.
const strays = `
SELECT pg_catalog.format('ALTER %s %s OWNER TO %I', replace(i.type, 'aggregate', 'routine'), i.identity, $1::text)
FROM (
  SELECT 'pg_catalog.pg_proc'::regclass AS class, oid, proowner AS owner FROM pg_catalog.pg_proc
  UNION ALL
  SELECT 'pg_catalog.pg_type'::regclass, oid, typowner FROM pg_catalog.pg_type t
  WHERE typisdefined AND typtype <> 'm' AND typrelid = 0
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
  UNION ALL
  SELECT 'pg_catalog.pg_operator'::regclass, oid, oprowner FROM pg_catalog.pg_operator
  UNION ALL
  SELECT 'pg_catalog.pg_opclass'::regclass, oid, opcowner FROM pg_catalog.pg_opclass
  UNION ALL
  SELECT 'pg_catalog.pg_opfamily'::regclass, oid, opfowner FROM pg_catalog.pg_opfamily
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_server'::regclass, oid, srvowner FROM pg_catalog.pg_foreign_server
  UNION ALL
  SELECT 'pg_catalog.pg_class'::regclass, oid, relowner FROM pg_catalog.pg_class WHERE relkind = 'f'
) o, pg_catalog.pg_identify_object(o.class, o.oid, 0) i
WHERE o.oid >= 16384 -- FirstNormalObjectId: below it initdb made it
  AND o.owner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')`

// handOver gives the owner what the connecting role has made for it.
func (r *run) handOver(ctx context.Context) error {
	s, err := r.Server.Open(ctx, r.target.temp, r.application())
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, strays, r.target.owner)
		if err != nil {
			return fmt.Errorf("list what the owner is to own: %w", err)
		}
		statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("list what the owner is to own: %w", err)
		}
		for _, sql := range statements {
			if _, err := c.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
}
