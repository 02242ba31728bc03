package pgarchive

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/parallel/pgtool"
)

// pgRestore finds a pg_restore that reads the archive, or skips the test.
func pgRestore(t *testing.T, a *Archive) string {
	t.Helper()
	path := os.Getenv("PATH") + string(os.PathListSeparator) + os.Getenv("ODX_TEST_PG")
	tool, err := pgtool.Finder{Path: path}.PgRestore(t.Context(), a.NeedsMajor(), a.NeedsMajor())
	if missing := (*pgtool.NotFoundError)(nil); errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tool.Path
}

// run runs a program and gives what it prints.
func run(t testing.TB, env []string, tool string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: tool, Args: args, Env: env, Stdout: &out})
	if err != nil {
		t.Fatalf("%s %s: %v", filepath.Base(tool), strings.Join(args, " "), err)
	}
	return out.String()
}

// TestData_PgRestore holds the data of custom-format files against what
// pg_restore prints.
func TestData_PgRestore(t *testing.T) {
	for _, path := range customFiles(t) {
		t.Run(path, func(t *testing.T) {
			a := mustOpen(t, path)
			text := run(t, os.Environ(), pgRestore(t, a), "--data-only", "-f", "-", path)
			found := 0
			for i := range a.TOC.Entries {
				e := &a.TOC.Entries[i]
				if e.Desc != DescTableData {
					continue
				}
				found++
				if !strings.Contains(text, e.CopyStmt.String+string(readData(t, a, e))) {
					t.Errorf("%s: pg_restore has other data", e.describe())
				}
			}
			if found < 4 {
				t.Errorf("%d tables", found)
			}
		})
	}
}

// TestSafeForParallel_List has pg_restore read rewritten tables of contents.
func TestSafeForParallel_List(t *testing.T) {
	for _, from := range archiveDirs(t) {
		t.Run(from, func(t *testing.T) {
			dir := copyDir(t, from)
			a := mustOpen(t, dir)
			tool := pgRestore(t, a)
			want := run(t, os.Environ(), tool, "-l", dir)
			SafeForParallel(a.TOC)
			rewriteTOC(t, dir, a.TOC)
			if got := run(t, os.Environ(), tool, "-l", dir); got != want {
				t.Error("pg_restore -l prints another list")
			}
		})
	}
}
