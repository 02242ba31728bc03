package odoo

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odx/dumpfmt"
)

// Addition is something that Odoo adds to a database of its own accord when it
// creates or restores one. It is not part of any backup.
type Addition struct {
	Name  string // for the report, such as "extension pg_trgm"
	Needs string // what the role must be allowed to do it
	// GrantsOnPublic marks a grant on the schema public, which is not to be
	// made where the backup brings grants of its own on it.
	GrantsOnPublic bool

	sql     string
	present string // an expression that is true where it is there already
}

// hasExtension is true where the extension is installed.
const hasExtension = `EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = '%s')`

// The function may be the extension's, or a wrapper that somebody made around
// it.
const unaccentImmutable = `EXISTS (SELECT FROM pg_catalog.pg_proc
WHERE oid = pg_catalog.to_regprocedure('public.unaccent(text)') AND provolatile = 'i')`

const publicMayCreate = `EXISTS (SELECT FROM pg_catalog.pg_namespace n,
  pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE')`

// Additions lists what an Odoo of the series adds on restore, in its order.
// unaccent says that its configuration asks for the extension.
func Additions(series dumpfmt.Series, unaccent bool) []Addition {
	var list []Addition
	major := series.Major()
	if major >= 16 {
		list = append(list, Addition{
			Name: "extension pg_trgm", Needs: "CREATE on the database",
			sql:     `CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public`,
			present: fmt.Sprintf(hasExtension, "pg_trgm"),
		})
	}
	if unaccent {
		list = append(list, Addition{
			Name: "extension unaccent", Needs: "CREATE on the database",
			sql:     `CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public`,
			present: fmt.Sprintf(hasExtension, "unaccent"),
		})
	}
	if unaccent && major >= 16 {
		list = append(list, Addition{
			Name: "function unaccent made immutable", Needs: "a superuser, who owns the function",
			sql:     `ALTER FUNCTION public.unaccent(text) IMMUTABLE`,
			present: unaccentImmutable,
		})
	}
	if major >= 17 {
		list = append(list, Addition{
			Name: "CREATE on the schema public for everybody", Needs: "ownership of the schema public",
			GrantsOnPublic: true,
			sql:            `GRANT CREATE ON SCHEMA public TO PUBLIC`,
			present:        publicMayCreate,
		})
	}
	return list
}

// Apply adds it, and reports false where it was there already. It works in a
// transaction of its own, or in a savepoint of tx, which can go on after an
// error. What the role may not do is a *pgconn.PgError with code 42501.
func (a Addition) Apply(ctx context.Context, db Beginner) (added bool, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var present bool
		if err := tx.QueryRow(ctx, "SELECT "+a.present).Scan(&present); err != nil || present {
			return err
		}
		if _, err := tx.Exec(ctx, a.sql); err != nil {
			return err
		}
		// A GRANT that grants nothing for want of rights is but a warning.
		if err := tx.QueryRow(ctx, "SELECT "+a.present).Scan(&added); err != nil {
			return err
		}
		if !added {
			return &pgconn.PgError{Severity: "ERROR", Code: "42501", Message: "permission denied: it takes " + a.Needs}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("add %s: %w", a.Name, err)
	}
	return added, nil
}
