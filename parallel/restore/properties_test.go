package restore

import (
	"fmt"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

func TestReadProperties_Kitchen(t *testing.T) {
	for _, v := range versions {
		p := readProperties(kitchen(t, v))
		for _, tt := range []struct {
			list []statement
			want string
		}{
			{p.settings, `ALTER DATABASE "a""b" SET search_path TO '$user', 'public'`},
			{p.settings, `ALTER ROLE "Kitchen Reader" IN DATABASE "a""b" SET work_mem TO '8MB'`},
			{p.grants, `REVOKE CONNECT,TEMPORARY ON DATABASE "a""b" FROM PUBLIC`},
			{p.grants, `GRANT CONNECT ON DATABASE "a""b" TO "Kitchen Reader"`},
			{p.others, `ALTER DATABASE "a""b" CONNECTION LIMIT = 50`},
			{p.others, `COMMENT ON DATABASE "a""b" IS 'It''s the "kitchen" \ database;`},
		} {
			found := false
			for _, s := range tt.list {
				found = found || strings.HasPrefix(s.of(`a"b`), tt.want)
			}
			if !found {
				t.Errorf("%s: no %s in %q", v, tt.want, tt.list)
			}
		}
		if n := []int{len(p.settings), len(p.grants), len(p.others), len(p.unknown)}; fmt.Sprint(n) != "[3 3 2 0]" {
			t.Errorf("%s: %v: %+v", v, n, p)
		}
	}
}

func TestReadProperties(t *testing.T) {
	for _, tt := range []struct{ desc, defn, want string }{
		{"ACL", `GRANT ALL ON DATABASE "o;d" TO "b ob" WITH GRANT OPTION;`, `[GRANT ALL ON DATABASE "new" TO "b ob" WITH GRANT OPTION] []`},
		{"ACL", "SET SESSION AUTHORIZATION bob;\nGRANT CREATE ON DATABASE old TO x;\nRESET SESSION AUTHORIZATION;\nGRANT CREATE ON DATABASE old TO y;",
			`[GRANT CREATE ON DATABASE "new" TO y] [GRANT CREATE ON DATABASE old TO x]`},
		{"ACL", "DROP DATABASE old; GRANT x TO y; GRANT", "[] [DROP DATABASE old GRANT x TO y GRANT]"},
		{"ACL", "REVOKE GRANT OPTION FOR CREATE ON DATABASE old FROM x", `[REVOKE GRANT OPTION FOR CREATE ON DATABASE "new" FROM x] []`},
		{"DATABASE PROPERTIES", "ALTER DATABASE old SET a TO 'x;y'; -- z\n;;", `[ALTER DATABASE "new" SET a TO 'x;y'] []`},
		{"DATABASE PROPERTIES", "ALTER DATABASE old IS_TEMPLATE = true;", "[] [ALTER DATABASE old IS_TEMPLATE = true]"},
		{"DATABASE", "CREATE DATABASE old WITH TEMPLATE = template0 TABLESPACE = fast;", "[] [TABLESPACE fast]"},
		{"DATABASE", "CREATE DATABASE old TABLESPACE x TABLESPACE = fast", "[] [TABLESPACE fast]"},
		{"DATABASE", "CREATE DATABASE old TABLESPACE =", "[] []"},
		{"SECURITY LABEL", "SECURITY LABEL FOR x ON DATABASE old IS 'y';", "[] [SECURITY LABEL FOR x ON DATABASE old IS 'y']"},
		{"ACL", `GRANT "`, "[] [GRANT \"]"},
		{"ACL", "", "[] []"},
	} {
		p := readProperties(&pgarchive.TOC{Entries: []pgarchive.Entry{{Desc: tt.desc, Tag: "DATABASE old", Defn: pgarchive.Str(tt.defn)}}})
		var list []string
		for _, s := range append(append(p.settings, p.grants...), p.others...) {
			list = append(list, s.of("new"))
		}
		if got := fmt.Sprint(list, " ", p.unknown); got != tt.want {
			t.Errorf("%s: %s\ngot  %s\nwant %s", tt.desc, tt.defn, got, tt.want)
		}
	}
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{{Desc: "STDSTRINGS", Defn: pgarchive.Str("SET standard_conforming_strings = 'off';")},
		{Desc: "DATABASE PROPERTIES", Defn: pgarchive.Str(`ALTER DATABASE old SET a TO '\'; x';`)}}}
	if p := readProperties(toc); len(p.settings) != 0 || len(p.unknown) != 1 {
		t.Errorf("%+v", p)
	}
}
