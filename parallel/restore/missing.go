package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// MissingRoles says what becomes of the GRANTs, default privileges, policies
// and user mappings of roles that the server does not have.
type MissingRoles uint8

// SkipMissing leaves them out and names them: what a role that does not exist
// may do is of no use yet, and Odoo's own role, which owns all, needs none of it.
// Only what names such a role is taken out, so nobody else gets more than the
// dump gives. CreateMissing makes the roles, which may not log in. FailMissing
// refuses the dump before any work.
const (
	SkipMissing MissingRoles = iota
	CreateMissing
	FailMissing
)

// ParseMissingRoles reads skip, create or fail.
func ParseMissingRoles(text string) (MissingRoles, error) {
	for i, name := range []string{"skip", "create", "fail"} {
		if text == name {
			return MissingRoles(i), nil
		}
	}
	return 0, fmt.Errorf("%q: give skip, create or fail", text)
}

// MissingRolesError is returned before any work when the dump names roles that
// the server does not have, and FailMissing was asked for.
type MissingRolesError struct{ Roles []string }

func (e *MissingRolesError) Error() string {
	quoted := make([]string, len(e.Roles))
	for i, role := range e.Roles {
		quoted[i] = fmt.Sprintf("%q", role)
	}
	return "the server lacks roles that the dump's GRANTs, policies or user mappings name: " + strings.Join(quoted, ", ")
}

// knownRoles are the roles that an archive names, as the server has them.
type knownRoles map[string]roleState

// roleState says what can be done with a role.
type roleState struct {
	Exists bool
	Become bool // SET SESSION AUTHORIZATION may be used
	ActFor bool // its default privileges may be changed
}

// lookUp asks the server about roles.
func lookUp(ctx context.Context, admin *server.Session, owner string, names []string) (knownRoles, error) {
	known := knownRoles{}
	err := admin.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT n.name, r.oid IS NOT NULL, me.rolsuper OR r.rolname = me.rolname,
				r.oid IS NOT NULL AND (me.rolsuper OR pg_catalog.pg_has_role($2::text, r.oid, 'USAGE'))
			FROM unnest($1::text[]) n(name) LEFT JOIN pg_catalog.pg_roles r ON r.rolname = n.name,
				pg_catalog.pg_roles me WHERE me.rolname = session_user`, names, owner)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var state roleState
			var become *bool
			if err := rows.Scan(&name, &state.Exists, &become, &state.ActFor); err != nil {
				return err
			}
			state.Become = become != nil && *become
			known[name] = state
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("look for the roles that the dump names: %w", err)
	}
	return known, nil
}

// missing lists the roles, of these, that the server does not have.
func (k knownRoles) missing(names []string) (list []string) {
	for _, name := range names {
		if !k[name].Exists {
			list = append(list, name)
		}
	}
	return list
}

// checkMissing finds out before any work whether what the dump names roles for
// can be restored as asked. A script has that at its end, so it is read once
// more, unless what is missing is to be left out.
func (r *run) checkMissing(ctx context.Context, admin *server.Session) error {
	if r.MissingRoles == SkipMissing {
		return nil
	}
	toc := r.source.toc
	if r.source.script != nil && r.source.script.places == nil {
		r.Progress.SetPhase("reading the script for roles")
		whole, err := r.source.script.readAhead(ctx)
		if err != nil {
			return err
		}
		toc = whole
	}
	names := rolesOf(toc, !r.NoPrivileges)
	known, err := lookUp(ctx, admin, r.target.owner, names)
	if err != nil {
		return err
	}
	missing := known.missing(names)
	switch {
	case len(missing) == 0:
		return nil
	case r.MissingRoles == FailMissing:
		return &MissingRolesError{Roles: missing}
	}
	var me string
	var may bool
	err = admin.Scan(ctx, "SELECT rolname, rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user", &me, &may)
	if err == nil && !may {
		err = &RoleError{Role: me, Reason: "may not create roles (CREATEROLE), and the server lacks " + strings.Join(missing, ", ")}
	}
	return err
}

// createMissing makes the roles that the table of contents names and the server
// does not have, and notes each in the record in the same transaction. Names that
// only PostgreSQL itself may give are left.
func (r *run) createMissing(ctx context.Context) error {
	if r.MissingRoles != CreateMissing {
		return nil
	}
	names := rolesOf(r.source.toc, !r.NoPrivileges)
	known, err := lookUp(ctx, r.target.admin, r.target.owner, names)
	if err != nil {
		return err
	}
	for _, name := range known.missing(names) {
		if strings.HasPrefix(name, "pg_") {
			continue
		}
		record := r.keeping.record
		record.Roles = append(slices.Clone(r.newRoles), name)
		if err := r.target.noteWith(ctx, &record, "CREATE ROLE "+quote(name)+" NOLOGIN"); err != nil {
			return fmt.Errorf("create role %q: %w", name, err)
		}
		r.keeping.record, r.newRoles = record, record.Roles
		r.added(fmt.Sprintf("role %s, which may not log in (NOLOGIN)", quote(name)))
	}
	return nil
}

// dropNewRoles removes the roles that were made, after a failure. The database
// under construction is gone by then.
func (r *run) dropNewRoles(ctx context.Context, admin *server.Session) error {
	for len(r.newRoles) > 0 {
		if err := admin.Exec(ctx, "DROP ROLE IF EXISTS "+quote(r.newRoles[0])); err != nil {
			return fmt.Errorf("roles are left over that were made for the restore (%s): %w", strings.Join(r.newRoles, ", "), err)
		}
		r.newRoles = r.newRoles[1:]
	}
	return nil
}
