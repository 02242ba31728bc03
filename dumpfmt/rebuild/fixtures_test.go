package rebuild

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// TestRead_Fixtures has pg_restore print the archives of scripts that pg_dump of
// the same release made.
func TestRead_Fixtures(t *testing.T) {
	for _, r := range releases(t) {
		paths, err := filepath.Glob(fmt.Sprintf("testdata/pg%d/*.sql.gz", r.major))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no scripts of %d: %v", r.major, err)
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) {
				script := string(unpack(t, path))
				dir, _ := build(t, []byte(script))
				if list := r.tool(t, "pg_restore", "-l", dir); strings.Count(list, "\n") < 30 {
					t.Errorf("short list:\n%s", list)
				}
				args := r.key("-f", "-", dir)
				if strings.Contains(path, "create") {
					args = append([]string{"-C", "--clean", "--if-exists"}, args...)
				}
				wantSame(t, "script", r.tool(t, "pg_restore", args...), script)
				if other, ok := strings.CutSuffix(path, "plain.sql.gz"); ok {
					want := string(unpack(t, other+"plain-noowner.sql.gz"))
					args = append([]string{"--no-owner"}, args...)
					wantSame(t, "no owner", r.tool(t, "pg_restore", args...), want)
				}
			})
		}
	}
}

// TestRead_Version16 reads a script as PostgreSQL 16 would have made it: its
// archives are of a version of their own.
func TestRead_Version16(t *testing.T) {
	script := strings.NewReplacer(
		"pg_dump version 15.20", "pg_dump version 16.4",
		"ALTER TABLE public.\"Gr\xf6\xdfe_id_seq\"", "ALTER SEQUENCE public.\"Gr\xf6\xdfe_id_seq\"",
		"ALTER TABLE public.literal", "ALTER VIEW public.literal",
		"ALTER TABLE public.stored", "ALTER MATERIALIZED VIEW public.stored",
	).Replace(string(unpack(t, "testdata/pg15/cellar.sql.gz")))
	dir, res := build(t, []byte(script))
	if v := res.TOC.Header.Version; v != pgarchive.Version15 || res.TOC.Header.Algorithm != pgarchive.Gzip {
		t.Errorf("archive version %s, %s", v, res.TOC.Header.Algorithm)
	}
	for _, r := range releases(t) {
		if r.major >= 16 {
			got := r.tool(t, "pg_restore", r.key("-f", "-", dir)...)
			wantSame(t, "script", strings.Replace(got, "SET transaction_timeout = 0;\n", "", 1), script)
		}
	}
}

// described gives what pg_dump's own archive says of an entry and a script too.
// A tag of which the script has only the header's form is given in that form.
func described(e *pgarchive.Entry) string {
	tag := e.Tag
	switch e.Desc {
	case "COMMENT", "ACL", "SECURITY LABEL", "USER MAPPING", "CAST", "TRANSFORM", "FUNCTION", "AGGREGATE", "PROCEDURE":
		tag = sanitize(tag)
	}
	section := e.Section.String()
	return fmt.Sprintf("%s %v %q %s owner %v space %v am %v relkind %d\ndefn %q copy %q",
		e.Desc, e.Namespace, tag, section, e.Owner, e.Tablespace, e.TableAM, e.RelKind, e.Defn.String, e.CopyStmt.String)
}

// split gives the entries but those of the database, and ACLs apart: their
// place among the comments of one object is nowhere in a script.
func split(toc *pgarchive.TOC) (entries, acls []string) {
	for i := range toc.Entries {
		switch e := &toc.Entries[i]; {
		case strings.HasPrefix(e.Desc, "DATABASE"), strings.HasPrefix(e.Tag, "DATABASE "):
		case e.Desc == "ACL":
			acls = append(acls, described(e))
		default:
			entries = append(entries, described(e))
		}
	}
	return entries, acls
}

// compareTOC compares a table of contents with pg_dump's own.
func compareTOC(t *testing.T, script []byte, dir string) {
	t.Helper()
	a, err := pgarchive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, res := build(t, script)
	want, wantACLs := split(a.TOC)
	got, gotACLs := split(res.TOC)
	for _, c := range [][2][]string{{got, want}, {gotACLs, wantACLs}} {
		if len(c[0]) != len(c[1]) {
			t.Errorf("%d entries, want %d", len(c[0]), len(c[1]))
		}
		bad := 0
		for i := range min(len(c[0]), len(c[1])) {
			if c[0][i] != c[1][i] && bad < 5 {
				bad++
				t.Errorf("entry %d:\ngot  %.600s\nwant %.600s", i, c[0][i], c[1][i])
			}
		}
	}
}

// TestRead_TOC compares tables of contents with those of pg_dump's archives of
// the same databases.
func TestRead_TOC(t *testing.T) {
	const archives = "../pgarchive/testdata"
	for script, archive := range map[string]string{
		"pg13/plain": "pg13/kitchen.dump", "pg13/cellar": "pg13/cellar",
		"pg15/plain": "pg15/kitchen.dump", "pg15/cellar": "pg15/cellar",
		"pg17/plain": "pg17/kitchen.dump", "pg17/cellar": "pg17/cellar",
		"pg18/plain": "pg18/kitchen.dump", "pg18/cellar-inserts": "pg18/cellar-inserts",
	} {
		t.Run(script, func(t *testing.T) {
			compareTOC(t, unpack(t, "testdata/"+script+".sql.gz"), filepath.Join(archives, archive))
		})
	}
}

// TestRead_Restore restores the kitchen.
func TestRead_Restore(t *testing.T) {
	for _, r := range releases(t) {
		t.Run(strconv.Itoa(r.major), func(t *testing.T) {
			s := startServer(t, r)
			s.psql(t, "postgres", "-f", "testdata/roles.sql")
			for name, options := range map[string][]string{"plain": nil, "plain-noowner": {"--no-owner"}} {
				script := unpack(t, fmt.Sprintf("testdata/pg%d/%s.sql.gz", r.major, name))
				dir, _ := build(t, script)
				s.wantRestored(t, runs(), dir, string(script), slices.Clone(options)...)
			}
		})
	}
}
