package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/bench"
	"odx/parallel/pgcluster"
)

// tortureMark is in the environment of every odx of a campaign, and so of all
// that they start.
const tortureMark = "ODX_TEST_TORTURE_MARK=yes"

const (
	tortureTarget = "target" // name of what is made: folder, zip without its suffix, database
	tortureOld    = "old"    // the database that --force replaces is a copy of this one
	serverDisk    = 600 << 20
	serverConns   = 24
)

// campaign is a server of its own, which may be ended and starved, on a disk of
// its own, with a database, its backups, and what is known of them.
type campaign struct {
	*world
	seed  uint64
	root  string // in memory, so that syncing costs nothing
	tmp   string // for temporary files
	spans map[string][]span
	bytes map[string]int64 // what an operation writes to its disk
	truth *truth
}

func newCampaign(t *testing.T, plan *torturePlan) *campaign {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount small disks and bad ones")
	}
	root, err := os.MkdirTemp("", "odx-test-torture-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, root) })
	mountMemory(t, root, 2<<30)
	for _, dir := range []string{"pg", "data", "good", "good/zip", "tmp", "fuse", "run"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pg := filepath.Join(root, "pg")
	mountMemory(t, pg, serverDisk)
	cluster, err := pgcluster.Start(t.Context(), pgcluster.Options{Dir: pg, Settings: map[string]string{
		"max_connections": strconv.Itoa(serverConns), "max_wal_size": "64MB", "min_wal_size": "32MB",
		"shared_buffers": "32MB", "autovacuum": "off", "max_worker_processes": "4",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := &campaign{
		world: &world{Cluster: cluster, data: filepath.Join(root, "data")}, seed: plan.seed, root: root,
		tmp: filepath.Join(root, "tmp"), spans: map[string][]span{}, bytes: map[string]int64{},
	}
	c.fill(t)
	for range plan.rounds() {
		for i := range operations {
			c.measure(t, &operations[i])
		}
	}
	for i := range operations {
		t.Logf("%s: %v", operations[i].name, c.spans[operations[i].name])
	}
	return c
}

// mountMemory mounts a file system in memory until the test ends.
func mountMemory(t *testing.T, dir string, size int64) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755,size="+strconv.FormatInt(size, 10)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill makes the database. What is made of it is judged by what pg_dump says of
// it, and by the filestore.
func (c *campaign) fill(t *testing.T) {
	t.Helper()
	c.exec(t, "postgres", "CREATE ROLE "+odooRole+" LOGIN")
	_, err := bench.Generate(t.Context(), bench.Options{
		DSN: c.DSN("postgres"), Database: sourceDB, Owner: odooRole, Filestore: c.filestore(sourceDB),
		Seed: 1, Scale: 5 << 20, FilestoreBytes: 5 << 20, Tables: -1, Jobs: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.dropMost(t)
	c.exec(t, "postgres", "CREATE DATABASE "+tortureOld)
	c.exec(t, tortureOld, "CREATE TABLE the_old ()")
	c.truth = c.learn(t)
}

// measure does an operation without a fault and keeps how long its phases take,
// at the least, and the backup if it is the first.
func (c *campaign) measure(t *testing.T, op *operation) {
	t.Helper()
	tr := &trial{campaign: c, op: op, fault: &tortureFault{}, src: filepath.Join(c.root, op.source), dir: filepath.Join(c.root, "run")}
	tr.prepare(t)
	r := c.begin(t, nil, tr.args()...)
	r.wait(t).want(t, exitOK)
	c.spans[op.name] = shortest(c.spans[op.name], r.spans[:len(r.spans)-1])
	c.bytes[op.name] = treeBytes(t, tr.dir)
	tr.wantWhole(t)
	c.keep(t, tr)
	c.sweep(t)
}

// shortest joins what two runs took: each phase of either, and the shorter time.
func shortest(a, b []span) []span {
	for _, s := range b {
		i := slices.IndexFunc(a, func(other span) bool { return other.phase == s.phase })
		if i < 0 {
			a = append(a, s)
		} else {
			a[i].length = min(a[i].length, s.length)
		}
	}
	return a
}

// few are the tables that odx and Odoo's restore look at, and some with rows: with
// no others a run takes a second, and many can be made.
var few = []string{"ir_attachment", "ir_module_module", "ir_config_parameter", "ir_cron", "ir_mail_server", "fetchmail_server", "ir_model",
	"res_partner", "res_users", "res_company", "res_groups", "res_country", "res_currency", "mail_message", "mail_tracking_value",
	"account_move", "account_move_line", "stock_move", "product_template", "product_product"}

// dropMost drops all tables but few, one at a time: the server has room for
// few locks.
func (c *campaign) dropMost(t *testing.T) {
	t.Helper()
	conn := c.connect(t, sourceDB)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT relname FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL ($1)`, few)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := conn.Exec(t.Context(), "DROP TABLE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" CASCADE"); err != nil {
			t.Fatal(err)
		}
	}
}

// keep puts the first backups where later operations read them.
func (c *campaign) keep(t *testing.T, tr *trial) {
	t.Helper()
	to := map[string]string{"dump folder": "folder", "dump zip": "zip/backup.zip"}[tr.op.name]
	if to = filepath.Join(c.root, "good", to); to == filepath.Join(c.root, "good") {
		return
	}
	if _, err := os.Lstat(to); err != nil {
		rename(t, tr.target(), to)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func treeBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		n += info.Size() + 4096
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sweep brings everything back to how it was before a trial, whatever the trial
// has left.
func (c *campaign) sweep(t *testing.T) {
	t.Helper()
	for _, pid := range c.marked(t) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	c.revive(t)
	admin := c.connect(t, "postgres")
	defer admin.Close(t.Context())
	for _, name := range c.databases(t) {
		if c.truth != nil && !c.truth.databases[name] {
			id := pgx.Identifier{name}.Sanitize()
			// ALTER DATABASE refuses one whose removal was cut off.
			for _, sql := range []string{"UPDATE pg_database SET datistemplate = false WHERE datname = '" + name + "'", "DROP DATABASE " + id + " WITH (FORCE)"} {
				if _, err := admin.Exec(t.Context(), sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
		}
	}
	for _, dir := range []string{"run", "tmp"} {
		dir = filepath.Join(c.root, dir)
		for _, name := range mustReadDir(t, dir) {
			remove(t, filepath.Join(dir, name))
		}
	}
}

// revive starts the server again if it does not take connections.
func (c *campaign) revive(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err == nil {
		conn.Close(ctx)
		return
	}
	if err := c.Crash(); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// marked lists the processes that belong to an odx of the campaign.
func (c *campaign) marked(t testing.TB) (pids []int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		env, err := os.ReadFile(path)
		// What has ended and waits for its parent has an empty environment.
		if err == nil && strings.Contains("\x00"+string(env), "\x00"+tortureMark+"\x00") && strings.Contains(string(env), "\x00TMPDIR="+c.tmp+"\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}
