package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/server"
)

// MissingRolesError is returned before any work when the archive has entries
// that cannot be restored without roles that the server does not have.
type MissingRolesError struct{ Roles []string }

func (e *MissingRolesError) Error() string {
	quoted := make([]string, len(e.Roles))
	for i, role := range e.Roles {
		quoted[i] = fmt.Sprintf("%q", role)
	}
	return "the server lacks roles that the dump's GRANTs or user mappings name: " + strings.Join(quoted, ", ")
}

// checkGrantees makes sure that the roles exist to which the archive grants
// something: GRANTs are the last that pg_restore does, hours may have gone by.
func (r *run) checkGrantees(ctx context.Context, admin *server.Session) error {
	missing, err := queryNames(ctx, admin, `SELECT name FROM unnest($1::text[]) name
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) ORDER BY 1`,
		rolesOf(r.source.toc, !r.NoPrivileges))
	if err != nil {
		return fmt.Errorf("look for the roles that the dump names: %w", err)
	}
	if len(missing) > 0 {
		return &MissingRolesError{Roles: missing}
	}
	return nil
}

// queryNames gives the one column of text that a query selects.
func queryNames(ctx context.Context, s *server.Session, sql string, args ...any) (names []string, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, err
}

// rolesOf lists the roles that have to exist for the archive's user mappings
// and, if they are restored, its GRANTs. Those on the database itself may be
// refused one by one.
func rolesOf(toc *pgarchive.TOC, grants bool) []string {
	roles := []string{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.Desc != "USER MAPPING" && !(grants && isACL(e.Desc)) || strings.HasPrefix(e.Tag, "DATABASE ") {
			continue
		}
		for _, tokens := range cutStatements(e.Defn.String, true) {
			roles = append(roles, rolesNamed(words(text(tokens)))...)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// rolesNamed finds the roles in a statement of pg_dump about privileges. Only
// keywords are in capitals without quotes.
func rolesNamed(w []string) (roles []string) {
	for _, before := range [][]string{{"FOR", "ROLE"}, {"USER", "MAPPING", "FOR"}, {"SESSION", "AUTHORIZATION"}, {"TO"}, {"FROM"}} {
		for i := range w {
			next := i + len(before)
			if matches(w[i:], before...) && next < len(w) && w[next] != "PUBLIC" && w[next] != "public" && w[next] != ";" {
				roles = append(roles, plain(w[next]))
			}
		}
	}
	return roles
}
