package pgtool

import (
	"strings"
	"testing"
)

func TestNotFoundError(t *testing.T) {
	old := Tool{Name: "pg_dump", Path: "/usr/lib/postgresql/15/bin/pg_dump", Version: Version{15, 18, "15.18 (Debian)"}}
	for _, tt := range []struct {
		err           NotFoundError
		want, wantPkg string
	}{
		{NotFoundError{Name: "pg_dump", Need: 17, Found: []Tool{old}},
			"no pg_dump of version 17 or newer (/usr/lib/postgresql/15/bin/pg_dump is 15.18 (Debian))", "postgresql-client-17"},
		{NotFoundError{Name: "pg_restore", binDir: "/x", broken: []string{"/x/pg_restore does not tell its version: oops"}},
			"no pg_restore in /x (/x/pg_restore does not tell its version: oops)", "postgresql-client"},
		{NotFoundError{Name: "initdb"}, "no initdb", "postgresql"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if got := tt.err.Package(); got != tt.wantPkg {
			t.Errorf("Package() = %q, want %q", got, tt.wantPkg)
		}
	}
}

func TestExitError(t *testing.T) {
	for _, tt := range []struct {
		err  ExitError
		want string
	}{
		{ExitError{Tool: "/x/pg_dump", Code: 1}, "pg_dump: exit status 1"},
		{ExitError{Tool: "/x/pg_dump", Code: -1, Signal: "killed", Stderr: "pg_dump: saving\n"},
			"pg_dump: ended by signal: killed: pg_dump: saving"},
		{ExitError{Tool: "pg_dump", Code: 1, Stderr: "pg_dump: saving\npg_dump: error: no\npg_dump: detail: x"},
			"pg_dump: exit status 1: pg_dump: error: no\npg_dump: detail: x"},
		{ExitError{Tool: "postgres", Code: 1, Stderr: "2026 LOG:  x\n2026 FATAL:  no\n"},
			"postgres: exit status 1: 2026 FATAL:  no"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	if got := (&ExitError{Tool: "x", Stderr: strings.Repeat("a\n", 3)}).Error(); !strings.HasSuffix(got, "a\na\na") {
		t.Errorf("got %q", got)
	}
}
