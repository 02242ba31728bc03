package restore

import (
	"encoding/json"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
)

// FuzzRecord: whatever a database's comment is, the record that is read of it is
// written into a comment and read again as the same.
func FuzzRecord(f *testing.F) {
	f.Add(`odx restores "prod" here; if no odx is running, go on with: odx restore --resume 20261126T122652Z-27842-7e8fecfca4 SOURCE DBNAME; or remove it with: odx clean` +
		"\n" + `odx: {"database":"prod","source":"/srv/backups/prod","digest":"06b2","options":["--owner=odoo","--collation="],` +
		`"process":"4711@host","began":"2026-11-26T12:26:52.1+01:00","stage":"last","roles":["a b"],"unlogged":["public.x"],` +
		`"files":{"target":"/srv/filestore/prod","temp":"/srv/filestore/odx-tmp-1","id":"1:2","old":"/srv/filestore/prod-old","old_id":"1:3","begun":true}}`)
	f.Add("Odoo's database")
	f.Add("\nodx: {}")
	f.Add("\nodx: null")
	f.Add("a\nodx: {\"database\":\"x\\nodx: y\"}\nodx: {\"database\":\"z\"}")
	f.Fuzz(func(t *testing.T, comment string) {
		r := parseRecord(comment)
		if r == nil {
			return
		}
		if r.Database == "" {
			t.Fatal("a record of no database")
		}
		text, err := r.comment(TempPrefix + "20261126T122652Z-1-0123456789")
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again := parseRecord(text)
		if again == nil {
			t.Fatalf("what was written is not read: %q", text)
		}
		if one, other := jsonOf(t, r), jsonOf(t, again); one != other {
			t.Fatalf("%s became %s", one, other)
		}
		if r.Files.isPlaced() && r.Files.ID == "" {
			t.Fatal("a folder without a number is taken for one of the restore")
		}
	})
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// FuzzProperties: of whatever an archive says about its database, each statement
// that is sent to the server is one statement, of a kind that pg_dump writes, and
// about no other database than the new one.
func FuzzProperties(f *testing.F) {
	for _, defn := range []string{
		`ALTER DATABASE "a""b" SET search_path TO '$user', 'public'; ALTER DATABASE old CONNECTION LIMIT = 50;`,
		`ALTER ROLE "Kitchen Reader" IN DATABASE old SET work_mem TO '8MB';`,
		"SET SESSION AUTHORIZATION bob;\nGRANT CREATE ON DATABASE old TO x;\nRESET SESSION AUTHORIZATION;\nGRANT CREATE ON DATABASE old TO y;",
		`COMMENT ON DATABASE old IS 'It''s the "kitchen" \ database; --';`,
		`REVOKE CONNECT,TEMPORARY ON DATABASE old FROM PUBLIC; GRANT "`,
		`ALTER DATABASE x SET "0`,
		`ALTER DATABASE x SET a TO $$;$$; /* ; */ ALTER DATABASE x SET b TO e'\';'`,
	} {
		f.Add(defn)
	}
	f.Fuzz(func(t *testing.T, defn string) {
		p := readProperties(&pgarchive.TOC{Entries: []pgarchive.Entry{{Desc: "DATABASE PROPERTIES", Defn: pgarchive.Str(defn)}}})
		const name = `n"ew; DROP DATABASE x; --`
		for _, s := range append(append(append([]statement{}, p.settings...), p.grants...), p.others...) {
			sql := s.of(name)
			list := cutStatements(sql, true)
			if len(list) != 1 {
				t.Fatalf("%q is %d statements", sql, len(list))
			}
			w := words(sql)
			if !isPropertyOf(w, quote(name)) {
				t.Fatalf("%q is a property of something else", w)
			}
			if last := list[0][len(list[0])-1]; last.Kind == sqlscript.Unended {
				t.Fatalf("%q ends within a token", sql)
			}
		}
	})
}

func isPropertyOf(w []string, database string) bool {
	for _, begin := range [][]string{
		{"ALTER", "DATABASE", database, "SET"}, {"ALTER", "DATABASE", database, "CONNECTION", "LIMIT"},
		{"ALTER", "ROLE", "", "IN", "DATABASE", database, "SET"}, {"COMMENT", "ON", "DATABASE", database, "IS"},
	} {
		if matches(w, begin...) {
			return true
		}
	}
	on := strings.Join(w, "\x00")
	return (w[0] == "GRANT" || w[0] == "REVOKE") && strings.Contains(on, "\x00ON\x00DATABASE\x00"+database+"\x00")
}

// FuzzLocale: what a DATABASE entry says of its locale comes back from the clause
// that is made of it, whose words are the keywords of CREATE DATABASE and
// constants, and no others.
func FuzzLocale(f *testing.F) {
	for _, defn := range []string{
		"CREATE DATABASE old WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';",
		"CREATE DATABASE old WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LC_COLLATE = 'C' LC_CTYPE = 'C.UTF-8' ICU_LOCALE = 'de-u-co-phonebk' ICU_RULES = '&a < ''b''';",
		"CREATE DATABASE old WITH LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8';",
		`CREATE DATABASE old LOCALE_PROVIDER = 'icu OWNER x; DROP DATABASE y' LC_COLLATE = 'a\' LC_CTYPE = '''';`,
	} {
		f.Add(defn)
	}
	f.Fuzz(func(t *testing.T, defn string) {
		l, ok := parseLocale(defn)
		if !ok {
			return
		}
		keyword := true
		for _, w := range words(l.clause()) {
			isConstant := strings.HasPrefix(w, "'") || strings.HasPrefix(w, "E'")
			if keyword == isConstant || keyword && !isLocaleKeyword(w) {
				t.Fatalf("%q in %q", w, l.clause())
			}
			keyword = !keyword
		}
		if !keyword {
			t.Fatalf("no value at the end of %q", l.clause())
		}
	})
}

func isLocaleKeyword(w string) bool {
	for _, k := range []string{"LOCALE_PROVIDER", "LC_COLLATE", "LC_CTYPE", "ICU_LOCALE", "ICU_RULES", "BUILTIN_LOCALE"} {
		if w == k {
			return true
		}
	}
	return false
}
