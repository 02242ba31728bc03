package restore

import (
	"fmt"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

func TestRolesOf(t *testing.T) {
	for _, v := range versions {
		toc := kitchen(t, v)
		if got := fmt.Sprintf("%q", rolesOf(toc, true)); got != `["Kitchen Reader" "kitchen_owner" "postgres"]` {
			t.Errorf("%s: %s", v, got)
		}
		if got := fmt.Sprintf("%q", rolesOf(toc, false)); got != `["Kitchen Reader" "kitchen_owner"]` {
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

func TestFindAudience(t *testing.T) {
	for _, tt := range []struct{ defn, before, after, roles string }{
		{"CREATE POLICY p ON s.t USING ((a IN (SELECT b FROM x)));", "CREATE POLICY p ON s.t ", "USING ((a IN (SELECT b FROM x)));", "[]"},
		{`CREATE POLICY p ON s."TO" AS RESTRICTIVE FOR SELECT TO ann, "b ob" USING (true);`,
			`CREATE POLICY p ON s."TO" AS RESTRICTIVE FOR SELECT `, "USING (true);", "[ann b ob]"},
		{"CREATE POLICY p ON s.t FOR INSERT TO ann WITH CHECK ((a = ' TO bob'));", "CREATE POLICY p ON s.t FOR INSERT ", "WITH CHECK ((a = ' TO bob'));", "[ann]"},
		{"CREATE POLICY p ON s.t TO PUBLIC, ann;", "CREATE POLICY p ON s.t ", ";", "[ann]"},
		{"CREATE POLICY", "CREATE POLICY", "", "[]"},
		{"TO", "", "", "[]"},
	} {
		a := findAudience(tt.defn)
		if a.before != tt.before || a.after != tt.after || fmt.Sprint(a.roles) != tt.roles {
			t.Errorf("%s: %+v", tt.defn, a)
		}
	}
}

func TestFindAudience_Long(t *testing.T) {
	using := "USING (" + strings.Repeat("+", 1<<20) + ");"
	if a := findAudience("CREATE POLICY p ON s.t TO ann " + using); a.after != using || fmt.Sprint(a.roles) != "[ann]" {
		t.Errorf("%d bytes, for %q", len(a.after), a.roles)
	}
}
