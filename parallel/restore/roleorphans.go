package restore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// A role that was made for a database can be dropped only after it, and then no
// record names it any more. So roles that are to go get a comment before the
// database goes: what is killed in between leaves a role that says what it is.
// Only who may drop a role may write its comment.

// roleMark begins the comment, and the name of the database goes on with it.
const roleMark = "odx: made for "

// OrphanRole is a role that was to be dropped with a database, and was not.
type OrphanRole struct {
	Name     string
	Database string // it was made for this one, which is gone
}

// markRoles writes the comments of roles that are to be dropped with a database.
// What the server refuses to comment on it would refuse to drop: it stays.
func markRoles(ctx context.Context, admin *server.Session, list []RoleLeft, database string) error {
	comment := literal(roleMark + database + " while it was restored, and is to be dropped: odx clean does it")
	for i := range list {
		if role := &list[i]; role.Stays == "" {
			if err := role.try(ctx, admin, "COMMENT ON ROLE "+quote(role.Name)+" IS "+comment); err != nil {
				return err
			}
		}
	}
	return nil
}

// unmarkRoles takes the comment from those of the roles that have it.
func unmarkRoles(ctx context.Context, admin *server.Session, names []string) error {
	if len(names) == 0 {
		return nil
	}
	marked, err := markedRoles(ctx, admin, names)
	for _, m := range marked {
		if err := admin.Exec(ctx, "COMMENT ON ROLE "+quote(m.Name)+" IS NULL"); err != nil {
			return fmt.Errorf("take the comment from role %q: %w", m.Name, err)
		}
	}
	return err
}

// markedRoles lists the roles that have the comment: those of the names, or all if
// that is nil.
func markedRoles(ctx context.Context, admin *server.Session, names []string) (list []OrphanRole, err error) {
	err = admin.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT r.rolname::text, pg_catalog.split_part(pg_catalog.substr(d, pg_catalog.length($1::text) + 1), ' ', 1)
			FROM pg_catalog.pg_roles r, pg_catalog.shobj_description(r.oid, 'pg_authid') d
			WHERE pg_catalog.strpos(d, $1) = 1 AND ($2::text[] IS NULL OR r.rolname = ANY ($2)) ORDER BY 1`, roleMark, names)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[OrphanRole])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for roles that were to be dropped: %w", err)
	}
	return list, nil
}

// OrphanRoles lists the roles that a killed process was about to drop: the database
// that they were made for is gone.
func OrphanRoles(ctx context.Context, admin *server.Session) (orphans []OrphanRole, err error) {
	list, err := markedRoles(ctx, admin, nil)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		exists, err := databaseExists(ctx, admin, o.Database)
		if err != nil {
			return nil, err
		}
		if !exists && strings.HasPrefix(o.Database, TempPrefix) {
			orphans = append(orphans, o)
		}
	}
	return orphans, nil
}

// Remove drops the role, unless it is used by then. There is none in the list if
// it is gone already.
func (o *OrphanRole) Remove(ctx context.Context, admin *server.Session) ([]RoleLeft, error) {
	list, err := examineRoles(ctx, admin, []string{o.Name}, o.Database)
	if err != nil {
		return nil, err
	}
	return list, dropRoles(ctx, admin, list)
}

// markNewRoles marks the roles that were made, before their database is dropped.
func (r *run) markNewRoles(ctx context.Context, admin *server.Session) error {
	list := make([]RoleLeft, len(r.newRoles))
	for i, name := range r.newRoles {
		list[i].Name = name
	}
	return markRoles(ctx, admin, list, r.target.temp)
}
