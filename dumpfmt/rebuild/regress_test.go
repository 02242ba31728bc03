package rebuild

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// regressDir is where .ci/regress keeps the dumps of PostgreSQL's regression
// database.
const regressDir = "/var/cache/odx/regress"

func TestRead_Regress(t *testing.T) {
	for major, bin := range bins(t) {
		for _, name := range []string{"plain", "plain-noowner"} {
			path := filepath.Join(regressDir, strconv.Itoa(major), name+".sql")
			t.Run(strconv.Itoa(major)+"/"+name, func(t *testing.T) {
				script, err := os.ReadFile(path)
				if err != nil {
					t.Skip(err)
				}
				dir, _ := build(t, script)
				got := run(t, nil, filepath.Join(bin, "pg_restore"), "--restrict-key=regression", "-f", "-", dir)
				wantSame(t, "script", got, string(script))
			})
		}
	}
}

// TestRead_RegressRestore restores the regression database.
func TestRead_RegressRestore(t *testing.T) {
	for major, bin := range bins(t) {
		from := filepath.Join(regressDir, strconv.Itoa(major))
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			script, err := os.ReadFile(filepath.Join(from, "plain.sql"))
			if err != nil {
				t.Skip(err)
			}
			s := startServer(t, bin)
			s.psql(t, "postgres", "-f", filepath.Join(from, "globals.sql"))
			// PostgreSQL's own restore does not keep the order of columns of
			// tables that inherit.
			s.psql(t, "postgres", "-c", "CREATE DATABASE original TEMPLATE template0")
			s.tool(t, "pg_restore", "--exit-on-error", "-d", "original", filepath.Join(from, "dir"))
			want := s.tool(t, "pg_dump", s.key("original")...)
			dir, _ := build(t, script)
			s.wantRestored(t, dir, want)
		})
	}
}
