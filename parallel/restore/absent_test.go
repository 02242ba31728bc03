package restore

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// aboutExtensions has grants on what two extensions make, of which a role without
// superuser may create the first.
const aboutExtensions = `CREATE EXTENSION cube; CREATE EXTENSION earthdistance;
	GRANT EXECUTE ON FUNCTION cube(float8) TO pg_monitor; GRANT EXECUTE ON FUNCTION earth() TO pg_monitor;
	CREATE TABLE boxes (box cube); INSERT INTO boxes VALUES ('(1,2)')`

// without makes an archive whose server had another extension than earthdistance.
func without(toc *pgarchive.TOC) {
	for i := range toc.Entries {
		if e := &toc.Entries[i]; e.Desc == "EXTENSION" && e.Tag == "earthdistance" {
			e.Tag, e.Defn = "nowhere", pgarchive.Str("CREATE EXTENSION IF NOT EXISTS nowhere WITH SCHEMA public;")
		}
	}
}

// asExtensions gives a table the place in the archive that one of an extension has.
func asExtensions(table string) func(toc *pgarchive.TOC) {
	return func(toc *pgarchive.TOC) {
		without(toc)
		toc.Entries = slices.DeleteFunc(toc.Entries, func(e pgarchive.Entry) bool { return e.Desc == pgarchive.DescTable && e.Tag == table })
	}
}

func (s *site) wantAbout(t *testing.T, report *Report, want string, left ...string) {
	t.Helper()
	var got []string
	for _, o := range report.LeftOut {
		got = append(got, o.Entry)
	}
	if !slices.Equal(got, left) {
		t.Errorf("left out: %q, want %q", got, left)
	}
	for _, entry := range left {
		if text := strings.Join(report.Warnings, "\n"); !strings.Contains(text, entry) {
			t.Errorf("no warning of %s: %s", entry, text)
		}
	}
	if got := s.one(s.connect("target"), `SELECT (SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension)
		|| ' ' || (SELECT count(*) FROM pg_proc WHERE proname IN ('cube', 'earth') AND proacl::text LIKE '%pg_monitor%')
		|| ' ' || (SELECT count(*) FROM boxes)`); got != want {
		t.Errorf("the database has: %s", got)
	}
	s.drop("target")
}

// TestRun_AboutExtensionNotAllowed restores privileges on what an extension makes
// that the role may not create.
func TestRun_AboutExtensionNotAllowed(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			s.exec(s.admin, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN CREATEDB")
			backup := s.backup(aboutExtensions)
			s.drop("source")
			r := s.newRun(backup)
			r.Server, r.Filestore = s.settings("modest"), ""
			report, err := r.do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// Of the grant on cube(float8) the server only warns.
			s.wantAbout(t, report, "cube pg_trgm plpgsql 0 1", "EXTENSION earthdistance", "ACL FUNCTION earth()")
		})
	}
}

// TestRun_MissingExtension restores what a server with another extension has made.
func TestRun_MissingExtension(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup(aboutExtensions, "CREATE TABLE theirs (n int); INSERT INTO theirs VALUES (1)")
	s.drop("source")
	restore := func(source string, skip bool) (*Report, error) {
		r := s.newRun(source)
		r.Filestore, r.SkipExtensions = "", skip
		return r.do(t.Context())
	}
	refused := func(source string, skip bool, words ...string) {
		t.Helper()
		_, err := restore(source, skip)
		if err == nil {
			t.Fatal("no error")
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in: %v", word, err)
			}
		}
		s.nothingLeft()
	}
	gone := s.tampered(backup, without)
	refused(gone, false, "nowhere")
	report, err := restore(gone, true)
	if err != nil {
		t.Fatal(err)
	}
	s.wantAbout(t, report, "cube pg_trgm plpgsql 1 1", "EXTENSION nowhere", "ACL FUNCTION earth()")

	refused(s.tampered(backup, asExtensions("theirs")), true, "nowhere", "theirs", "rows")
	refused(s.tampered(backup, func(toc *pgarchive.TOC) {
		without(toc)
		for i := range toc.Entries {
			if e := &toc.Entries[i]; e.Tag == "nowhere" {
				for j := range toc.Entries {
					if table := &toc.Entries[j]; table.Desc == pgarchive.DescTable && table.Tag == "theirs" {
						table.Dependencies = append(table.Dependencies, e.ID)
					}
				}
			}
		}
	}), true, "nowhere")

	script := filepath.Join(t.TempDir(), "dump.sql")
	if _, err := s.program("pg_restore", "--file="+script, gone); err != nil {
		t.Fatal(err)
	}
	refused(script, false, "nowhere")
	if report, err = restore(script, true); err != nil {
		t.Fatal(err)
	}
	s.wantAbout(t, report, "cube pg_trgm plpgsql 1 1", "EXTENSION nowhere", "ACL FUNCTION earth()")
}
