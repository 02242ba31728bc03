package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"odx/dumpfmt/sqlscript"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// run runs one of PostgreSQL's programs and gives what it prints.
func run(t testing.TB, env []string, tool string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: tool, Args: args, Env: env, Stdout: &out})
	if err != nil {
		t.Fatalf("%s %s: %v", filepath.Base(tool), strings.Join(args, " "), err)
	}
	return out.String()
}

// release is a PostgreSQL release of the machine.
type release struct {
	major int
	bin   string // folder of its programs
}

// releases gives the machine's newest release and those of ODX_TEST_PG.
func releases(t *testing.T) []release {
	t.Helper()
	dirs := filepath.SplitList(os.Getenv("ODX_TEST_PG"))
	newest, err := pgtool.Finder{}.Newest(t.Context(), "postgres")
	if missing := (*pgtool.NotFoundError)(nil); err != nil && !errors.As(err, &missing) {
		t.Fatal(err)
	} else if err == nil {
		dirs = append(dirs, filepath.Dir(newest.Path))
	}
	if len(dirs) == 0 {
		t.Skip("no PostgreSQL server is here")
	}
	var all []release
	for _, dir := range dirs {
		tool, err := pgtool.Finder{BinDir: dir}.Newest(t.Context(), "postgres")
		if err != nil {
			t.Fatal(err)
		}
		r := release{tool.Version.Major, dir}
		if !slices.ContainsFunc(all, func(o release) bool { return o.major == r.major }) {
			all = append(all, r)
		}
	}
	return all
}

// tool runs a program of the release that needs no server.
func (r release) tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	return run(t, os.Environ(), filepath.Join(r.bin, name), args...)
}

// key gives the option that fixes the key, where the release has it.
func (r release) key(args ...string) []string {
	if r.major == 13 {
		return args
	}
	return append([]string{"--restrict-key=kitchen"}, args...)
}

// server is a throw-away server.
type server struct {
	release
	*pgcluster.Cluster
}

func startServer(t testing.TB, r release) *server {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: r.bin, Settings: map[string]string{
		"timezone": "UTC", "autovacuum": "off", "max_connections": "50", "max_locks_per_transaction": "256",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &server{r, c}
}

// tool runs a program with the server's address.
func (s *server) tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	return run(t, append(s.Env(), "PATH="+os.Getenv("PATH"), "TZ=UTC"), filepath.Join(s.bin, name), args...)
}

func (s *server) psql(t testing.TB, db string, args ...string) string {
	t.Helper()
	return s.tool(t, "psql", append([]string{"-XAtq", "-v", "ON_ERROR_STOP=1", "-d", db}, args...)...)
}

func (s *server) create(t testing.TB, db string) {
	t.Helper()
	s.psql(t, "postgres", "-c", "CREATE DATABASE "+db+" TEMPLATE template0")
}

// drop drops a database, which a subscription would prevent.
func (s *server) drop(t testing.TB, db string) {
	t.Helper()
	for _, sub := range strings.Fields(s.psql(t, db, "-c", "SELECT subname FROM pg_subscription "+
		"WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())")) {
		s.psql(t, db, "-c", fmt.Sprintf("DROP SUBSCRIPTION %q", sub))
	}
	s.psql(t, "postgres", "-c", "DROP DATABASE "+db)
}

// runs is how often each archive is restored: ODX_TEST_RESTORES times, or once.
func runs() int {
	if n, err := strconv.Atoi(os.Getenv("ODX_TEST_RESTORES")); err == nil {
		return n
	}
	return 1
}

// wantRestored restores an archive with parallel workers, so many times, and
// wants the dump of the result to be the script, but for the order of rows.
func (s *server) wantRestored(t testing.TB, times int, dir, script string, options ...string) {
	t.Helper()
	want := normal(t, script)
	for i := range times {
		s.create(t, "restored")
		s.tool(t, "pg_restore", append(slices.Clone(options), "--exit-on-error", "-j", "8", "-d", "restored", dir)...)
		got := normal(t, s.tool(t, "pg_dump", s.key(append(options, "restored")...)...))
		wantSame(t, "restored "+strconv.Itoa(i), got, want)
		s.drop(t, "restored")
		if t.Failed() {
			return
		}
	}
}

// normal gives a script with the rows of each table sorted. Rows that are
// loaded through a partition root may come to lie in another partition; they
// are sorted together at the end. The releases at the start are left out,
// because the server at hand may be of another minor one, and the key.
func normal(t testing.TB, script string) string {
	t.Helper()
	const viaRoot = "-- load via partition root "
	var out, rows strings.Builder
	rooted := make(map[string]string)
	root := ""
	sc := sqlscript.NewScanner(strings.NewReader(script), "")
	for {
		p, err := sc.Next()
		if err == io.EOF {
			for _, root := range slices.Sorted(maps.Keys(rooted)) {
				out.WriteString(root + sortLines(rooted[root]))
			}
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch text := string(p.Data); {
		case strings.HasPrefix(text, "-- Dumped "), p.Kind == sqlscript.Command:
			continue
		case strings.HasPrefix(text, viaRoot):
			root = text
		case p.Kind == sqlscript.Rows:
			rows.WriteString(text)
			continue
		case p.Kind == sqlscript.RowsEnd && root != "":
			rooted[root] += rows.String()
			rows.Reset()
			root = ""
		case p.Kind == sqlscript.RowsEnd:
			out.WriteString(sortLines(rows.String()))
			rows.Reset()
		}
		out.Write(p.Data)
	}
}

func sortLines(text string) string {
	return strings.Join(slices.Sorted(strings.Lines(text)), "")
}
