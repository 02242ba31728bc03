package rebuild

import (
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
)

// server is a throw-away server and the programs of its release.
type server struct {
	*pgcluster.Cluster
	major int
}

func startServer(t testing.TB, bin string) *server {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: bin, Settings: map[string]string{
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
	return &server{c, c.Major()}
}

// tool runs a program of the server's release.
func (s *server) tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	return run(t, append(s.Env(), "PATH="+os.Getenv("PATH"), "TZ=UTC"), filepath.Join(s.BinDir(), name), args...)
}

func (s *server) psql(t testing.TB, db string, args ...string) string {
	t.Helper()
	return s.tool(t, "psql", append([]string{"-XAtq", "-v", "ON_ERROR_STOP=1", "-d", db}, args...)...)
}

// hasKey tells whether the release knows --restrict-key.
func (s *server) hasKey() bool { return s.major != 13 }

// key gives the option that fixes the key, where there is one.
func (s *server) key(args ...string) []string {
	if s.hasKey() {
		args = append([]string{"--restrict-key=kitchen"}, args...)
	}
	return args
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

// normal gives a script with the rows of each table sorted. Rows that are
// loaded through a partition root may come to lie in another partition; they
// are sorted together at the end. The releases at the start are left out: the
// server at hand may be of another minor one.
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
		case strings.HasPrefix(text, "-- Dumped "):
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

// runs is how often each archive is restored.
func runs() int {
	if n, err := strconv.Atoi(os.Getenv("ODX_TEST_RESTORES")); err == nil {
		return n
	}
	return 2
}

// wantRestored restores an archive and wants the dump of the result to be the
// script.
func (s *server) wantRestored(t testing.TB, dir, script string, options ...string) {
	t.Helper()
	want := normal(t, script)
	for i := range runs() {
		s.psql(t, "postgres", "-c", "CREATE DATABASE restored TEMPLATE template0")
		s.tool(t, "pg_restore", append(slices.Clone(options), "--exit-on-error", "-j", "8", "-d", "restored", dir)...)
		got := normal(t, s.tool(t, "pg_dump", s.key(append(options, "restored")...)...))
		wantSame(t, "restored "+strconv.Itoa(i), got, want)
		s.drop(t, "restored")
		if t.Failed() {
			return
		}
	}
}

func TestRead_Restore(t *testing.T) {
	for major, bin := range bins(t) {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			s := startServer(t, bin)
			s.psql(t, "postgres", "-f", "/work/shared/fixtures/roles.sql")
			for _, name := range []string{"plain", "plain-noowner"} {
				script := unpack(t, fmt.Sprintf("/work/shared/fixtures/pg%d/%s.sql.gz", major, name))
				dir, _ := build(t, script)
				var options []string
				if name == "plain-noowner" {
					options = []string{"--no-owner"}
				}
				s.wantRestored(t, dir, string(script), options...)
			}
		})
	}
}
