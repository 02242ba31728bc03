package odoo

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var sixParameters = []string{"database.secret", "database.uuid", "database.create_date", "web.base.url",
	"base.login_cooldown_after", "base.login_cooldown_duration"}

// readAll reads the parameters, without what ResetCopy is expected to change.
func readAll(t *testing.T, q Querier) (values map[string]string, rest string) {
	t.Helper()
	rows, err := q.Query(t.Context(), `SELECT key, value FROM ir_config_parameter`)
	if err != nil {
		t.Fatal(err)
	}
	values = make(map[string]string)
	var key, value string
	if _, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		values[key] = value
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	err = q.QueryRow(t.Context(), `SELECT coalesce(string_agg(p::text, E'\n' ORDER BY id), '') FROM ir_config_parameter p WHERE key <> ALL ($1)`,
		sixParameters).Scan(&rest)
	if err != nil {
		t.Fatal(err)
	}
	return values, rest
}

func TestResetCopy_RealDatabase(t *testing.T) {
	c := realDatabase(t)
	old, oldRest := readAll(t, c)
	other := strings.SplitAfter(content(t, c), "== ")
	began := time.Now().UTC().Truncate(time.Second)
	err := inTx(t, c, func(tx pgx.Tx) error {
		done, err := ResetCopy(t.Context(), tx, 8169)
		if !slices.Equal(done, sixParameters) {
			t.Errorf("done %q", done)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	values, rest := readAll(t, c)
	if rest != oldRest || len(values) != len(old) {
		t.Errorf("other parameters changed:\n%s\nwere\n%s", rest, oldRest)
	}
	changed := 0
	for i, table := range strings.SplitAfter(content(t, c), "== ") {
		if table != other[i] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d tables changed, want one", changed)
	}
	expectParameters(t, values, map[string]string{
		"database.secret":              `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"database.uuid":                `^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"database.create_date":         `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`,
		"web.base.url":                 `^http://localhost:8169$`,
		"base.login_cooldown_after":    `^10$`,
		"base.login_cooldown_duration": `^60$`,
	})
	for _, key := range []string{"database.secret", "database.uuid"} {
		if values[key] == old[key] {
			t.Errorf("%s is still %s", key, old[key])
		}
	}
	if created, err := time.Parse(time.DateTime, values["database.create_date"]); err != nil || created.Before(began) || created.After(time.Now()) {
		t.Errorf("created %s, error %v, want now in UTC", created, err)
	}
	if rows := rowsOf(t, c, `SELECT key FROM ir_config_parameter WHERE abs(extract(epoch FROM write_date - (now() AT TIME ZONE 'UTC'))) < 600 AND write_uid = 1`); len(rows) != 6 {
		t.Errorf("written now: %q", rows)
	}
}

func expectParameters(t *testing.T, values, patterns map[string]string) {
	t.Helper()
	for key, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(values[key]) {
			t.Errorf("%s is %q, want %s", key, values[key], pattern)
		}
	}
}

func TestResetCopy_CreatesMissing(t *testing.T) {
	// Without a unique key and without the columns of the ORM.
	c := open(t, `CREATE TABLE ir_config_parameter (id serial, key varchar NOT NULL, value text NOT NULL);
INSERT INTO ir_config_parameter (key, value) VALUES ('base.login_cooldown_after', '3'), ('kept', '1')`)
	for range 2 {
		if _, err := ResetCopy(t.Context(), c, 0); err != nil {
			t.Fatal(err)
		}
	}
	values, _ := readAll(t, c)
	if rows := rowsOf(t, c, `SELECT id FROM ir_config_parameter`); len(rows) != 7 {
		t.Errorf("%d parameters, want 7", len(rows))
	}
	expectParameters(t, values, map[string]string{
		"web.base.url": `^http://localhost:8069$`, "base.login_cooldown_after": `^10$`, "kept": `^1$`, "database.uuid": `.`,
	})
}

func TestReset_NotOdoo(t *testing.T) {
	c := open(t, `CREATE TABLE ir_config_parameter (id serial, key varchar)`)
	if _, err := ResetCopy(t.Context(), c, 0); !errors.Is(err, ErrNoParameters) {
		t.Errorf("error %v", err)
	}
	if _, err := ResetSubscription(t.Context(), c); !errors.Is(err, ErrNoParameters) {
		t.Errorf("error %v", err)
	}
}

func TestResetSubscription(t *testing.T) {
	c := open(t, moduleTable, `INSERT INTO ir_config_parameter (key, value) VALUES ('database.enterprise_code', 'M1'),
  ('database.expiration_reason', 'renewal'), ('database.expiration_date', '2020-01-01 00:00:00'), ('database.already_linked_email', 'x'), ('kept', '1')`)
	done, err := ResetSubscription(t.Context(), c)
	if err != nil || len(done) != 4 {
		t.Errorf("done %q, error %v", done, err)
	}
	values, _ := readAll(t, c)
	var expiry string
	if err := c.QueryRow(t.Context(), `SELECT (current_date + interval '2 month')::text`).Scan(&expiry); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"kept": "1", "database.expiration_reason": "copy", "database.expiration_date": expiry}
	for key, value := range values {
		if value != want[key] {
			t.Errorf("%s is %q, want %q", key, value, want[key])
		}
	}
	if len(values) != len(want) {
		t.Errorf("parameters %q, want %q", values, want)
	}

	execute(t, c, `UPDATE ir_config_parameter SET value = 'demo' WHERE key = 'database.expiration_reason'`)
	if _, err := ResetSubscription(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if values, _ := readAll(t, c); values["database.expiration_reason"] != "demo" {
		t.Errorf("reason %q, want demo to stay", values["database.expiration_reason"])
	}
	execute(t, c, `DELETE FROM ir_config_parameter`)
	if done, err := ResetSubscription(t.Context(), c); err != nil || len(done) > 0 {
		t.Errorf("without a subscription: done %q, error %v", done, err)
	}
}

func TestUUID(t *testing.T) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 123456700, time.UTC)
	const begins = "64c22907-0b77-11ef" // as Python's uuid makes it of the same moment
	first, second := uuid1(now), uuid1(now)
	if first == second || first[:19] == second[:19] && first[24:] == second[24:] {
		t.Errorf("%s and %s are not apart", first, second)
	}
	if !strings.HasPrefix(first, begins) {
		t.Errorf("%s, want %s at its beginning", first, begins)
	}
	if strings.ContainsRune("02468ace", rune(first[25])) {
		t.Errorf("%s: the node has no multicast bit", first)
	}
	seen := make(map[string]bool)
	for range 1000 {
		u := uuid4()
		if seen[u] || u[14] != '4' || !strings.ContainsRune("89ab", rune(u[19])) || len(u) != 36 {
			t.Fatalf("%s", u)
		}
		seen[u] = true
	}
}
