package pgtool

import "testing"

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct {
		line string
		want Version
	}{
		{"pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Version{15, 18, "15.18 (Debian 15.18-0+deb12u1)"}},
		{"postgres (PostgreSQL) 18.6", Version{18, 6, "18.6"}},
		{"pg_restore (PostgreSQL) 19beta1", Version{19, 0, "19beta1"}},
		{"psql (PostgreSQL) 19devel", Version{19, 0, "19devel"}},
		{"pg_dump (PostgreSQL) 9.6.24", Version{9, 6, "9.6.24"}},
		{"pg_dump (EnterpriseDB) 16.4.1", Version{16, 4, "16.4.1"}},
	} {
		got, err := parseVersion(tt.line)
		if err != nil || got != tt.want {
			t.Errorf("parseVersion(%q) = %+v, %v, want %+v", tt.line, got, err, tt.want)
		}
	}
	for _, line := range []string{
		"", "pg_dump", "pg_dump 15.2", "pg_dump (PostgreSQL) fifteen", "pg_dump (PostgreSQL) 99999999999999999999",
		"pg_dump (PostgreSQL) 15.99999999999999999999",
	} {
		if got, err := parseVersion(line); err == nil {
			t.Errorf("parseVersion(%q) = %+v, want an error", line, got)
		}
	}
}
