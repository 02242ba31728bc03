package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/bench"
	"odx/parallel/pgcluster"
)

// runAsMain makes the test binary behave as odx itself, so that tests meet
// real processes, signals and exit codes.
const runAsMain = "ODX_TEST_RUN_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsMain) != "" {
		if d, err := time.ParseDuration(os.Getenv("ODX_TEST_PROGRESS")); err == nil {
			jsonInterval = d
		}
		main()
		return
	}
	// Tests send signals to odx. What is ignored here, as below nohup, would be
	// ignored there as well.
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	code := m.Run()
	if err := stopClusters(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// world is a server with a generated Odoo database and its filestore. Tests
// share one and leave the source as it is.
type world struct {
	*pgcluster.Cluster
	data   string // Odoo's data folder, with filestore/src in it
	bin    string // where odx is to find the server's programs; "" where it looks by itself
	broken error  // why it could not be made

	hasSmall           bool   // see smallIn
	backupDir, slowDir string // see makeBackup, makeSlow
}

const (
	sourceDB = "src"
	odooRole = "odoo"
)

// worlds are those that tests share, by the folder of their server's programs.
var worlds = map[string]*world{}

// sharedWorld is the world with the machine's newest server.
func sharedWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(t, "")
}

func worldOf(t *testing.T, bin string) *world {
	t.Helper()
	if worlds[bin] == nil {
		w, err := makeWorld(bin)
		if w != nil { // to be stopped at the end, whatever came of it
			worlds[bin] = w
			w.broken = err
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if w := worlds[bin]; w.broken != nil {
		t.Fatal(w.broken)
	}
	return worlds[bin]
}

// onServers runs a test in the worlds of two servers: the machine's, and the 17 of
// ODX_TEST_PG.
func onServers(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	for _, bin := range twoServers() {
		t.Run("PostgreSQL "+cmp.Or(majorOf(bin), "here"), func(t *testing.T) { test(t, worldOf(t, bin)) })
	}
}

// twoServers lists the folders of serverBins that tests use which take long.
func twoServers() (bins []string) {
	for _, bin := range serverBins() {
		if bin == "" || majorOf(bin) == "17" {
			bins = append(bins, bin)
		}
	}
	return bins
}

// majorOf gives the version that is in the name of a folder like .../17/bin.
func majorOf(bin string) string {
	if bin == "" {
		return ""
	}
	return filepath.Base(filepath.Dir(bin))
}

// makeWorld starts a server of the programs in a folder, the machine's newest for "".
func makeWorld(bin string) (*world, error) {
	ctx := context.Background()
	c, err := pgcluster.Start(ctx, pgcluster.Options{BinDir: bin})
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "odx-test-data-")
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	w := &world{Cluster: c, data: data, bin: bin}
	admin, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return w, err
	}
	defer admin.Close(ctx)
	if _, err := admin.Exec(ctx, "CREATE ROLE "+odooRole+" LOGIN"); err != nil {
		return w, err
	}
	_, err = bench.Generate(ctx, bench.Options{
		DSN: c.DSN("postgres"), Database: sourceDB, Owner: odooRole, Filestore: w.filestore(sourceDB),
		Seed: 1, Scale: 8 << 20, FilestoreBytes: 8 << 20, Jobs: 2,
	})
	return w, err
}

// startWorld starts an empty server that is the test's own.
func startWorld(t *testing.T, o pgcluster.Options) *world {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &world{Cluster: c, data: t.TempDir()}
}

func stopClusters() (err error) {
	for _, w := range worlds {
		err = errors.Join(err, w.Stop(), os.RemoveAll(w.data))
	}
	return err
}

func (w *world) filestore(database string) string {
	return filepath.Join(w.data, "filestore", database)
}

// temp is odx's own folder for temporary files: what a killed run leaves there
// is nothing to the runs of others.
func (w *world) temp() string {
	dir := filepath.Join(w.data, "tmp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		panic(err)
	}
	return dir
}

// connect opens a connection that ends with the test.
func (w *world) connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), w.DSN(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// exec runs SQL in a database.
func (w *world) exec(t *testing.T, database, sql string) {
	t.Helper()
	c := w.connect(t, database)
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// drop removes a database and its filestore when the test ends.
func (w *world) drop(t *testing.T, database string) {
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), w.DSN("postgres"))
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(context.Background())
		sql := "DROP DATABASE IF EXISTS " + pgx.Identifier{database}.Sanitize() + " WITH (FORCE)"
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(w.filestore(database)); err != nil {
			t.Error(err)
		}
	})
}

// databases lists the databases of the server.
func (w *world) databases(t *testing.T) []string {
	t.Helper()
	c := w.connect(t, "postgres")
	defer c.Close(t.Context())
	rows, err := c.Query(t.Context(), "SELECT datname FROM pg_database ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// result is how a run of odx ended.
type result struct {
	code           int
	stdout, stderr string
	peakRSS        int64 // bytes, of odx itself
}

// command prepares a run of odx against the world's server.
func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), runAsMain+"=1", "HOME=/nonexistent", "PGPASSFILE=/nonexistent", "TMPDIR="+w.temp())
	cmd.Env = append(cmd.Env, w.Env()...)
	if w.bin != "" {
		cmd.Env = append(cmd.Env, "PATH="+w.bin+":"+os.Getenv("PATH"))
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGKILL) }
	return cmd
}

// odx runs odx to its end.
func (w *world) odx(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	return finish(t, w.command(ctx, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	if cmd.Process == nil {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peakRSS = u.Maxrss << 10
	}
	return r
}

// want fails the test unless odx ended with the code and said the words.
func (r result) want(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d; stderr:\n%s", r.code, code, r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			t.Errorf("stderr does not say %q:\n%s", word, r.stderr)
		}
	}
}

// lacks fails the test if anything that odx printed has one of the words.
func (r result) lacks(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(r.stderr+r.stdout, word) {
			t.Errorf("odx printed %q", word)
		}
	}
}

// report reads what --json printed.
func (r result) report(t *testing.T, into any) {
	t.Helper()
	o := outcome{Report: into}
	if err := json.Unmarshal([]byte(r.stdout), &o); err != nil {
		t.Fatalf("stdout is no JSON report: %v\n%s", err, r.stdout)
	}
}

// wantOnly fails the test if a folder holds anything but the names given.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, n := range names {
		allowed[n] = true
	}
	for _, e := range entries {
		if !allowed[e.Name()] {
			t.Errorf("%s was left in %s", e.Name(), dir)
		}
	}
}
