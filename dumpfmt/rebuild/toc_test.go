package rebuild

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// described gives the fields of an entry that pg_dump's own archive has too.
// A tag of which the script has only the header's form is given in that form.
func described(e *pgarchive.Entry) string {
	tag := e.Tag
	switch e.Desc {
	case "COMMENT", "ACL", "SECURITY LABEL", "USER MAPPING", "CAST", "TRANSFORM", "FUNCTION", "AGGREGATE", "PROCEDURE":
		tag = sanitize(tag)
	}
	return fmt.Sprintf("%s %v %q %s owner %v space %v am %v relkind %d\ndefn %q copy %q",
		e.Desc, e.Namespace, tag, e.Section, e.Owner, e.Tablespace, e.TableAM, e.RelKind, e.Defn.String, e.CopyStmt.String)
}

func TestRead_TOC(t *testing.T) {
	for script, dir := range map[string]string{
		"/work/shared/fixtures/pg13/plain.sql.gz": "/work/shared/fixtures/pg13/dir",
		"/work/shared/fixtures/pg15/plain.sql.gz": "/work/shared/fixtures/pg15/dir",
		"/work/shared/fixtures/pg17/plain.sql.gz": "/work/shared/fixtures/pg17/dir",
		"/work/shared/fixtures/pg18/plain.sql.gz": "/work/shared/fixtures/pg18/dir",
	} {
		t.Run(script[len("/work/shared/fixtures/"):], func(t *testing.T) {
			compareTOC(t, unpack(t, script), dir)
		})
	}
	_ = filepath.Join
}

func compareTOC(t *testing.T, script []byte, dir string) {
	a, err := pgarchive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, res := build(t, script)
	var got, want []*pgarchive.Entry
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if strings.HasPrefix(e.Desc, "DATABASE") || strings.HasPrefix(e.Tag, "DATABASE ") {
			continue
		}
		want = append(want, e)
	}
	for i := range res.TOC.Entries {
		got = append(got, &res.TOC.Entries[i])
	}
	if len(got) != len(want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
	bad, drops := 0, 0
	for i := range min(len(got), len(want)) {
		g, w := described(got[i]), described(want[i])
		if g != w {
			if bad++; bad < 6 {
				t.Errorf("entry %d:\ngot  %.600s\nwant %.600s", i, g, w)
			}
		}
		if got[i].DropStmt != want[i].DropStmt {
			if drops++; got[i].DropStmt.Valid {
				t.Errorf("drop %q, want %q", got[i].DropStmt.String, want[i].DropStmt.String)
			}
		}
	}
	t.Logf("%d entries, %d differ, %d without drop", len(got), bad, drops)
}
