package odoo

import (
	"context"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"
)

// The number by which Odoo's processes see that they have to load a database's
// registry anew, with all caches: a sequence, from 19 on the largest id of a table.
const (
	signalSequence = `SELECT pg_catalog.setval('public.base_registry_signaling', last_value + $1) FROM public.base_registry_signaling`
	signalTable    = `WITH new AS (INSERT INTO public.orm_signaling_registry (id)
	SELECT coalesce(max(id), 0) + $1 FROM public.orm_signaling_registry RETURNING id)
SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence('public.orm_signaling_registry', 'id'), id) FROM new`
)

// Signal has running processes of Odoo load everything anew of a database that takes
// another's place: they compare that number with the one they know, and two copies of
// one original may well have the same. An error leaves all as it was.
func Signal(ctx context.Context, tx pgx.Tx) error {
	step := 1 + rand.Int64N(1<<20)
	for name, sql := range map[string]string{"base_registry_signaling": signalSequence, "orm_signaling_registry": signalTable} {
		err := pgx.BeginFunc(ctx, tx, func(part pgx.Tx) error {
			var there bool
			if err := part.QueryRow(ctx, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", "public."+name).Scan(&there); err != nil || !there {
				return err
			}
			_, err := part.Exec(ctx, sql, step)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
