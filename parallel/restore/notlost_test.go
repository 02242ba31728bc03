package restore

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// TestRun_NotNeutralized asks for a neutralized copy of a database whose Odoo odx
// does not find: no such database appears.
func TestRun_NotNeutralized(t *testing.T) {
	s := newSite(t, "")
	b := s.backup("CREATE SCHEMA odoo; ALTER TABLE ir_module_module SET SCHEMA odoo; ALTER DATABASE source SET search_path = odoo, public")
	for what, ask := range map[string]func(*run){
		"neutralize": func(r *run) { r.Neutralize = true }, "subscription": func(r *run) { r.Subscription = true },
	} {
		r := s.newRun(b)
		ask(r)
		if _, err := r.do(t.Context()); err == nil || !strings.Contains(err.Error(), "schema public") {
			t.Errorf("%s: %v", what, err)
		}
		s.nothingLeft()
	}
}

// TestRun_ReplaceRecovers replaces a filestore that has the only copy of a file that
// the backup lacks, and the whole one of a file that it has cut off.
func TestRun_ReplaceRecovers(t *testing.T) {
	s := newSite(t, "")
	b := s.backup()
	r := s.newReplacement(b)
	sum := sha1.Sum([]byte("letter"))
	name := hex.EncodeToString(sum[:])
	path := filepath.Join(name[:2], name)
	old := filepath.Join(s.data, "target", path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(old), 0o755), os.WriteFile(old, []byte("letter"), 0o644),
		os.Remove(filepath.Join(b, dumpfmt.FilestoreDir, path))); err != nil {
		t.Fatal(err)
	}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Files; report.Losses() || f.Recovered != 1 || f.Missing != 0 {
		t.Errorf("%+v", f)
	}
	if got, err := os.ReadFile(old); err != nil || string(got) != "letter" {
		t.Errorf("the file that was there: %q, %v", got, err)
	}
}

// TestRun_TwoParts has a script, and an archive, that load a table in two parts. No
// row is lost: all are loaded, or it is refused.
func TestRun_TwoParts(t *testing.T) {
	s := newSite(t, "")
	text := string(s.script("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 1000)"))
	before, block, ok := strings.Cut(text, "--\n-- Data for Name: t;")
	block, after, ok2 := strings.Cut(block, "\n\\.\n\n\n")
	first, second, ok3 := strings.Cut(block, "\n500\n")
	head, _, ok4 := strings.Cut(block, "FROM stdin;\n")
	if !ok || !ok2 || !ok3 || !ok4 {
		t.Fatal("the script has no rows of t")
	}
	const title, end = "--\n-- Data for Name: t;", "\n\\.\n\n\n"
	script := filepath.Join(t.TempDir(), "two.sql")
	edited := before + title + first + "\n500" + end + title + head + "FROM stdin;\n" + second + end + after
	if err := os.WriteFile(script, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	archive := s.twoParts()
	for _, tt := range []struct {
		source  string
		ordered bool
		jobs    int
		refused string
	}{
		{script, false, 2, ""}, {script, true, 2, "--ordered"}, {archive, false, 2, "--jobs 1"}, {archive, false, 1, ""},
	} {
		r := s.newScriptRun(tt.source)
		r.Ordered, r.Jobs = tt.ordered, tt.jobs
		_, err := r.do(t.Context())
		switch {
		case tt.refused != "":
			if !errors.Is(err, dumpfmt.ErrUnsupported) || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%+v: %v", tt, err)
			}
		case err != nil:
			t.Errorf("%+v: %v", tt, err)
		default:
			if n := s.one(s.connect("target"), "SELECT count(*) FROM t"); n != "1000" {
				t.Errorf("%+v: %s rows", tt, n)
			}
			s.drop("target")
		}
	}
}

// twoParts makes an archive with rows 1 to 500 of a table in one entry and those to
// 1000 in another.
func (s *site) twoParts() string {
	s.t.Helper()
	archive := filepath.Join(s.backup("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 500)"), dumpfmt.ArchiveDir)
	a, err := pgarchive.Open(archive)
	if err != nil {
		s.t.Fatal(err)
	}
	at, most := -1, pgarchive.DumpID(0)
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if most = max(most, e.ID); e.Desc == pgarchive.DescTableData && e.Tag == "t" {
			at = i
		}
	}
	more := a.TOC.Entries[at]
	more.ID = most + 1
	more.File = more.ID.DataFile()
	a.TOC.Entries = slices.Insert(a.TOC.Entries, at+1, more)
	var rows strings.Builder
	for i := range 500 {
		fmt.Fprintf(&rows, "%d\n", 501+i)
	}
	rows.WriteString("\\.\n\n\n")
	toc, err := os.Create(filepath.Join(archive, "toc.dat"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(archive, more.File), []byte(rows.String()), 0o600), pgarchive.WriteTOC(toc, a.TOC), toc.Close()); err != nil {
		s.t.Fatal(err)
	}
	return archive
}

// TestRun_AnalyzeFails has a partition on a server that does not answer.
func TestRun_AnalyzeFails(t *testing.T) {
	s := newSite(t, "")
	b := s.backup("CREATE EXTENSION postgres_fdw; CREATE SERVER dead FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1'); CREATE USER MAPPING FOR PUBLIC SERVER dead",
		"CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE FOREIGN TABLE p2 PARTITION OF p FOR VALUES IN (2) SERVER dead")
	report, err := s.newRun(b).do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(report.Warnings, "\n"); !strings.Contains(all, "no statistics of public.p:") {
		t.Errorf("warnings: %s", all)
	}
}

// TestRun_IdleSessions ends the session in the new database during the load, as a
// proxy does that takes it for idle: the restore goes on with another.
func TestRun_IdleSessions(t *testing.T) {
	s := newSite(t, "")
	b := s.backup()
	r := s.newRun(b)
	r.hook = func(step string) {
		if step == "loaded" {
			s.exec(s.admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'odx restore%' AND datname LIKE 'odx-tmp-%'")
		}
	}
	if _, err := r.do(t.Context()); err != nil {
		t.Error(err)
	}
}
