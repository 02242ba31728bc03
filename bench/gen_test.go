package bench

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// startCluster starts a server, or skips the test where there is none.
func startCluster(t *testing.T) *pgcluster.Cluster {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{})
	if err != nil {
		if none := new(pgtool.NotFoundError); errors.As(err, &none) && os.Getenv("ODX_TEST_REQUIRE") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// dumpScript returns pg_dump's text of a database.
func dumpScript(t *testing.T, c *pgcluster.Cluster, db string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), db+".sql")
	_, err := pgtool.Run(t.Context(), pgtool.Command{
		Tool: filepath.Join(c.BinDir(), "pg_dump"), Args: []string{"--no-owner", "-f", path, c.DSN(db)}, Env: os.Environ(),
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestGenerate(t *testing.T) {
	c := startCluster(t)
	dir := t.TempDir()
	var results []Result
	for i, jobs := range []int{1, 4} {
		name := string(rune('a' + i))
		res, err := Generate(t.Context(), Options{
			DSN: c.DSN("postgres"), Database: name, Filestore: filepath.Join(dir, name),
			Seed: 7, Scale: 6_000_000, FilestoreBytes: 3_000_000, Tables: 20, Jobs: jobs, Extras: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		res.Load, res.Build = 0, 0
		results = append(results, res)
	}
	if results[0] != results[1] {
		t.Errorf("one job: %+v, four jobs: %+v", results[0], results[1])
	}
	if got := results[0].CopyBytes; got < 5_000_000 || got > 9_000_000 {
		t.Errorf("got %d bytes of rows, want about 6 MB", got)
	}
	if err := CompareScripts(dumpScript(t, c, "a"), dumpScript(t, c, "b")); err != nil {
		t.Error(err)
	}
	if err := CompareTrees(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Error(err)
	}
	conn, err := pgx.Connect(t.Context(), c.DSN("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	checkOdoo(t, conn)
	checkFiles(t, conn, filepath.Join(dir, "a"))
}

// checkOdoo looks for what tools expect of an Odoo database.
func checkOdoo(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for query, want := range map[string]string{
		"SELECT state || ' ' || latest_version FROM ir_module_module WHERE name = 'base'":                                                                         "installed 19.0.1.3",
		"SELECT count(*)::text FROM ir_config_parameter WHERE key IN ('database.uuid', 'database.secret', 'web.base.url')":                                        "3",
		"SELECT cron_name FROM ir_cron JOIN ir_model_data d ON res_id = ir_cron.id AND d.model = 'ir.cron' WHERE d.module = 'base' AND d.name = 'autovacuum_job'": crons[0],
		"SELECT count(*)::text FROM pg_constraint WHERE contype = 'f' AND NOT convalidated":                                                                       "0",
		"SELECT count(*)::text FROM pg_index WHERE NOT indisvalid":                                                                                                "0",
		"SELECT (nextval('res_partner_id_seq') - max(id))::text FROM res_partner":                                                                                 "1",
		"SELECT bool_and(length(body) < 1000000 AND length(body) > 0)::text FROM mail_message WHERE id = 38 AND length(body) > 100000":                            "true",
		"SELECT (count(*) > 3)::text FROM pg_largeobject_metadata":                                                                                                "true",
		"SELECT string_agg(DISTINCT type, ',' ORDER BY type) FROM ir_attachment":                                                                                  "binary,url",
		"SELECT (count(*) FILTER (WHERE db_datas IS NOT NULL) > 0)::text FROM ir_attachment":                                                                      "true",
		"SELECT (count(store_fname) > count(DISTINCT store_fname))::text FROM ir_attachment":                                                                      "true",
		"SELECT (count(*) > 0)::text FROM mail_message WHERE strpos(body, chr(92)) > 0":                                                                           "true",
		"SELECT (count(*) > 0)::text FROM sale_order_line WHERE name = '' OR name LIKE E'%\\n%'":                                                                  "true",
		"SELECT datcollate || (datctype <> '')::text FROM pg_database WHERE datname = current_database()":                                                         "Ctrue",
	} {
		var got *string
		if err := conn.QueryRow(t.Context(), query).Scan(&got); err != nil {
			t.Errorf("%s: %v", query, err)
		} else if got == nil || *got != want {
			t.Errorf("%s: got %v, want %q", query, got, want)
		}
	}
}

// checkFiles looks up the file of every attachment, and reads it.
func checkFiles(t *testing.T, conn *pgx.Conn, dir string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT store_fname, file_size, checksum FROM ir_attachment WHERE store_fname IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	var count int
	var name, checksum string
	var size int
	_, err = pgx.ForEachRow(rows, []any{&name, &size, &checksum}, func() error {
		count++
		data, err := os.ReadFile(filepath.Join(dir, name))
		sum := sha1.Sum(data)
		if digest := hex.EncodeToString(sum[:]); err != nil || len(data) != size || digest != checksum || name != digest[:2]+"/"+digest {
			t.Errorf("%s: got %d bytes with SHA-1 %s (%v), want %d", name, len(data), digest, err, size)
		}
		return nil
	})
	if err != nil || count < 50 {
		t.Errorf("got %d files, %v", count, err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, "checklist", "*", "*")); err != nil || len(names) == 0 {
		t.Errorf("nothing in the checklist: %v", err)
	}
}

// TestGenerate_Undo makes sure that a generation that fails leaves nothing.
func TestGenerate_Undo(t *testing.T) {
	c := startCluster(t)
	dir := filepath.Join(t.TempDir(), "filestore")
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for { // until the first file is there
			if names, err := filepath.Glob(dir + "/*/*"); err == nil && len(names) > 0 || ctx.Err() != nil {
				cancel(stop)
				return
			}
		}
	}()
	_, err := Generate(ctx, Options{DSN: c.DSN("postgres"), Database: "x", Filestore: dir, Tables: -1, FilestoreBytes: 50_000_000})
	cancel(nil)
	if err == nil {
		t.Fatal("got no error from a generation that was stopped")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the filestore is still there: %v", err)
	}
	conn, err := pgx.Connect(t.Context(), c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var left []string
	if err := conn.QueryRow(t.Context(), "SELECT array_agg(datname) FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'").Scan(&left); err != nil || len(left) > 0 {
		t.Errorf("databases left: %q, %v", left, err)
	}
}

func TestGenerate_Refused(t *testing.T) {
	full := t.TempDir()
	writeTree(t, full, map[string]string{"ab/1": ""})
	for name, o := range map[string]Options{
		"no name":           {},
		"negative":          {Database: "x", Scale: -1},
		"full filestore":    {Database: "x", Filestore: full},
		"unreachable":       {Database: "x", DSN: "host=/nonexistent"},
		"bad DSN":           {Database: "x", DSN: "port=many"},
		"filestore, a file": {Database: "x", Filestore: filepath.Join(full, "ab/1")},
	} {
		if _, err := Generate(t.Context(), o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := os.Stat(filepath.Join(full, "ab/1")); err != nil {
		t.Errorf("a filestore that was refused is gone: %v", err)
	}
}

func TestParseTables_Refused(t *testing.T) {
	for _, text := range []string{
		"name char", "table x rows=many", "table x colour=2", "table x rows=1\n  name", "table x rows=1\n  name strange",
		"table x rows=1\n  name char colour", "rel x a->b rows=1", "rel x a b->c rows=1", "table x rows=1\ntable x rows=2",
	} {
		if err := parseTables(newSchema(), text); err == nil || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: got %v, want an error with its line", text, err)
		}
	}
}
