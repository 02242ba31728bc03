package doctor

import (
	"context"
	"fmt"

	"odx/parallel/server"
)

// Extensions names those, of a dump's, that are not installed on the server's
// machine.
func Extensions(ctx context.Context, s *server.Session, names []string) (list []Finding, err error) {
	type one struct{ Name string }
	missing, err := gather[one](ctx, s, "look for the dump's extensions", `SELECT n FROM unnest($1::text[]) n
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = n) ORDER BY 1`, names)
	for _, x := range missing {
		list = append(list, Finding{Check: "extensions", Severity: Blocking,
			Text: fmt.Sprintf("the dump needs extension %s, which the server does not have", x.Name),
			Do:   "install its package on the server's machine (postgresql-contrib has Odoo's; others have their own), or restore without it if nothing in the dump depends on it (--missing-extensions skip)"})
	}
	return list, err
}
