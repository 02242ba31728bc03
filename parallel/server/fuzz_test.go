package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"odx/dumpfmt/fuzzing"
)

// FuzzParseURI: no error about a connection URI shows the password in it, no part
// of one is taken for what later errors show, and what is read of one is read
// again, by pgx, of the string that libpq is given.
func FuzzParseURI(f *testing.F) {
	f.Add("postgres://odoo", "db.example:5433/My%20Db?sslmode=disable&application_name=x")
	f.Add("postgresql://user@name", "[::1]:6432/x")
	f.Add("postgresql://", "a:1,b:2/x?host=%2Ftmp&ssl=true")
	f.Add("mysql://u", "h/x%zz?sslmode")
	f.Add("postgres://?", "h/x%zz=1")
	f.Add("postgres://u:a/b", "h/x")
	const secret = "Tr0ub4dor3"
	f.Fuzz(func(t *testing.T, before, after string) {
		defer fuzzing.Bounded(t, len(before)+len(after))()
		p, err := ParseURI(before + ":" + secret + "@" + after)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the error shows the password: %v", err)
			}
			return
		}
		for key, v := range p {
			if strings.Contains(key, secret) || slices.Contains([]string{"port", "dbname"}, key) && strings.Contains(v, secret) {
				t.Fatalf("the password is taken for %s: %s", key, v)
			}
		}
		kept := Params{}
		for _, key := range []string{"user", "password", "dbname"} {
			if v, ok := p[key]; ok && !strings.ContainsRune(v, 0) {
				kept[key] = v
			}
		}
		cfg, err := pgconn.ParseConfig(kept.dsn() + " host=/tmp")
		if err != nil {
			t.Fatalf("%q is not read: %v", kept.dsn(), err)
		}
		for key, got := range map[string]string{"user": cfg.User, "password": cfg.Password, "dbname": cfg.Database} {
			if want := kept[key]; want != "" && got != want {
				t.Fatalf("%s is %q, want %q, in %q", key, got, want, kept.dsn())
			}
		}
	})
}
