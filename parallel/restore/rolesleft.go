package restore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// RoleLeft is a role that the record of a killed run says was made for it.
type RoleLeft struct {
	Name string `json:"name"`
	// Stays says why it is not removed; "" if it was.
	Stays string `json:"stays,omitempty"`
}

// findRoles looks at the roles that the record names. It is a comment, which
// whoever made the database could write: what odx would not have made so, or what
// somebody has changed or given to another since, stays. Roles that are gone are
// left out.
func (u *Unfinished) findRoles(ctx context.Context, admin *server.Session) (list []RoleLeft, err error) {
	if u.isReplaced() || len(u.Record.Roles) == 0 {
		return nil, nil
	}
	return examineRoles(ctx, admin, u.Record.Roles, u.Name)
}

// examineRoles says of roles that were made for a database whether they stay. That
// they are not older than the database is seen as long as there is one.
func examineRoles(ctx context.Context, admin *server.Session, names []string, database string) (list []RoleLeft, err error) {
	// Since 16 a role without superuser that makes another gets the right to give
	// it to others, from the first superuser, and neither its rights nor the right
	// to become it.
	given := "true"
	if admin.Version >= 160000 {
		given = "NOT (m.grantor = 10 AND m.admin_option AND NOT m.inherit_option AND NOT m.set_option)"
	}
	err = admin.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT r.rolname::text, CASE
			WHEN r.oid <= d.oid THEN 'it is older than the database'
			WHEN r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls OR r.rolconnlimit <> -1
			     OR r.rolvaliduntil IS NOT NULL OR r.rolconfig IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = r.oid)
			     OR pg_catalog.strpos(pg_catalog.shobj_description(r.oid, 'pg_authid'), $3) <> 1
			THEN 'it was changed since'
			WHEN EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE r.oid IN (m.roleid, m.member) AND `+given+`)
			THEN 'it is a member of a role, or has members'
			WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.application_name LIKE 'odx restore%' AND a.pid <> pg_catalog.pg_backend_pid())
			THEN 'another odx restores at the moment, and may count on it'
			ELSE '' END
			FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_database d ON d.datname = $2
			WHERE r.rolname = ANY ($1) AND r.rolname !~ '^pg_' ORDER BY 1`, names, database, roleMark)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[RoleLeft])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look at the roles that were made for the restore: %w", err)
	}
	return list, nil
}

// dropRoles removes those that nothing speaks against. Where the server refuses
// (objects of other databases depend on them, or this role may not), they stay,
// and lose their mark.
func dropRoles(ctx context.Context, admin *server.Session, list []RoleLeft) error {
	var stay []string
	for i := range list {
		role := &list[i]
		if role.Stays == "" {
			if err := role.try(ctx, admin, "DROP ROLE IF EXISTS "+quote(role.Name)); err != nil {
				return err
			}
		}
		if role.Stays != "" {
			stay = append(stay, role.Name)
		}
	}
	return unmarkRoles(ctx, admin, stay)
}

// try does something with the role. If the server refuses it, the role stays.
func (role *RoleLeft) try(ctx context.Context, admin *server.Session, sql string) error {
	err := admin.Exec(ctx, sql)
	switch state := server.SQLState(err); {
	case err == nil:
	case state == "2BP01": // dependent_objects_still_exist
		role.Stays = "other objects depend on it, or are its own"
	case state != "":
		role.Stays = err.Error()
	default:
		return fmt.Errorf("drop role %q: %w", role.Name, err)
	}
	return nil
}
