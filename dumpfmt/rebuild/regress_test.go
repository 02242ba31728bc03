package rebuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/parallel/pgtool"
)

// regression is PostgreSQL's own regression database as .ci/regress dumps it.
type regression struct {
	release
	dir string
}

// regressions gives those in the folders of ODX_TEST_REGRESS.
func regressions(t *testing.T) []regression {
	t.Helper()
	var all []regression
	for _, dir := range filepath.SplitList(os.Getenv("ODX_TEST_REGRESS")) {
		bin := strings.TrimSpace(readFile(t, filepath.Join(dir, "bindir")))
		tool, err := pgtool.Finder{BinDir: bin}.Newest(t.Context(), "postgres")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, regression{release{tool.Version.Major, bin}, dir})
	}
	if len(all) == 0 {
		t.Skip("ODX_TEST_REGRESS names no regression database")
	}
	return all
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRead_Regression(t *testing.T) {
	for _, r := range regressions(t) {
		for _, name := range []string{"plain.sql", "plain-noowner.sql"} {
			path := filepath.Join(r.dir, name)
			t.Run(path, func(t *testing.T) {
				script := readFile(t, path)
				dir, _ := build(t, []byte(script))
				r.tool(t, "pg_restore", "-l", dir)
				print := func(options ...string) string {
					options = append(options, "--restrict-key=regression", "-f", "-", dir)
					return r.tool(t, "pg_restore", options...)
				}
				wantSame(t, "script", print(), script)
				if name == "plain.sql" {
					wantSame(t, "no owner", print("--no-owner"), readFile(t, filepath.Join(r.dir, "plain-noowner.sql")))
					wantSame(t, "no privileges", print("--no-privileges"), readFile(t, filepath.Join(r.dir, "restore-noprivileges.sql")))
					compareTOC(t, []byte(script), filepath.Join(r.dir, "dir"))
				}
			})
		}
	}
}

// TestRead_RegressionRestore compares with PostgreSQL's own restore, which does
// not keep the order of columns of tables that inherit.
func TestRead_RegressionRestore(t *testing.T) {
	for _, r := range regressions(t) {
		t.Run(r.dir, func(t *testing.T) {
			s := startServer(t, r.release)
			s.psql(t, "postgres", "-f", filepath.Join(r.dir, "globals.sql"))
			dir, _ := build(t, []byte(readFile(t, filepath.Join(r.dir, "plain.sql"))))
			s.wantRestored(t, runs(), dir, readFile(t, filepath.Join(r.dir, "restored.sql")))
		})
	}
}
