package restore

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/fuzzing"
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
		defer fuzzing.Bounded(t, len(comment))()
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
		"CREATE DATABASE x TABLESPACE =",
		"CREATE DATABASE x TABLESPACE y TABLESPACE = fast;",
		`ALTER DATABASE x SET a TO $$;$$; /* ; */ ALTER DATABASE x SET b TO e'\';'`,
	} {
		f.Add(defn)
	}
	f.Fuzz(func(t *testing.T, defn string) {
		defer fuzzing.Bounded(t, len(defn))()
		p := readProperties(&pgarchive.TOC{Entries: []pgarchive.Entry{{Desc: "DATABASE PROPERTIES", Defn: pgarchive.Str(defn)}}})
		of := readProperties(&pgarchive.TOC{Entries: []pgarchive.Entry{{Desc: "DATABASE", Defn: pgarchive.Str(defn)}}})
		if len(of.unknown) > 1 || len(of.settings)+len(of.grants)+len(of.others) > 0 {
			t.Fatalf("of CREATE DATABASE: %+v", of)
		}
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
		defer fuzzing.Bounded(t, len(defn))()
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

// FuzzPlan: whatever a table of contents has, it is refused or planned without a
// server. One of its entries may be of another kind, with another definition.
func FuzzPlan(f *testing.F) {
	for _, v := range versions {
		cellar, err := os.ReadFile("../../dumpfmt/pgarchive/testdata/" + v + "/cellar/toc.dat")
		if err != nil {
			f.Fatal(err)
		}
		var kitchens bytes.Buffer
		if err := pgarchive.WriteTOC(&kitchens, kitchen(f, v)); err != nil {
			f.Fatal(err)
		}
		f.Add(cellar, uint16(0), "", "")
		f.Add(kitchens.Bytes(), uint16(0), "", "")
		for i, e := range []struct{ desc, defn string }{
			{"DATABASE", "CREATE DATABASE x TABLESPACE ="},
			{"POLICY", "CREATE POLICY p ON t TO ann, bob USING (a);"},
			{"ACL", "SET SESSION AUTHORIZATION ann;\nGRANT ALL ON TABLE t TO bob;\nRESET SESSION AUTHORIZATION;"},
			{"USER MAPPING", "CREATE USER MAPPING FOR bob SERVER s;"},
			{"FUNCTION", "CREATE FUNCTION f() LANGUAGE c SET a"},
			{"OPERATOR", "CREATE OPERATOR + (RESTRICT = s.f)"},
			{"EXTENSION", `CREATE EXTENSION x WITH SCHEMA "a""b";`},
		} {
			f.Add(cellar, uint16(i), e.desc, e.defn)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte, at uint16, desc, defn string) {
		defer fuzzing.Bounded(t, len(p)+len(desc)+len(defn))()
		toc, err := pgarchive.ReadTOC(bytes.NewReader(p), "toc.dat", int64(len(p)))
		if err != nil || len(toc.Entries) == 0 {
			return
		}
		if e := &toc.Entries[int(at)%len(toc.Entries)]; desc != "" {
			e.Desc, e.Defn = desc, pgarchive.Str(defn)
		}
		if err := refuseStrange(toc); err != nil {
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatalf("not a format error: %v", err)
			}
			return
		}
		planWithoutServer(t, toc)
	})
}

// planWithoutServer does with a table of contents what a restore does, where half of
// the roles exist.
func planWithoutServer(t *testing.T, toc *pgarchive.TOC) {
	t.Helper()
	s := &source{toc: toc}
	s.locale()
	readProperties(toc)
	tablespacesOf(toc)
	weigh(toc, map[pgarchive.DumpID]int64{})
	cutTOC(toc)
	p := makePlan(toc)
	mappingsNeedServers(toc)
	m := &mender{known: knownRoles{}, changed: map[pgarchive.DumpID]bool{}, left: p.left}
	for i, role := range rolesOf(toc, true) {
		m.known[role] = roleState{Exists: i%2 == 0, Become: i%4 == 0, ActFor: i%4 == 0}
	}
	m.mend(toc)
	who := newReserved(toc, "plain")

	without := plan{left: maps.Clone(p.left)}
	if _, err := without.leaveReserved(toc, who); err != nil && !errors.Is(err, ErrSuperuser) {
		t.Fatal(err)
	}
	r := &run{source: s, notImmutable: errors.New("refused")}
	if err := r.leaveUnaccent(toc, &without); err != nil && !errors.As(err, new(*ExtensionError)) {
		t.Fatal(err)
	}
	wantWaits(t, toc)
	for _, connecting := range []func(*pgarchive.Entry) bool{onlyOwner, func(e *pgarchive.Entry) bool { return who.doer(e) != byOwner }} {
		list := rounds(toc, p.left, connecting, len(toc.Entries)%2 == 0)
		wantEachOnce(t, toc, p.left, connecting, list)
		wantEachOnce(t, toc, p.left, connecting, apart(list, toc, m.changed))
	}

	var mended bytes.Buffer
	if err := pgarchive.WriteTOC(&mended, r.tocForTool()); err != nil {
		t.Fatal(err)
	}
	if _, err := pgarchive.ReadTOC(&mended, "toc.dat", int64(mended.Len())); err != nil {
		t.Fatal(err)
	}
}

// wantEachOnce fails the test unless each entry that is not left out is in one
// round, of the role that may restore it.
func wantEachOnce(t *testing.T, toc *pgarchive.TOC, left map[pgarchive.DumpID]bool, connecting func(*pgarchive.Entry) bool, list []round) {
	t.Helper()
	byID, seen := toc.ByID(), map[pgarchive.DumpID]bool{}
	for _, now := range list {
		if len(now.entries) == 0 {
			t.Fatal("a round without entries")
		}
		for _, id := range now.entries {
			e := byID[id]
			if seen[id] || left[id] {
				t.Fatalf("%s is twice in the rounds, or left out (%t)", entryName(e), left[id])
			}
			if seen[id] = true; !isNote(e.Desc) && now.connecting != connecting(e) {
				t.Fatalf("%s is in a round of another role", entryName(e))
			}
		}
	}
	for i := range toc.Entries {
		if e := &toc.Entries[i]; !seen[e.ID] && !left[e.ID] {
			t.Fatalf("%s is in no round", entryName(e))
		}
	}
}

// wantWaits fails the test if an entry waits less than one that it depends on, or
// not longer than one that it lacked. In a circle that cannot be.
func wantWaits(t *testing.T, toc *pgarchive.TOC) {
	t.Helper()
	lacking := &pgarchive.TOC{Header: toc.Header, Entries: slices.Clone(toc.Entries)}
	waits, longest := parallelWaits(lacking)
	before := map[pgarchive.DumpID]bool{}
	isCircle := false
	byID := toc.ByID()
	for i := range lacking.Entries {
		e := &lacking.Entries[i]
		for _, d := range e.Dependencies {
			isCircle = isCircle || byID[d] != nil && !before[d]
		}
		before[e.ID] = true
	}
	for i := range lacking.Entries {
		e := &lacking.Entries[i]
		if waits[e.ID] > longest {
			t.Fatalf("%s waits for %d, more than %d", entryName(e), waits[e.ID], longest)
		}
		for j, d := range e.Dependencies {
			least := waits[d]
			if j >= len(toc.Entries[i].Dependencies) {
				least++
			}
			if !isCircle && waits[e.ID] < least {
				t.Fatalf("%s waits for %d, and dependency %d for %d", entryName(e), waits[e.ID], d, waits[d])
			}
		}
	}
}
