package odoo

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestSignal(t *testing.T) {
	const none = "SELECT 1"
	for name, tt := range map[string]struct{ sql, number, next string }{
		"up to 18": {"CREATE SEQUENCE base_registry_signaling; SELECT nextval('base_registry_signaling')", "SELECT last_value FROM base_registry_signaling", none},
		"19": {"CREATE TABLE orm_signaling_registry (id serial PRIMARY KEY, date timestamp DEFAULT now()); INSERT INTO orm_signaling_registry DEFAULT VALUES",
			"SELECT max(id) FROM orm_signaling_registry", "INSERT INTO orm_signaling_registry DEFAULT VALUES"},
		"19, empty": {"CREATE TABLE orm_signaling_registry (id serial PRIMARY KEY, date timestamp DEFAULT now())",
			"SELECT coalesce(max(id), 0) FROM orm_signaling_registry", "INSERT INTO orm_signaling_registry DEFAULT VALUES"},
		"never started": {none, none, none},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, tt.sql)
			var before, after, next int64
			read := func(into *int64) {
				t.Helper()
				if err := c.QueryRow(t.Context(), tt.number).Scan(into); err != nil {
					t.Fatal(err)
				}
			}
			read(&before)
			if err := inTx(t, c, func(tx pgx.Tx) error { return Signal(t.Context(), tx) }); err != nil {
				t.Fatal(err)
			}
			read(&after)
			if (after > before) != (name != "never started") {
				t.Errorf("%d after %d", after, before)
			}
			execute(t, c, tt.next) // as Odoo goes on
			if read(&next); tt.next != none && next != after+1 {
				t.Errorf("Odoo goes on with %d after %d", next, after)
			}
		})
	}
}
