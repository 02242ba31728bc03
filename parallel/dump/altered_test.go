package dump

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// alterations change what a dump has listed. Each takes the number of its run.
var alterations = []string{
	"ALTER TABLE rewritten ALTER COLUMN a TYPE numeric(%d) USING a + 1",
	"ALTER TABLE widened ADD COLUMN b%d timestamptz DEFAULT clock_timestamp()",
	"ALTER TABLE widened DROP COLUMN IF EXISTS b%d, ADD COLUMN c int GENERATED ALWAYS AS IDENTITY; ALTER TABLE widened DROP COLUMN c",
	"DROP TABLE gone; CREATE TABLE gone AS SELECT %d AS a FROM generate_series(1, 300)",
	"ALTER TABLE renamed RENAME TO passing; CREATE TABLE renamed AS SELECT %d AS a FROM passing; DROP TABLE passing",
	"CREATE SCHEMA IF NOT EXISTS away; ALTER TABLE moved SET SCHEMA away; ALTER TABLE away.moved ADD COLUMN d%d int; ALTER TABLE away.moved SET SCHEMA public",
	"ALTER TABLE parted DETACH PARTITION part; TRUNCATE part; INSERT INTO part VALUES (%d); ALTER TABLE parted ATTACH PARTITION part DEFAULT",
}

const alteredTables = `
CREATE TABLE rewritten AS SELECT a FROM generate_series(1, 3000) a;
CREATE TABLE widened AS SELECT a FROM generate_series(1, 3000) a;
CREATE TABLE gone AS SELECT 0 AS a;
CREATE TABLE renamed AS SELECT 0 AS a FROM generate_series(1, 300);
CREATE TABLE moved AS SELECT 1 AS a;
CREATE TABLE parted (a int) PARTITION BY LIST (a);
CREATE TABLE part PARTITION OF parted DEFAULT;`

// TestDirect_AlteredBetweenSteps alters, drops and renames tables between any
// two steps of a dump, as far as its locks let somebody. Every dump is pg_dump's
// of the same snapshot.
func TestDirect_AlteredBetweenSteps(t *testing.T) {
	for _, binDir := range binDirs() {
		j := newJudge(t, binDir)
		for i, at := range steps[EngineDirect] {
			if at == "filestore copied" { // there is none
				continue
			}
			t.Run(fmt.Sprintf("%d %s", j.Major(), at), func(t *testing.T) {
				j := &judge{j.Cluster, t}
				name := fmt.Sprintf("altered_%d", i)
				j.psql("postgres", "-c", "CREATE DATABASE "+name)
				j.psql(name, "-c", alteredTables)
				r := j.dump(name, "gzip:1")
				changed := j.alterAt(r, at)
				j.wantSame(r)
				// Before the locks everything goes through, after them nothing.
				before := slices.Index(steps[EngineDirect], at) < slices.Index(steps[EngineDirect], "tables locked")
				if n := changed(); before != (n > 0) {
					t.Errorf("%d alterations went through %s", n, at)
				}
			})
		}
	}
}

// alterAt has a run disturbed by all alterations at a step. The function tells
// how many of them went through.
func (j *judge) alterAt(r *run, at string) func() int {
	j.t.Helper()
	c, err := pgx.Connect(j.t.Context(), j.DSN(r.Database))
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(func() { c.Close(j.t.Context()) })
	if _, err := c.Exec(j.t.Context(), "SET lock_timeout = '50ms'"); err != nil {
		j.t.Fatal(err)
	}
	var mu sync.Mutex // steps of the copying are met by several goroutines
	var met, changed int
	r.hook = func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if step != at || met >= disturbances {
			return
		}
		met++
		for _, sql := range alterations {
			switch _, err := c.Exec(j.t.Context(), fmt.Sprintf(sql, met+20)); {
			case err == nil:
				changed++
			case server.SQLState(err) != "55P03":
				j.t.Errorf("%v\nin: %s", err, sql)
			}
		}
	}
	return func() int { return changed }
}
