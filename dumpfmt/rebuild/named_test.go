package rebuild

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// namedDatabase has a rule, a policy and a trigger of two tables each, and the
// same the other way round. Met waits for another session in it.
const namedDatabase = `
CREATE FUNCTION met(seconds integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock_shared(1);
  FOR i IN 1 .. 10 * seconds LOOP
    IF (SELECT count(*) > 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory') THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.1);
  END LOOP;
  RETURN false;
END$$;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE a (id integer PRIMARY KEY, note text);
CREATE TABLE "B b" (id integer PRIMARY KEY, note text);
CREATE TABLE c (id integer);
INSERT INTO a VALUES (1, 'x');
CREATE RULE pair AS ON INSERT TO a DO ALSO INSERT INTO "B b" VALUES (NEW.id, NEW.note);
CREATE RULE pair AS ON UPDATE TO "B b" DO ALSO DELETE FROM a WHERE a.id = NEW.id;
CREATE POLICY seen ON a USING (id IN (SELECT "B b".id FROM "B b"));
CREATE POLICY seen ON "B b" USING (EXISTS (SELECT FROM a WHERE a.note = "B b".note));
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON a FROM "B b" DEFERRABLE FOR EACH ROW EXECUTE FUNCTION touched();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON "B b" FROM a DEFERRABLE FOR EACH ROW EXECUTE FUNCTION touched();
CREATE VIEW grouped AS SELECT a.id, a.note, count(c.id) FROM a JOIN c USING (id) GROUP BY a.id;
`

// TestRead_Named restores two items together that each lock the other's table,
// if their dependencies let it be.
func TestRead_Named(t *testing.T) {
	for _, r := range releases(t) {
		t.Run(strconv.Itoa(r.major), func(t *testing.T) {
			s := startServer(t, r)
			s.create(t, "named")
			s.psql(t, "named", "-c", namedDatabase)
			script := s.tool(t, "pg_dump", s.key("named")...)
			for _, desc := range []string{"RULE", "POLICY", "TRIGGER"} {
				dir, res := build(t, []byte(script))
				wantNamed(t, res.TOC, desc, "a", "B b")
				wantNamed(t, res.TOC, "RULE", "a", "c") // the view, put off behind the data
				meet(res.TOC, desc)
				finish(t, dir, res)
				s.wantRestored(t, runs(), dir, script)
			}
		})
	}
}

// wantNamed wants the entries of a kind to depend on all the tables, those of
// the view for RULE with table c.
func wantNamed(t *testing.T, toc *pgarchive.TOC, desc string, tables ...string) {
	t.Helper()
	ids := make(map[string]pgarchive.DumpID)
	for i := range toc.Entries {
		if e := &toc.Entries[i]; e.Desc == pgarchive.DescTable {
			ids[e.Tag] = e.ID
		}
	}
	found := 0
	for i := range toc.Entries {
		e := &toc.Entries[i]
		isView := e.Section == pgarchive.SectionPostData && strings.Contains(e.Tag, "grouped")
		if isView != slices.Contains(tables, "c") || !isView && e.Desc != desc {
			continue
		}
		found++
		for _, table := range tables {
			if !slices.Contains(e.Dependencies, ids[table]) {
				t.Errorf("%s %s does not depend on %s: %d", e.Desc, e.Tag, table, e.Dependencies)
			}
		}
	}
	if found == 0 {
		t.Errorf("no %s of %q", desc, tables)
	}
}

// meet makes the entries of a kind lock their own table first and then wait
// for one another, for a moment.
func meet(toc *pgarchive.TOC, desc string) {
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if table := e.Tag[:strings.LastIndexByte(e.Tag, ' ')+1]; e.Desc == desc && table != "grouped " {
			e.Defn.String = "LOCK TABLE public.\"" + strings.TrimSpace(table) + "\" IN ACCESS EXCLUSIVE MODE;\n" +
				"SELECT public.met(2);\n" + e.Defn.String
		}
	}
}

// TestRead_QuotedNames tells scripts apart in which all names are in quotes.
func TestRead_QuotedNames(t *testing.T) {
	for _, r := range releases(t) {
		t.Run(strconv.Itoa(r.major), func(t *testing.T) {
			s := startServer(t, r)
			for _, db := range s.makeDatabases(t) {
				_, res := build(t, []byte(s.tool(t, "pg_dump", s.key("--quote-all-identifiers", db)...)))
				if !res.Frame.QuotesAll {
					t.Errorf("%s: not all names are in quotes", db)
				}
				_, res = build(t, []byte(s.tool(t, "pg_dump", s.key(db)...)))
				if res.Frame.QuotesAll {
					t.Errorf("%s: all names are in quotes", db)
				}
			}
		})
	}
}
