package restore

import (
	"errors"
	"fmt"
	"testing"

	"odx/dumpfmt/pgarchive"
)

func TestRolesOf(t *testing.T) {
	for _, v := range versions {
		toc := kitchen(t, v)
		if got := fmt.Sprintf("%q", rolesOf(toc, true)); got != `["Kitchen Reader" "kitchen_owner" "postgres"]` {
			t.Errorf("%s: %s", v, got)
		}
		if got := fmt.Sprintf("%q", rolesOf(toc, false)); got != `["Kitchen Reader"]` {
			t.Errorf("%s: without GRANTs %s", v, got)
		}
	}
	for _, tt := range []struct{ defn, want string }{
		{`GRANT SELECT ON TABLE s."TO" TO bob WITH GRANT OPTION;`, "[bob]"},
		{`REVOKE ALL ON TABLE s.t FROM PUBLIC;GRANT ALL ON TABLE s.t TO "b ""ob"`, `[b "ob]`},
		{`ALTER DEFAULT PRIVILEGES FOR ROLE ann IN SCHEMA s GRANT SELECT ON TABLES TO bob;`, "[ann bob]"},
		{`SET SESSION AUTHORIZATION 'ann'; RESET SESSION AUTHORIZATION;`, "[ann]"},
		{`CREATE USER MAPPING FOR bob SERVER s OPTIONS (a ' TO ann');`, "[bob]"},
		{`CREATE USER MAPPING FOR PUBLIC SERVER s;`, "[]"},
		{`GRANT`, "[]"},
		{`GRANT x TO`, "[]"},
	} {
		toc := &pgarchive.TOC{Entries: []pgarchive.Entry{{Desc: "ACL", Tag: "TABLE t", Defn: pgarchive.Str(tt.defn)}}}
		if got := fmt.Sprint(rolesOf(toc, true)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.defn, got, tt.want)
		}
	}
}

// TestRun_GranteeGone finds out at once that a role is missing, and needs none
// where GRANTs are left out.
func TestRun_GranteeGone(t *testing.T) {
	s := newSite(t, "")
	s.exec(s.admin, "DROP ROLE IF EXISTS reader; CREATE ROLE reader")
	backup := s.backup("GRANT SELECT ON ir_attachment TO reader")
	s.drop("source")
	s.exec(s.admin, "DROP ROLE reader")
	r := s.newRun(backup)
	r.hook = func(step string) { t.Errorf("went on to: %s", step) }
	var missing *MissingRolesError
	if _, err := r.do(t.Context()); !errors.As(err, &missing) || fmt.Sprint(missing.Roles) != "[reader]" {
		t.Errorf("error %v", err)
	}
	s.nothingLeft()
	r = s.newRun(backup)
	r.NoPrivileges = true
	if _, err := r.do(t.Context()); err != nil {
		t.Error(err)
	}
}
