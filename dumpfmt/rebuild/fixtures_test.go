package rebuild

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// bins gives the folders of PostgreSQL's programs by their major release.
func bins(t testing.TB) map[int]string {
	t.Helper()
	found := make(map[int]string)
	for _, dir := range filepath.SplitList(os.Getenv("ODX_TEST_PG")) {
		found[majorOf(t, dir)] = dir
	}
	found[15] = "/usr/lib/postgresql/15/bin"
	return found
}

func majorOf(t testing.TB, dir string) int {
	out := run(t, nil, filepath.Join(dir, "pg_restore"), "--version")
	_, v, _ := strings.Cut(out, ") ")
	n := 0
	for _, b := range v {
		if b < '0' || b > '9' {
			break
		}
		n = n*10 + int(b-'0')
	}
	return n
}

const sharedDir = "../../../../../work/shared/fixtures"

func TestRead_Fixtures(t *testing.T) {
	for major, bin := range bins(t) {
		paths, err := filepath.Glob(filepath.Join("/work/shared/fixtures", "pg"+strconv.Itoa(major), "*.sql.gz"))
		if err != nil {
			t.Fatal(err)
		}
		more, _ := filepath.Glob(filepath.Join("/work/shared/fixtures", "pg"+strconv.Itoa(major), "cellar/*.sql.gz"))
		for _, path := range append(paths, more...) {
			if strings.Contains(path, "clean-schema") {
				continue
			}
			t.Run(path[len("/work/shared/fixtures/"):], func(t *testing.T) {
				script := unpack(t, path)
				dir, res := build(t, script)
				args := []string{"-f", "-", dir}
				if major != 13 {
					args = append([]string{"--restrict-key=kitchen"}, args...)
				}
				if strings.Contains(path, "create") {
					args = append([]string{"-C", "--clean", "--if-exists"}, args...)
				}
				_ = res
				restore := filepath.Join(bin, "pg_restore")
				wantSame(t, "script", run(t, nil, restore, args...), string(script))
				if strings.HasSuffix(path, "plain.sql.gz") {
					want := string(unpack(t, strings.Replace(path, "plain.sql", "plain-noowner.sql", 1)))
					wantSame(t, "no owner", run(t, nil, restore, append([]string{"--no-owner"}, args...)...), want)
				}
			})
		}
	}
}
