package dump

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// cluster is the server of all tests of the package.
var cluster *pgcluster.Cluster

func TestMain(m *testing.M) {
	var err error
	cluster, err = pgcluster.Start(context.Background(), pgcluster.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// office is a small database of Odoo's shape with its filestore, and a
// connection to it.
type office struct {
	*pgx.Conn
	t     *testing.T
	name  string
	store string
}

const officeTables = `
CREATE TABLE ir_module_module (name varchar, state varchar, latest_version varchar);
INSERT INTO ir_module_module VALUES ('base', 'installed', '17.0.1.3');
CREATE TABLE ir_attachment (id serial PRIMARY KEY, store_fname varchar, file_size integer);
CREATE TABLE twin_a (id int PRIMARY KEY, generation int);
CREATE TABLE twin_b (id int PRIMARY KEY, generation int);
INSERT INTO twin_a SELECT g, 0 FROM generate_series(1, 500) g;
INSERT INTO twin_b SELECT g, 0 FROM generate_series(1, 500) g;`

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, name: strings.ToLower(strings.ReplaceAll(t.Name(), "/", " ")), store: filepath.Join(t.TempDir(), "filestore")}
	admin := connect(t, "postgres")
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+pgx.Identifier{o.name}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin := connect(t, "postgres")
		if _, err := admin.Exec(context.Background(), "DROP DATABASE "+pgx.Identifier{o.name}.Sanitize()+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	o.Conn = connect(t, o.name)
	o.exec(officeTables)
	for i := range 20 {
		o.attach(fmt.Sprintf("letter %d", i))
	}
	return o
}

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), cluster.DSN(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func (o *office) exec(sql string) {
	o.t.Helper()
	if _, err := o.Exec(context.Background(), sql); err != nil {
		o.t.Fatalf("%v\nin: %s", err, sql)
	}
}

// attach writes a file, then the row that names it.
func (o *office) attach(content string) {
	o.t.Helper()
	sum := sha1.Sum([]byte(content))
	name := hex.EncodeToString(sum[:])
	fname := name[:2] + "/" + name
	path := filepath.Join(o.store, fname)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		o.t.Fatal(err)
	}
	o.exec(fmt.Sprintf("INSERT INTO ir_attachment (store_fname, file_size) VALUES ('%s', %d)", fname, len(content)))
}

// disturb does what must not fit between two steps of a dump: files go as
// Odoo's garbage collection takes them, tables are rewritten.
func (o *office) disturb(generation int) {
	o.t.Helper()
	o.attach(fmt.Sprintf("new letter %d", generation))
	o.exec("DELETE FROM ir_attachment WHERE id IN (SELECT id FROM ir_attachment ORDER BY id LIMIT 1)")
	o.collect()
	o.try(fmt.Sprintf(`BEGIN; TRUNCATE twin_a, twin_b;
		INSERT INTO twin_a SELECT g, %[1]d FROM generate_series(1, 500) g;
		INSERT INTO twin_b SELECT g, %[1]d FROM generate_series(1, 500) g; COMMIT`, generation))
	o.try("CLUSTER twin_a USING twin_a_pkey")
}

// try runs statements that may have to give up for a lock.
func (o *office) try(sql string) {
	o.t.Helper()
	_, err := o.Exec(context.Background(), "SET lock_timeout = '100ms'; "+sql)
	if err == nil {
		return
	}
	if server.SQLState(err) != "55P03" {
		o.t.Fatalf("%v\nin: %s", err, sql)
	}
	o.exec("ROLLBACK")
}

// collect takes away the files that no row names, under the lock that Odoo
// takes for it.
func (o *office) collect() {
	o.t.Helper()
	ctx := context.Background()
	err := pgx.BeginFunc(ctx, o.Conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '100ms'; LOCK ir_attachment IN SHARE MODE"); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(o.store, "??", "*"))
		if err != nil {
			return err
		}
		for _, path := range files {
			var named bool
			err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ir_attachment WHERE store_fname = $1)",
				strings.TrimPrefix(path, o.store+"/")).Scan(&named)
			if err != nil {
				return err
			}
			if !named {
				if err := os.Remove(path); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil && server.SQLState(err) != "55P03" {
		o.t.Fatal(err)
	}
}

// newRun prepares a dump into a folder of its own.
func (o *office) newRun() *run {
	return &run{
		Options: Options{
			Server: server.Settings{Params: server.Params{
				"host": cluster.Host(), "port": fmt.Sprint(cluster.Port()), "user": cluster.User(),
			}},
			Database: o.name, Target: filepath.Join(o.t.TempDir(), "backup"), Filestore: o.store,
			Environ: os.Environ(), Finder: pgtool.Finder{BinDir: cluster.BinDir()},
			Jobs: 2, Compress: DefaultCompress, LockWait: 10 * time.Second, GCGuard: true, Retries: 9,
		},
	}
}

// wantConsistent has PostgreSQL's own programs read the backup, and looks at
// what is in it.
func (o *office) wantConsistent(backup string) {
	o.t.Helper()
	const sql = `SELECT (SELECT count(*) FROM twin_a), (SELECT count(*) FROM twin_b), (SELECT count(DISTINCT generation)
		FROM (SELECT generation FROM twin_a UNION ALL SELECT generation FROM twin_b) x)`
	judge := o.restored(backup)
	var a, b, generations int
	if err := judge.QueryRow(o.t.Context(), sql).Scan(&a, &b, &generations); err != nil {
		o.t.Fatal(err)
	}
	if a != 500 || b != 500 || generations != 1 {
		o.t.Errorf("not one point in time: %d and %d rows of %d generations", a, b, generations)
	}
	rows, err := judge.Query(o.t.Context(), "SELECT store_fname, file_size FROM ir_attachment")
	if err != nil {
		o.t.Fatal(err)
	}
	var name string
	var size int64
	_, err = pgx.ForEachRow(rows, []any{&name, &size}, func() error {
		info, err := os.Stat(filepath.Join(backup, dumpfmt.FilestoreDir, name))
		if err == nil && info.Size() != size {
			err = fmt.Errorf("%s: %d bytes, and the row says %d", name, info.Size(), size)
		}
		if err != nil {
			o.t.Error(err)
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// restored makes a database of the archive with pg_restore alone.
func (o *office) restored(backup string) *pgx.Conn {
	o.t.Helper()
	admin := connect(o.t, "postgres")
	for _, sql := range []string{"DROP DATABASE IF EXISTS judge WITH (FORCE)", "CREATE DATABASE judge TEMPLATE template0"} {
		if _, err := admin.Exec(o.t.Context(), sql); err != nil {
			o.t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(cluster.BinDir(), "pg_restore"), "--jobs=2", "--exit-on-error",
		"--dbname="+cluster.DSN("judge"), filepath.Join(backup, dumpfmt.ArchiveDir))
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Fatalf("pg_restore: %v\n%s", err, out)
	}
	return connect(o.t, "judge")
}

// nothingLeft fails the test if the run left anything beside its target.
func (r *run) nothingLeft(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.Target))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left: %s", e.Name())
	}
}

// TestRun_Uploading dumps while a file is written that the snapshot does not name:
// a part of it is not to stand under the name of the whole.
func TestRun_Uploading(t *testing.T) {
	o := newOffice(t)
	const growing = "ab/abcdefabcdefabcdefabcdefabcdefabcdefabcd"
	path := filepath.Join(o.store, growing)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, make([]byte, 8<<20), 0o644)); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		for err == nil && ctx.Err() == nil {
			_, err = f.Write([]byte("more"))
		}
		written <- errors.Join(err, f.Close())
	}()
	// A busy machine may read all of it between two writes: then the part is a whole file.
	var r *run
	var report *Report
	var err error
	for warned, try := false, 0; !warned && err == nil && try < 20; try++ {
		r = o.newRun()
		report, err = r.do(t.Context())
		warned = err == nil && strings.Contains(strings.Join(report.Warnings, "\n"), "1 files that were being written")
	}
	end()
	if err := errors.Join(err, <-written); err != nil {
		t.Fatal(err)
	}
	f := report.Record.Filestore
	if _, err := os.Lstat(filepath.Join(r.Target, "filestore", growing)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the part is there: %v", err)
	}
	if report.Losses() || f.Files != f.Named {
		t.Errorf("%+v, warnings %q", f, report.Warnings)
	}
	o.wantConsistent(r.Target)
}
