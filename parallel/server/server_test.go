package server

import (
	"maps"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for _, tc := range []struct {
		uri  string
		want Params
	}{
		{"postgresql://", Params{}},
		{"postgres://odoo:s%3Ac%40t@db.example:5433/My%20Db?sslmode=require&application_name=x",
			Params{"user": "odoo", "password": "s:c@t", "host": "db.example", "port": "5433",
				"dbname": "My Db", "sslmode": "require", "application_name": "x"}},
		{"postgresql://%2Fvar%2Frun%2Fpostgresql/odoo", Params{"host": "/var/run/postgresql", "dbname": "odoo"}},
		{"postgresql://a:1,b:2/x", Params{"host": "a,b", "port": "1,2", "dbname": "x"}},
		{"postgresql://[::1]:6432/x", Params{"host": "::1", "port": "6432", "dbname": "x"}},
		{"postgresql://u@h/x?host=%2Ftmp&ssl=true", Params{"user": "u", "host": "/tmp", "dbname": "x", "sslmode": "require"}},
		{"postgresql://user@name:pw@h/x", Params{"user": "user@name", "password": "pw", "host": "h", "dbname": "x"}},
	} {
		got, err := ParseURI(tc.uri)
		if err != nil {
			t.Errorf("ParseURI(%q): %v", tc.uri, err)
		} else if !maps.Equal(got, tc.want) {
			t.Errorf("ParseURI(%q) = %v, want %v", tc.uri, got, tc.want)
		}
	}
}

func TestParseURI_ErrorsHideThePassword(t *testing.T) {
	for _, uri := range []string{"postgresql://u:secret%zz@h/x", "postgresql://u:secret@[::1/x",
		"postgresql://u:secret@h/x?sslmode", "mysql://u:secret@h/x",
		"postgresql://u:se/secret@h/x", "postgresql://u:1/secret@h/x", "postgresql://u:se?secret@h/x=%zz",
		"postgresql://u:1?secret@h/x?sslmode=require", "postgresql://u:secret/%zz@h/x"} {
		_, err := ParseURI(uri)
		if err == nil {
			t.Errorf("ParseURI(%q) gave no error", uri)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("ParseURI(%q): the error shows the password: %v", uri, err)
		}
	}
}

func TestChild_PasswordOnlyInEnvironment(t *testing.T) {
	t.Setenv("PGOPTIONS", "-c work_mem=5MB")
	s := Settings{Params: Params{"user": "odoo", "password": `p'w\`, "host": "/tmp", "gssencmode": "disable"}}
	child, err := s.Child(`odd 'name\ = x`, "odx", "-c work_mem=1GB")
	if err != nil {
		t.Fatal(err)
	}
	if want := `dbname='odd \'name\\ = x' gssencmode='disable' host='/tmp' user='odoo'`; child.DSN != want {
		t.Errorf("DSN is %s, want %s", child.DSN, want)
	}
	if got := child.Set["PGPASSWORD"]; got != `p'w\` {
		t.Errorf("PGPASSWORD is %q", got)
	}
	if got, want := child.Set["PGOPTIONS"], "-c work_mem=1GB -c work_mem=5MB"; got != want {
		t.Errorf("PGOPTIONS is %q, want %q: the user's own must come last", got, want)
	}
}

func TestConfig_FallbackPassword(t *testing.T) {
	t.Setenv("PGPASSFILE", "/nonexistent")
	t.Setenv("PGPASSWORD", "")
	for _, tc := range []struct {
		name       string
		user, want string
		params     Params
	}{
		{"same user", "odoo", "conf", Params{"user": "odoo"}},
		{"another user", "odoo", "", Params{"user": "admin"}},
		{"a password was given", "odoo", "mine", Params{"user": "odoo", "password": "mine"}},
	} {
		s := Settings{Params: tc.params, FallbackUser: tc.user, FallbackPassword: "conf"}
		cfg, err := s.Config("x", "odx")
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Password != tc.want {
			t.Errorf("%s: password %q, want %q", tc.name, cfg.Password, tc.want)
		}
	}
}
