package restore

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/parallel/server"
)

// TestRun_SchemaPublic restores what makes the schema public, which is there: dumps of
// that schema alone, and archives of pg_dump 10 and older.
func TestRun_SchemaPublic(t *testing.T) {
	for _, bin := range binDirs() {
		s := newSite(t, bin)
		s.exec(s.admin, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN CREATEDB")
		s.backup("CREATE TABLE stones (n int); INSERT INTO stones VALUES (1), (2); COMMENT ON SCHEMA public IS 'ours'")
		for _, format := range []string{"directory", "custom", "plain"} {
			dump := filepath.Join(t.TempDir(), format)
			s.tool("pg_dump", "--format="+format, "--schema=public", "--file="+dump, "--dbname="+s.DSN("source"))
			for _, user := range []string{s.User(), "modest"} {
				r := s.newRun(dump)
				r.Server, r.Filestore = s.settings(user), ""
				if _, err := r.do(t.Context()); err != nil {
					t.Fatalf("%d: %s by %s: %v", s.Major(), format, user, err)
				}
				if got := s.one(s.connect("target"), "SELECT count(*) FROM stones"); got != "2" {
					t.Errorf("%d: %s by %s: %s rows", s.Major(), format, user, got)
				}
				s.drop("target")
			}
		}
	}
}

// TestRun_ViewFails restores materialized views of which one's query fails: it has no
// rows then, nor has another that reads it, and all else is there.
func TestRun_ViewFails(t *testing.T) {
	onServers(t, func(t *testing.T, s *site) {
		backup := s.backup(`CREATE MATERIALIZED VIEW good AS SELECT 1 AS n; CREATE INDEX good_n ON good (n)`,
			`CREATE MATERIALIZED VIEW bad AS SELECT 1 / (CASE current_database() WHEN 'source' THEN 1 ELSE 0 END) AS n; CREATE INDEX bad_n ON bad (n)`,
			`CREATE MATERIALIZED VIEW after_bad AS SELECT * FROM bad; COMMENT ON MATERIALIZED VIEW after_bad IS 'a comment'`)
		script := filepath.Join(t.TempDir(), "dump.sql")
		if _, err := s.program("pg_dump", "--file="+script, "--dbname="+s.DSN("source")); err != nil {
			t.Fatal(err)
		}
		for _, source := range []string{backup, script} {
			r := s.newRun(source)
			r.Filestore = ""
			report, err := r.do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, o := range report.LeftOut {
				left = append(left, o.Entry)
			}
			slices.Sort(left)
			if want := []string{"MATERIALIZED VIEW DATA after_bad", "MATERIALIZED VIEW DATA bad"}; !slices.Equal(left, want) {
				t.Errorf("left out %q, want %q", left, want)
			}
			if text := strings.Join(report.Warnings, "\n"); !strings.Contains(text, "division by zero") {
				t.Errorf("warnings: %s", text)
			}
			c := s.connect("target")
			if got := s.one(c, `SELECT string_agg(concat_ws(' ', relname, relispopulated, obj_description(oid)), ', ' ORDER BY relname)
				FROM pg_class WHERE relname IN ('good', 'bad', 'after_bad', 'good_n', 'bad_n')`); got != "after_bad f a comment, bad f, bad_n t, good t, good_n t" {
				t.Errorf("there are: %s", got)
			}
			if got := s.one(c, "SELECT n FROM good"); got != "1" {
				t.Errorf("good: %s", got)
			}
			s.drop("target")
		}
	})
}

// TestRun_NoRows restores without an extension of whose table the archive has no rows,
// though an entry for them.
func TestRun_NoRows(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup(aboutExtensions, "CREATE TABLE theirs (n int)")
	s.drop("source")
	r := s.newRun(s.tampered(backup, asExtensions("theirs")))
	r.Filestore, r.SkipExtensions = "", true
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.wantAbout(t, report, "cube pg_trgm plpgsql 1 1", "EXTENSION nowhere", "ACL FUNCTION earth()")
}

// TestRun_EarlySettings restores what is calculated with settings of the database. A
// library that the server does not have must not keep everybody out.
func TestRun_EarlySettings(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup(`ALTER DATABASE source SET "TimeZone" = 'Asia/Tokyo'; ALTER DATABASE source SET app.most = '7'; ALTER DATABASE source SET session_preload_libraries = 'auto_explain'`,
		`SET "TimeZone" = 'Asia/Tokyo'; SET app.most = '7'`,
		`CREATE TABLE few (n int CHECK (n < current_setting('app.most')::int)); INSERT INTO few VALUES (5)`,
		`CREATE MATERIALIZED VIEW day AS SELECT ('2026-11-27 20:00 UTC'::text)::timestamptz::date AS day`)
	for name, source := range map[string]string{"auto_explain": backup, "no_such_library": s.tampered(backup, func(toc *pgarchive.TOC) {
		for i := range toc.Entries {
			if e := &toc.Entries[i]; e.Desc == "DATABASE PROPERTIES" {
				e.Defn.String = strings.ReplaceAll(e.Defn.String, "auto_explain", "no_such_library")
			}
		}
	})} {
		r := s.newRun(source)
		r.Filestore = ""
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c := s.connect("target")
		if got := s.one(c, "SELECT day FROM day"); got != "2026-11-28" {
			t.Errorf("%s: calculated %q", name, got)
		}
		if got := s.one(c, "SELECT current_setting('session_preload_libraries')"); (got == name) != (name == "auto_explain") {
			t.Errorf("libraries: %q", got)
		}
		if got := s.one(c, "SELECT current_setting('TimeZone') || current_setting('app.most')"); got != "Asia/Tokyo7" {
			t.Errorf("%s: settings %s", name, got)
		}
		if text := strings.Join(report.Warnings, "\n"); strings.Contains(text, "nobody could connect: FATAL") != (name == "no_such_library") {
			t.Errorf("%s: %s", name, text)
		}
		s.drop("target")
	}
}

// TestRun_Labels leaves security labels out whose provider is not there.
func TestRun_Labels(t *testing.T) {
	s := newSite(t, "")
	backup := s.tampered(s.backup("CREATE TABLE stones (n int); COMMENT ON TABLE stones IS 'grey'"), func(toc *pgarchive.TOC) {
		for i := range toc.Entries {
			if e := &toc.Entries[i]; e.Desc == "COMMENT" && e.Tag == "TABLE stones" {
				e.Desc, e.Defn = "SECURITY LABEL", pgarchive.Str("SECURITY LABEL FOR nobody ON TABLE public.stones IS 'grey';\n")
			}
		}
	})
	r := s.newRun(backup)
	r.Filestore = ""
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.LeftOut) != 1 || report.LeftOut[0].Entry != "SECURITY LABEL TABLE stones" || !strings.Contains(report.LeftOut[0].Reason, "nobody") {
		t.Errorf("left out %+v", report.LeftOut)
	}
}

// TestWhyWithout: an extension that the server has and refuses is skipped as one that it
// does not have is.
func TestWhyWithout(t *testing.T) {
	r := &run{source: &source{toc: &pgarchive.TOC{Entries: []pgarchive.Entry{{ID: 2, Desc: "FUNCTION", Dependencies: []pgarchive.DumpID{1}}}}}}
	elsewhere := &pgconn.PgError{Code: "P0001", Message: "can only create extension in database postgres"}
	for _, skip := range []bool{false, true} {
		r.SkipExtensions = skip
		if why := r.whyWithout(extension{id: 1}, elsewhere, false); why != "" {
			t.Errorf("needed, skip %v: %s", skip, why)
		}
		if why := r.whyWithout(extension{id: 3}, elsewhere, false); skip != strings.Contains(why, elsewhere.Message) {
			t.Errorf("not needed, skip %v: %s", skip, why)
		}
	}
}

// TestRun_Changing leaves a file out that was still being written while it was merged,
// if the database does not name it.
func TestRun_Changing(t *testing.T) {
	s := newSite(t, "")
	older, backup := filepath.Join(t.TempDir(), "live"), s.backup()
	sum := sha1.Sum([]byte("the whole upload"))
	name := hex.EncodeToString(sum[:])
	rel := name[:2] + "/" + name
	if err := os.MkdirAll(filepath.Join(older, name[:2]), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(older, rel), []byte("the whole"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := s.newRun(backup)
	r.FilestoreFrom, r.changing = older, []string{rel}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.Filestore, rel)); err == nil || report.Files.Files != 1 {
		t.Errorf("%v, %+v", err, report.Files)
	}
	if text := strings.Join(report.Warnings, "\n"); !strings.Contains(text, "1 files that were being written") {
		t.Errorf("warnings: %s", text)
	}
	if _, err := os.Stat(filepath.Join(older, rel)); err != nil || !dumpfmt.IsHashPath(rel) {
		t.Error(err)
	}
}

// TestRun_RootsFolder warns where the files would be root's for want of a folder that
// tells whose they are.
func TestRun_RootsFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes folders of root")
	}
	s := newSite(t, "")
	backup := s.backup()
	for _, there := range []bool{false, true} {
		data := t.TempDir()
		r := s.newRun(backup)
		r.Filestore = filepath.Join(data, "filestore", "target")
		if there {
			s.mkdir(filepath.Dir(r.Filestore))
		}
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(report.Warnings, "\n"); strings.Contains(text, "the folder above is root's") == there {
			t.Errorf("there %v: %s", there, text)
		}
		s.drop("target")
	}
}

// TestRun_NotLetIn finds out that the server lets nobody in before the backup is read.
func TestRun_NotLetIn(t *testing.T) {
	s := newSite(t, "")
	r := s.newRun(s.tampered(s.backup(), func(*pgarchive.TOC) {}))
	if err := os.Truncate(filepath.Join(r.Source, "toc.dat"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.do(t.Context()); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("damaged: %v", err)
	}
	r = s.newRun(s.backup())
	r.Server = s.settings("nobody at all")
	_, err := r.do(t.Context())
	if err == nil || server.SQLState(err) != "28000" || r.report.Seconds.Check != 0 {
		t.Errorf("%v, after reading for %v s", err, r.report.Seconds.Check)
	}
}
