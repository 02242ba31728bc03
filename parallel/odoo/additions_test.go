package odoo

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestAdditions(t *testing.T) {
	const trgm, unaccent, immutable, grant = "extension pg_trgm", "extension unaccent",
		"function unaccent made immutable", "CREATE on the schema public for everybody"
	for _, tt := range []struct {
		series   int
		unaccent bool
		want     []string
	}{
		{14, false, nil},
		{15, true, []string{unaccent}},
		{16, false, []string{trgm}},
		{16, true, []string{trgm, unaccent, immutable}},
		{17, false, []string{trgm, grant}},
		{19, true, []string{trgm, unaccent, immutable, grant}},
	} {
		c := open(t)
		for _, round := range []string{"first", "second"} {
			var names []string
			for _, a := range Additions(seriesOf(t, tt.series), tt.unaccent) {
				if a.GrantsOnPublic != (a.Name == grant) {
					t.Errorf("%s: grants on public: %t", a.Name, a.GrantsOnPublic)
				}
				added, err := a.Apply(t.Context(), c)
				if err != nil || added != (round == "first") {
					t.Errorf("%d, %s time: %s: added %t, error %v", tt.series, round, a.Name, added, err)
				}
				names = append(names, a.Name)
			}
			if !slices.Equal(names, tt.want) {
				t.Errorf("%d: %q, want %q", tt.series, names, tt.want)
			}
		}
		want := []string{fmt.Sprintf("%t|%t", slices.Contains(tt.want, grant), slices.Contains(tt.want, trgm))}
		got := rowsOf(t, c, `SELECT (SELECT bool_or(a.privilege_type = 'CREATE' AND a.grantee = 0) FROM pg_namespace, aclexplode(nspacl) a
WHERE nspname = 'public') AS g, EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') AS x`)
		if !slices.Equal(got, want) {
			t.Errorf("%d: grant and pg_trgm: %q, want %q", tt.series, got, want)
		}
		if slices.Contains(tt.want, immutable) {
			execute(t, c, `CREATE TABLE x (a text); CREATE INDEX ON x (unaccent(a))`)
		}
	}
}

// A role that owns the database alone may not do all of it; what it may not
// do leaves its transaction whole.
func TestAdditions_PlainOwner(t *testing.T) {
	admin := connect(t, "postgres", "")
	role := fmt.Sprintf("owner_%d", os.Getpid())
	execute(t, admin, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { execute(t, connect(t, "postgres", ""), "DROP ROLE "+role) })
	name := newDatabase(t, "template0")
	execute(t, admin, fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", name, role))
	superuser := connect(t, name, "")
	execute(t, superuser, "ALTER SCHEMA public OWNER TO postgres; GRANT CREATE, USAGE ON SCHEMA public TO "+role)

	var refused []string
	err := inTx(t, connect(t, name, role), func(tx pgx.Tx) error {
		for _, a := range Additions(seriesOf(t, 17), true) {
			added, err := a.Apply(t.Context(), tx)
			var pg *pgconn.PgError
			switch {
			case err == nil && added:
			case errors.As(err, &pg) && pg.Code == "42501":
				refused = append(refused, a.Name)
			default:
				t.Errorf("%s: added %t, error %v", a.Name, added, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"function unaccent made immutable", "CREATE on the schema public for everybody"}; !slices.Equal(refused, want) {
		t.Errorf("refused %q, want %q", refused, want)
	}
	if rows := rowsOf(t, superuser, `SELECT extname FROM pg_extension WHERE extname IN ('pg_trgm', 'unaccent')`); len(rows) != 2 {
		t.Errorf("extensions %q", rows)
	}
}
