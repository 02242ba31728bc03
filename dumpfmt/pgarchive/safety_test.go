package pgarchive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// hazard is a database whose archive goes wrong with pg_restore -j as pg_dump
// leaves it.
type hazard struct {
	name  string
	since int // major release that has it first
	sql   string
	// dump has options of pg_dump.
	dump []string
	// provoke changes the archive so that it is sure to go wrong: entries wait
	// for what must not come first, or for the moment to meet another one.
	provoke       func(t *testing.T, a *Archive)
	ask           string
	unsafe, right string // answers
	// mended says that minor releases do not have it any more.
	mended bool
}

// slowDatabase has a table that takes a while to load, until a condition holds
// or odx.patience seconds have passed. Tables that are to be loaded late depend
// on its data.
const slowDatabase = `
CREATE FUNCTION await(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE met boolean;
BEGIN
  FOR i IN 1 .. 10 * coalesce(current_setting('odx.patience', true), '0')::integer LOOP
    EXECUTE 'SELECT ' || condition INTO met;
    EXIT WHEN met;
    PERFORM pg_catalog.pg_sleep(0.1);
  END LOOP;
  RETURN true;
END$$;
CREATE TABLE slow (condition text CHECK (public.await(condition)));
`

// meetText waits until two sessions are in it. Its lock lasts as long as the
// transaction, so neither misses the other.
const meetText = "SELECT pg_catalog.pg_advisory_xact_lock_shared(1);\n" +
	"SELECT public.await($$count(*) > 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory'$$);\n"

// late makes tables wait for the slow one.
func late(t *testing.T, a *Archive, tables ...string) {
	t.Helper()
	slow := entryOf(t, a, DescTableData, "slow")
	for _, table := range tables {
		e := entryOf(t, a, DescTableData, table)
		e.Dependencies = append(e.Dependencies, slow.ID)
	}
}

var hazards = []hazard{
	{
		name: "trigger of a partitioned table",
		sql: `
INSERT INTO slow VALUES ('EXISTS (SELECT FROM pg_trigger WHERE tgname = ''mark'')');
CREATE TABLE parted (id integer, note text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT i, 'restored' FROM generate_series(0, 19) i;
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.note := 'fired'; RETURN NEW; END$$;
CREATE TRIGGER mark BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION mark();`,
		provoke: func(t *testing.T, a *Archive) { late(t, a, "parted_1", "parted_2") },
		ask:     "SELECT count(*) FILTER (WHERE note = 'fired'), count(*) FROM parted",
		unsafe:  "20|20", right: "0|20",
	}, {
		name: "locks of partitions without data",
		sql: `
CREATE TABLE parted (id integer) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted (FOREIGN KEY (id) REFERENCES parted_1) FOR VALUES FROM (10) TO (20);
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER mark BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION mark();`,
		dump: []string{"--schema-only"},
		provoke: func(t *testing.T, a *Archive) {
			// Each stops where it has locked the first of its tables.
			for _, lock := range []struct{ desc, tag, table string }{
				{"TRIGGER", "parted mark", "parted_1"}, {"FK CONSTRAINT", "parted_2 parted_2_id_fkey", "parted_2"},
			} {
				e := entryOf(t, a, lock.desc, lock.tag)
				e.Defn.String = "LOCK TABLE public." + lock.table + " IN SHARE ROW EXCLUSIVE MODE;\n" + meetText + e.Defn.String
			}
			trigger, key := entryOf(t, a, "TRIGGER", "parted mark"), entryOf(t, a, "CONSTRAINT", "parted_1 parted_1_pkey")
			trigger.Dependencies = append(trigger.Dependencies, key.ID) // as the foreign key does
		},
		ask: "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = 'mark' AND tgrelid = 'parted'::regclass)" +
			" + (SELECT count(*) FROM pg_constraint WHERE contype = 'f')",
		unsafe: "1", right: "2",
	}, {
		name: "constraint of a domain",
		sql: `
INSERT INTO slow VALUES ('EXISTS (SELECT FROM pg_constraint WHERE conname = ''positive'')');
CREATE DOMAIN amount AS integer;
CREATE TABLE used (amounts amount[]);
INSERT INTO used VALUES ('{-1}');
ALTER DOMAIN amount ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;`,
		provoke: func(t *testing.T, a *Archive) { late(t, a, "used") },
		ask:     "SELECT count(*), (SELECT count(*) FROM pg_constraint WHERE conname = 'positive') FROM used",
		unsafe:  "0|1", right: "1|1",
	}, {
		name: "indexes that alter the table",
		sql: `
CREATE TABLE t (a integer, b integer NOT NULL);
CREATE INDEX t_a ON t (a);
CREATE UNIQUE INDEX t_b ON t (b);
ALTER TABLE t CLUSTER ON t_a, REPLICA IDENTITY USING INDEX t_b;`,
		provoke: func(t *testing.T, a *Archive) {
			for _, index := range []string{"t_a", "t_b"} {
				e := entryOf(t, a, "INDEX", index)
				e.Defn.String = strings.Replace(e.Defn.String, "\n\nALTER", "\n"+meetText+"\nALTER", 1)
			}
		},
		ask:    "SELECT count(*) FILTER (WHERE indisclustered OR indisreplident) FROM pg_index",
		unsafe: "1", right: "2",
	}, {
		name: "indexes attached on two levels",
		sql: `
CREATE TABLE t (a integer) PARTITION BY LIST (a);
CREATE TABLE t_m PARTITION OF t FOR VALUES IN (1, 2) PARTITION BY LIST (a);
CREATE TABLE t_n1 PARTITION OF t_m FOR VALUES IN (1);
CREATE TABLE t_n2 PARTITION OF t_m FOR VALUES IN (2);
CREATE TABLE t_z PARTITION OF t FOR VALUES IN (3);
CREATE INDEX t_a_idx ON t (a);`,
		provoke: func(t *testing.T, a *Archive) {
			// When the middle one is attached, so is the last one below it, whose
			// transaction goes on until that of the other one above has come.
			const attached = "EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = pg_catalog.to_regclass('public.%s'))"
			low, last := entryOf(t, a, DescIndexAttach, "t_n2_a_idx"), entryOf(t, a, "INDEX", "t_n2_a_idx")
			last.Defn.String = fmt.Sprintf("SELECT public.await($$"+attached+" AND "+attached+"$$);\n%s", "t_m_a_idx", "t_n1_a_idx", last.Defn.String)
			index := entryOf(t, a, "INDEX", "t_z_a_idx")
			low.Defn.String += "SELECT pg_catalog.pg_advisory_xact_lock(1);\n" +
				fmt.Sprintf("SELECT public.await($$"+attached+" OR EXISTS (SELECT FROM pg_catalog.pg_locks WHERE NOT granted)$$);\n", "t_z_a_idx")
			index.Defn.String = "SELECT public.await($$EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory')$$);\n" + index.Defn.String
		},
		ask:    "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a_idx'::regclass",
		unsafe: "f", right: "t", mended: true,
	}, {
		name: "what another role granted",
		sql: `
CREATE SEQUENCE came;
CREATE SCHEMA "od d" CREATE TABLE t (a integer);
GRANT USAGE ON SCHEMA "od d" TO granting;
GRANT SELECT ON "od d".t TO granting WITH GRANT OPTION;
SET ROLE granting;
GRANT SELECT ON "od d".t TO granted;`,
		provoke: func(t *testing.T, a *Archive) {
			// The schema waits until the other has come and gone, which its lock shows.
			e := entryOf(t, a, "ACL", "TABLE t")
			e.Defn.String = "SELECT pg_catalog.pg_advisory_xact_lock(1);\nSELECT pg_catalog.nextval('public.came');\n" + e.Defn.String
			e = entryOf(t, a, "ACL", `SCHEMA "od d"`)
			e.Defn.String = "SELECT public.await($$is_called AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory')" +
				" FROM public.came$$);\n" + e.Defn.String
		},
		ask:    `SELECT has_table_privilege('granted', '"od d".t', 'SELECT')`,
		unsafe: "f", right: "t",
	}, {
		name: "privileges on columns, as older releases write them",
		sql: `
CREATE TABLE t (a integer, b integer);
REVOKE ALL ON t FROM CURRENT_USER;
GRANT SELECT (a) ON t TO CURRENT_USER;`,
		provoke: func(t *testing.T, a *Archive) {
			column, table := entryOf(t, a, "ACL", "COLUMN t.a"), entryOf(t, a, "ACL", "TABLE t")
			column.Dependencies = column.Dependencies[:1]
			table.Defn.String = "SELECT public.await($$EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attacl IS NOT NULL" +
				" AND attrelid = 'public.t'::pg_catalog.regclass)$$);\n" + table.Defn.String
		},
		ask:    "SELECT count(*) FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid = 't'::regclass",
		unsafe: "0", right: "1",
	}, {
		name: "statistics", since: 18,
		sql: `
INSERT INTO slow VALUES ('EXISTS (SELECT FROM pg_class WHERE relname = ''counted'' AND reltuples > 0)');
CREATE TABLE counted (a integer);
INSERT INTO counted SELECT generate_series(1, 100);
ANALYZE counted;`,
		dump:    []string{"--statistics"},
		provoke: func(t *testing.T, a *Archive) { late(t, a, "counted") },
		ask:     "SELECT reltuples FROM pg_class WHERE relname = 'counted'",
		unsafe:  "-1", right: "100",
	}, {
		name: "no tables",
		sql: `
INSERT INTO slow VALUES ('EXISTS (SELECT FROM pg_constraint WHERE contype = ''f'')');
CREATE TABLE one (a integer PRIMARY KEY);
CREATE TABLE many (a integer REFERENCES one);
INSERT INTO one VALUES (1);
INSERT INTO many VALUES (1);`,
		dump: []string{"--section=data", "--section=post-data"},
		provoke: func(t *testing.T, a *Archive) {
			late(t, a, "many")
			e := entryOf(t, a, DescTableData, "one")
			e.Dependencies = append(e.Dependencies, entryOf(t, a, DescTableData, "many").ID)
		},
		ask:    "SELECT (SELECT count(*) FROM many), (SELECT count(*) FROM pg_constraint WHERE contype = 'f')",
		unsafe: "0|1", right: "1|1",
	},
}

// TestSafeForParallel_Restore restores archives that are sure to go wrong with
// parallel workers, to see that they do, and that they do not once made safe.
func TestSafeForParallel_Restore(t *testing.T) {
	for _, dir := range append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...) {
		c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: dir, Settings: map[string]string{"autovacuum": "off"}})
		if missing := (*pgtool.NotFoundError)(nil); errors.As(err, &missing) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		})
		s := restoring{c}
		s.psql(t, "postgres", "CREATE ROLE granting; CREATE ROLE granted")
		for _, h := range hazards {
			if c.Major() >= h.since {
				t.Run(strconv.Itoa(c.Major())+"/"+h.name, func(t *testing.T) { s.test(t, h) })
			}
		}
	}
}

// restoring is a server that archives are restored into.
type restoring struct{ *pgcluster.Cluster }

func (s restoring) program(name string) string { return filepath.Join(s.BinDir(), name) }

func (s restoring) psql(t *testing.T, db string, commands ...string) string {
	t.Helper()
	args := []string{"-XAtq", "-v", "ON_ERROR_STOP=1", "-d", db}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return strings.TrimSpace(run(t, s.Env(), s.program("psql"), args...))
}

func (s restoring) test(t *testing.T, h hazard) {
	dir := filepath.Join(t.TempDir(), "dump")
	s.psql(t, "postgres", "DROP DATABASE IF EXISTS source", "CREATE DATABASE source")
	s.psql(t, "source", slowDatabase+h.sql)
	run(t, s.Env(), s.program("pg_dump"), append(h.dump, "-Fd", "-f", dir, "source")...)
	before := filepath.Join(t.TempDir(), "pre-data.sql") // for archives that do not have it
	run(t, s.Env(), s.program("pg_dump"), "--section=pre-data", "-f", before, "source")

	a := mustOpen(t, dir)
	h.provoke(t, a)
	rewriteTOC(t, dir, a.TOC)
	list := run(t, s.Env(), s.program("pg_restore"), "-l", dir)
	isPart := !strings.Contains(list, " SCHEMA ") && !strings.Contains(list, " TABLE public ")
	restored := func(patience int) string {
		t.Helper()
		s.psql(t, "postgres", "DROP DATABASE IF EXISTS target", "CREATE DATABASE target",
			"ALTER DATABASE target SET odx.patience = "+strconv.Itoa(patience))
		if isPart {
			run(t, s.Env(), s.program("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "-d", "target", "-f", before)
		}
		_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: s.program("pg_restore"), Env: s.Env(), Args: []string{"-j", "4", "-d", "target", dir}})
		if failed := (*pgtool.ExitError)(nil); err != nil && (!errors.As(err, &failed) || failed.Code != 1) {
			t.Fatal(err)
		}
		return s.psql(t, "target", h.ask)
	}
	switch got := restored(60); {
	case h.mended && got == h.right:
		t.Log("this minor release of the server is safe without")
	case got != h.unsafe:
		t.Errorf("as pg_dump leaves it: %s, want %s: the test shows nothing otherwise", got, h.unsafe)
	}
	if SafeForParallel(a.TOC) == 0 {
		t.Error("nothing was added")
	}
	rewriteTOC(t, dir, a.TOC)
	if got := run(t, s.Env(), s.program("pg_restore"), "-l", dir); got != list {
		t.Error("pg_restore -l prints another list")
	}
	if got := restored(1); got != h.right {
		t.Errorf("made safe: %s, want %s", got, h.right)
	}
}
