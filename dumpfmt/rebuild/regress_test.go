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
