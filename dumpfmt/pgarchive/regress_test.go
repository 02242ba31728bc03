package pgarchive

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestRegression reads dumps of PostgreSQL's own regression database, of the
// folders of .ci/regress that ODX_TEST_REGRESS names.
func TestRegression(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("ODX_TEST_REGRESS"))
	if len(dirs) == 0 {
		t.Skip("ODX_TEST_REGRESS names no folder of .ci/regress")
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			folder, custom := mustOpen(t, filepath.Join(dir, "dir")), mustOpen(t, filepath.Join(dir, "custom.dump"))
			if len(folder.TOC.Entries) < 2000 {
				t.Errorf("%d entries", len(folder.TOC.Entries))
			}
			if !bytes.Equal(encode(t, folder.TOC), readFile(t, filepath.Join(dir, "dir", tocName))) {
				t.Error("written TOC of the folder differs")
			}
			if !bytes.Equal(encode(t, custom.TOC), readFile(t, custom.Path())[:custom.custom.tocEnd]) {
				t.Error("written TOC of the file differs")
			}
			for _, a := range []*Archive{folder, custom} {
				report, err := a.Check(t.Context(), CheckOptions{Jobs: 2})
				if err != nil || len(report.Notes) > 0 {
					t.Errorf("%s: %q, %v", a.Path(), report.Notes, err)
				}
			}
			sameContents(t, "custom.dump", contents(t, custom), contents(t, folder))
			testCopyRows(t, folder)
			if SafeForParallel(folder.TOC) == 0 || SafeForParallel(folder.TOC) != 0 {
				t.Error("SafeForParallel adds nothing, or more the second time")
			}
		})
	}
}

// testCopyRows reads all rows of all tables and counts them.
func testCopyRows(t *testing.T, a *Archive) {
	t.Helper()
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if e.Desc != DescTableData {
			continue
		}
		columns, err := CopyColumns(e.CopyStmt.String)
		if err != nil {
			t.Errorf("%s: %v", e.describe(), err)
			continue
		}
		rows := 0
		for row, err := range a.CopyRows(e, columns...) {
			if err != nil {
				t.Errorf("%s: %v", e.describe(), err)
				break
			}
			if len(row) != len(columns) {
				t.Errorf("%s: row of %d fields, want %d", e.describe(), len(row), len(columns))
			}
			rows++
		}
		// The end mark and two empty lines stand after the rows.
		if want := bytes.Count(readData(t, a, e), []byte("\n")) - 3; rows != want {
			t.Errorf("%s: %d rows, want %d", e.describe(), rows, want)
		}
	}
}
