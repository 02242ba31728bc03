package restore

import (
	"runtime"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

func TestReserved(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{
		{ID: 1, Desc: "SHELL TYPE", Namespace: pgarchive.Str("s"), Tag: "later"},
		{ID: 2, Desc: "PROCEDURAL LANGUAGE", Tag: "pl x", Defn: pgarchive.Str(`CREATE LANGUAGE "pl x" HANDLER h;`)},
		{ID: 3, Desc: "PROCEDURAL LANGUAGE", Tag: "safe", Defn: pgarchive.Str(`CREATE TRUSTED LANGUAGE safe HANDLER h;`)},
		{ID: 4, Desc: "TABLE", Namespace: pgarchive.Str("s"), Tag: "t"},
		{ID: 5, Desc: "SCHEMA", Tag: "public"},
	}}
	who := newReserved(toc, "plain")
	who.settings["session_replication_role"] = true
	who.everybody["plpgsql.extra_warnings"] = true
	for _, tt := range []struct {
		desc, tag, defn string
		depends         pgarchive.DumpID
		want            doer
	}{
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql\n    AS $$ SELECT 1 -- LANGUAGE c\n$$;", 5, byOwner},
		{"FUNCTION", "f(text)", "CREATE FUNCTION s.f(a text DEFAULT ' LANGUAGE c ') RETURNS int\n    LANGUAGE plpgsql IMMUTABLE\n    AS $$ x $$;", 5, byOwner},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE c IMMUTABLE STRICT\n    AS 'lib', 'f';", 5, bySuperuser},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE internal\n    AS 'int4in';", 5, bySuperuser},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE \"pl x\"\n    AS 'y';", 2, bySuperuser},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE safe\n    AS 'y';", 3, byOwner},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql LEAKPROOF\n    AS 'y';", 0, bySuperuser},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql SUPPORT s.g\n    AS 'y';", 0, bySuperuser},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql\n    SET search_path TO 'a', 'b'\n    AS 'y';", 0, byOwner},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql\n    SET session_replication_role TO 'replica'\n    AS 'y';", 0, byEither},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql\n    SET \"pg_trgm.similarity_threshold\" TO '0.3'\n    AS 'y';", 0, bySuperuser},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql\n    SET \"plpgsql.extra_warnings\" TO 'all'\n    AS 'y';", 0, byOwner},
		{"FUNCTION", "f()", "CREATE FUNCTION s.f() RETURNS int\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT LEAKPROOF;\nEND;", 0, byOwner},
		{"PROCEDURE", "p()", "CREATE PROCEDURE s.p()\n    LANGUAGE c\n    AS 'lib', 'p';", 0, bySuperuser},
		{"PROCEDURE", "p()", "CREATE PROCEDURE s.p()", 0, byOwner},
		{"AGGREGATE", "a(int)", "CREATE AGGREGATE s.a(int) (\n    SFUNC = x,\n    STYPE = internal\n);", 0, bySuperuser},
		{"AGGREGATE", "a(int)", "CREATE AGGREGATE s.a(int) (\n    SFUNC = x,\n    STYPE = bigint\n);", 0, byOwner},
		{"CAST", "CAST (a AS b)", "CREATE CAST (a AS b) WITHOUT FUNCTION;", 0, bySuperuser},
		{"CAST", "CAST (a AS b)", `CREATE CAST (a AS "WITHOUT FUNCTION") WITH FUNCTION s.f(a);`, 0, byEither},
		{"TYPE", "t", "CREATE TYPE s.t (\n    INTERNALLENGTH = 4,\n    INPUT = s.i\n);", 0, bySuperuser},
		{"TYPE", "t", "CREATE TYPE s.t AS ENUM (\n    'INTERNALLENGTH'\n);", 0, byOwner},
		{"TYPE", "t", `CREATE TYPE s.t AS ("INTERNALLENGTH" integer);`, 0, byOwner},
		{"TYPE", "t", "CREATE TYPE s.t;", 0, bySuperuser},
		{"TYPE", "later", "CREATE TYPE s.later AS RANGE (\n    subtype = int,\n    canonical = s.c\n);", 0, bySuperuser},
		{"OPERATOR", "+", "CREATE OPERATOR s.+ (\n    FUNCTION = s.f,\n    RESTRICT = eqsel\n);", 0, byOwner},
		{"OPERATOR", "+", "CREATE OPERATOR s.+ (\n    FUNCTION = s.f,\n    JOIN = s.guess\n);", 0, byEither},
		{"PUBLICATION", "p", "CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert');", 0, bySuperuser},
		{"PUBLICATION", " FOR ALL TABLES", `CREATE PUBLICATION " FOR ALL TABLES" WITH (publish = 'insert');`, 0, byOwner},
		{"TABLE DATA", "t", "", 4, byOwner},
		{"TABLE DATA", "of an extension", "", 99, byEither},
		{"SEQUENCE SET", "of an extension", "", 99, byEither},
		{"SEQUENCE SET", "of a script's extension", "", 0, byEither},
		{"FK CONSTRAINT", "k", "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES s.t(b);", 4, byOwner},
		{"FK CONSTRAINT", "k", "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES public.\"of an extension\"(b);", 4, byEither},
		{"ACL", "TABLE t", "", 4, byOwner},
		{"ACL", "FUNCTION of_an_extension()", "", 99, byEither},
		{"ACL", "SCHEMA public", "", 5, byEither},
		{"COMMENT", "TABLE t", "", 4, byOwner},
		{"COMMENT", "LANGUAGE safe", "", 3, bySuperuser},
		{"COMMENT", "SCHEMA public", "", 0, byEither},
		{"INDEX", "i", "CREATE INDEX i ON s.t USING btree (a)", 4, byOwner},
		{"TABLE", "t", "CREATE TABLE s.t (a text DEFAULT 'LANGUAGE c');", 0, byOwner},
	} {
		e := &pgarchive.Entry{ID: 9, Desc: tt.desc, Namespace: pgarchive.Str("s"), Tag: tt.tag, Defn: pgarchive.Str(tt.defn)}
		if tt.depends != 0 {
			e.Dependencies = []pgarchive.DumpID{tt.depends}
		}
		if got := who.doer(e); got != tt.want {
			t.Errorf("%s %s: %d, want %d\n%s", tt.desc, tt.tag, got, tt.want, tt.defn)
		}
	}
	for owner, want := range map[string]doer{"plain": byOwner, "other": byEither} {
		if got := who.doer(&pgarchive.Entry{Desc: "DEFAULT ACL", Owner: pgarchive.Str(owner)}); got != want {
			t.Errorf("default privileges of %s: %d, want %d", owner, got, want)
		}
	}
}

// TestReserved_Broken has definitions that nobody writes.
func TestReserved_Broken(t *testing.T) {
	for _, defn := range []string{"", "CREATE", "CREATE FUNCTION f() LANGUAGE", "LANGUAGE sql SET", `LANGUAGE "`, "LANGUAGE '", "RESTRICT =",
		"STYPE", "WITHOUT", "CREATE PUBLICATION p", "CREATE USER MAPPING FOR x SERVER", "$$", "/*"} {
		toc := &pgarchive.TOC{}
		for desc := range map[string]bool{"FUNCTION": true, "AGGREGATE": true, "CAST": true, "TYPE": true, "OPERATOR": true, "PUBLICATION": true, "USER MAPPING": true, "PROCEDURAL LANGUAGE": true, "ACL": true, "TABLE DATA": true} {
			toc.Entries = append(toc.Entries, pgarchive.Entry{ID: pgarchive.DumpID(len(toc.Entries) + 1), Desc: desc, Defn: pgarchive.Str(defn)})
		}
		mappingsNeedServers(toc)
		who := newReserved(toc, "")
		for i := range toc.Entries {
			who.doer(&toc.Entries[i])
		}
		if n := count(rounds(toc, nil, func(e *pgarchive.Entry) bool { return who.doer(e) != byOwner }, false)); n != len(toc.Entries) {
			t.Errorf("%q: %d of %d entries", defn, n, len(toc.Entries))
		}
	}
}

// TestReserved_Circle has notes about each other, which end all the same.
func TestReserved_Circle(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{
		{ID: 1, Desc: "COMMENT", Dependencies: []pgarchive.DumpID{2}}, {ID: 2, Desc: "ACL", Dependencies: []pgarchive.DumpID{1}},
	}}
	if got := newReserved(toc, "").doer(&toc.Entries[0]); got != byEither {
		t.Error(got)
	}
}

// TestReserved_ManyNotes has very many comments on a function whose definition is
// long.
func TestReserved_ManyNotes(t *testing.T) {
	toc := &pgarchive.TOC{Entries: []pgarchive.Entry{
		{ID: 1, Desc: "FUNCTION", Defn: pgarchive.Str("CREATE FUNCTION f(" + strings.Repeat(",", 1<<20) + ") LANGUAGE c AS 'f'")},
		{ID: 2, Desc: "COMMENT", Dependencies: []pgarchive.DumpID{1}},
	}}
	who := newReserved(toc, "")
	for range 100_000 {
		if got := who.doer(&toc.Entries[1]); got != bySuperuser {
			t.Fatal(got)
		}
	}
}

// TestReserved_Memory has definitions with a word in each byte: all of the words
// would take more than ten times the memory.
func TestReserved_Memory(t *testing.T) {
	const size = 8 << 20
	long := pgarchive.Str("CREATE X LANGUAGE sql " + strings.Repeat("+", size))
	toc := &pgarchive.TOC{}
	for i, desc := range []string{"FUNCTION", "AGGREGATE", "CAST", "TYPE", "OPERATOR", "PUBLICATION", "TABLE", "PROCEDURAL LANGUAGE", "USER MAPPING", "DATABASE"} {
		toc.Entries = append(toc.Entries, pgarchive.Entry{ID: pgarchive.DumpID(i + 1), Desc: desc, Defn: long})
	}
	toc.Entries = append(toc.Entries, pgarchive.Entry{Desc: "TABLE DATA", CopyStmt: pgarchive.Str("COPY t (" + long.String + ") FROM stdin;")})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := refuseStrange(toc); err != nil {
		t.Fatal(err)
	}
	readProperties(toc)
	mappingsNeedServers(toc)
	who := newReserved(toc, "")
	for i := range toc.Entries {
		who.doer(&toc.Entries[i])
	}
	runtime.ReadMemStats(&after)
	// Each look at a definition copies it.
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(3*size*len(toc.Entries)); got > most {
		t.Errorf("%d bytes were allocated, more than %d", got, most)
	}
}
