package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
	"odx/parallel/odoo"
	"odx/parallel/pgcluster"
)

// breakOff ends a run at a step: how is "interrupted", "sessions lost" or "lines
// lost", which is interrupted without what the journal had of single entries.
func (s *site) breakOff(r *run, at func(step string) bool, how string) error {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	met := false
	r.hook = func(step string) {
		if met || !at(step) {
			return
		}
		met = true
		switch how {
		case "lines lost":
			if err := errors.Join(r.keeping.journal.flush(ctx), r.keeping.journal.session.Exec(ctx, "DELETE FROM "+journalSchema+".done WHERE entry > 0")); err != nil {
				s.t.Error(err)
			}
			fallthrough
		case "interrupted":
			cancel()
			return
		}
		s.exec(s.admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'odx restore%'")
	}
	_, err := r.do(ctx)
	if err == nil || !met {
		s.t.Errorf("error %v, met the step: %t", err, met)
	}
	s.waitFor("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'odx restore%'")
	return err
}

// isStep waits for a step of the name.
func isStep(name string) func(string) bool {
	return func(step string) bool { return step == name }
}

// isNoted waits until so many items are finished.
func isNoted(n int) func(string) bool {
	return func(step string) bool {
		if step == "noted" {
			n--
		}
		return n < 0
	}
}

// resumed goes on with what a run has kept and gives the text of the database.
func (s *site) resumed(r *run, err error) string {
	s.t.Helper()
	var kept *KeptError
	if !errors.As(err, &kept) {
		s.t.Fatalf("nothing is kept: %v", err)
	}
	for _, word := range []string{kept.Database, kept.ID(), "odx restore --resume", "odx clean"} {
		if !strings.Contains(err.Error(), word) {
			s.t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	r.Resume = kept.ID()
	if _, err := r.do(s.t.Context()); err != nil {
		s.t.Fatalf("resume: %v", err)
	}
	text := sortedRows(s.text(r.Database))
	s.wantDatabases("target")
	return text
}

// TestRun_ResumeEveryKind breaks off the restore of an archive with every kind of
// entry at every step, and goes on: the database is that of a restore in one go.
func TestRun_ResumeEveryKind(t *testing.T) { onServers(t, testResumeEveryKind) }

func testResumeEveryKind(t *testing.T, s *site) {
	t.Cleanup(func() { s.dropAll("target") })
	whole := s.newKitchen()
	if _, err := whole.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := sortedRows(s.text("target"))
	s.dropAll("target")
	stages := map[string]func(string) bool{"all noted": isStep("loaded"), "lines lost": isStep("loaded"), "journal ended": isStep("journal ended"), "finished": isStep("finished"), "renamed": isStep("renamed")}
	items := []int{0, 7, 40}
	if testing.Short() {
		items = []int{7}
		delete(stages, "all noted")
		delete(stages, "renamed")
	}
	for _, n := range items {
		stages[fmt.Sprintf("%d noted", n)] = isNoted(n)
	}
	for name, at := range stages {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			r := s.newKitchen()
			r.Keep = true
			how := "interrupted"
			if name == "lines lost" {
				how = name
			}
			if strings.HasPrefix(name, "7") || name == "finished" {
				how = "sessions lost"
			}
			err := s.breakOff(r, at, how)
			if diff := difference(s.resumed(s.newKitchen(), err), want); diff != "" {
				t.Error(diff)
			}
			s.dropAll("target")
		})
	}
}

// TestRun_ResumeUnderPolicy breaks off after policies that hold for the owner too
// are on: whether the table has its rows can only be told by that.
func TestRun_ResumeUnderPolicy(t *testing.T) { onServers(t, testResumeUnderPolicy) }

func testResumeUnderPolicy(t *testing.T, s *site) {
	t.Cleanup(func() { s.dropAll("target") })
	r := s.newKitchen()
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := sortedRows(s.text("target"))
	s.dropAll("target")
	r = s.newKitchen()
	r.Keep = true
	isOn := func(step string) bool {
		if step != "noted" {
			return false
		}
		c := s.connect(r.target.temp)
		defer c.Close(t.Context())
		return s.one(c, `SELECT COALESCE(bool_or(relrowsecurity AND relforcerowsecurity), false)::text FROM pg_class WHERE relname = 'select'`) == "true"
	}
	defer s.dropAll("target")
	err := s.breakOff(r, isOn, "lines lost")
	if diff := difference(s.resumed(s.newKitchen(), err), want); diff != "" {
		t.Error(diff)
	}
}

// rows make tables whose data can be in doubt: with INSERT statements they are
// several transactions, and through a partitioned table's root they are in any
// partition.
var rows = []string{
	"CREATE TABLE parted (id int, PRIMARY KEY (id)) PARTITION BY HASH (id)",
	"CREATE TABLE part1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
	"CREATE TABLE part2 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
	"INSERT INTO parted SELECT generate_series(1, 500)",
	"CREATE TABLE child (id int PRIMARY KEY, up int REFERENCES parted)",
	"INSERT INTO child SELECT i, i FROM generate_series(1, 500) i",
	"CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY)",
	"INSERT INTO fleeting SELECT generate_series(1, 100)",
	"CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM child",
}

// TestRun_ResumeRows loads each kind of data, has the server crash, and goes on.
func TestRun_ResumeRows(t *testing.T) {
	onServers(t, func(t *testing.T, s *site) { testResumeRows(t, s.BinDir()) })
}

// crashingSite has a server of its own, which may crash.
func crashingSite(t *testing.T, bin string) *site {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	s := &site{Cluster: c, t: t, data: filepath.Join(t.TempDir(), "filestore")}
	s.mkdir(s.data)
	s.admin = s.connect("postgres")
	return s
}

// reconnect is for after a crash. The cluster's end closes the session.
func (s *site) reconnect() {
	s.t.Helper()
	var err error
	if s.admin, err = pgx.Connect(context.Background(), s.DSN("postgres")); err != nil {
		s.t.Fatal(err)
	}
}

func testResumeRows(t *testing.T, bin string) {
	s := crashingSite(t, bin)
	s.backup(append(rows, "DROP TABLE ir_module_module, ir_attachment, ir_config_parameter")...)
	kinds := map[string][]string{"COPY": nil, "INSERT": {"--inserts"}, "root": {"--load-via-partition-root"}}
	for name, args := range kinds {
		archive := filepath.Join(t.TempDir(), name)
		s.tool("pg_dump", append(args, "-Fd", "--no-sync", "--file="+archive, s.DSN("source"))...)
		want := sortedRows(s.text("source"))
		for _, n := range []int{0, 4, 9} {
			if testing.Short() && n != 4 {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d noted", name, n), func(t *testing.T) {
				outer := s.t
				s.t = t
				defer func() { s.t = outer }()
				newRun := func() *run {
					r := s.newRun(archive)
					r.Filestore, r.Copy, r.Analyze, r.Jobs = "", false, false, 2
					return r
				}
				r, at := newRun(), isNoted(n)
				crashed := false
				r.hook = func(step string) {
					if !crashed && at(step) {
						crashed = true
						if err := s.Crash(); err != nil {
							t.Error(err)
						}
					}
				}
				_, err := r.do(t.Context())
				var left *LeftoverError
				if !errors.As(err, &left) || !strings.Contains(left.Error(), "--resume") {
					t.Fatalf("crashed: %t; error: %v", crashed, err)
				}
				if err := s.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.reconnect()
				again := newRun()
				again.Resume = left.Database
				if _, err := again.do(t.Context()); err != nil {
					t.Fatal(err)
				}
				if diff := difference(sortedRows(s.text("target")), want); diff != "" {
					t.Error(diff)
				}
				s.wantDatabases("target")
				s.drop("target")
			})
		}
	}
}

// TestRun_ResumeFiles breaks off while files are copied, spoils some of them, and
// goes on, in the place of a database and a filestore.
func TestRun_ResumeFiles(t *testing.T) { onServers(t, testResumeFiles) }

func testResumeFiles(t *testing.T, s *site) {
	backup := s.backup(rows...)
	store := filepath.Join(backup, dumpfmt.FilestoreDir)
	for _, step := range []string{"loaded", "finished", "old database renamed", "old files moved", "files in place"} {
		t.Run(step, func(t *testing.T) {
			s := *s
			s.t = t
			r := s.newReplacement(backup)
			r.Keep = true
			err := s.breakOff(r, isStep(step), "interrupted")
			s.wantOld("target", "target", true)
			var kept *KeptError
			if !errors.As(err, &kept) || kept.Folder == "" {
				t.Fatalf("no folder is kept: %v", err)
			}
			spoil(t, kept.Folder)
			again := s.newRun(backup)
			again.Force, again.Analyze, again.Collation = true, false, CollationSource
			again.Resume = kept.ID()
			report, err := again.do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if report.Files.Missing+report.Files.Damaged > 0 {
				t.Errorf("files: %+v", report.Files)
			}
			s.wantOld("target", "target", false)
			s.wantDatabases("target")
			s.wantFolders("target")
			wantSameFiles(t, filepath.Join(s.data, "target"), store)
		})
	}
}

// spoil gives every file of a filestore other content of the same size and time.
func spoil(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(path, make([]byte, info.Size()), 0o600), os.Chtimes(path, info.ModTime(), info.ModTime()))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantSameFiles(t *testing.T, got, want string) {
	t.Helper()
	files := func(dir string) (text string) {
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				data, readErr := os.ReadFile(filepath.Join(dir, path))
				text, err = text+path+" "+string(data)+"\n", readErr
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if got, want := files(got), files(want); got != want || want == "" {
		t.Errorf("files\n%s, want\n%s", got, want)
	}
}

// TestRun_ResumeRefused resumes what is not there, or not the same.
func TestRun_ResumeRefused(t *testing.T) { onServers(t, testResumeRefused) }

func testResumeRefused(t *testing.T, s *site) {
	other := s.backup("CREATE TABLE other ()")
	backup := s.backup()
	r := s.newRun(backup)
	r.Keep = true
	err := s.breakOff(r, isStep("loaded"), "interrupted")
	var kept *KeptError
	if !errors.As(err, &kept) {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*run){
		"another backup":          func(r *run) { r.Source = other },
		"there is no database":    func(r *run) { r.Resume = "0123456789ab" },
		"was to become database":  func(r *run) { r.Database = "target2" },
		"--neutralize":            func(r *run) { r.Neutralize = true },
		"unaccent in odoo.conf":   func(r *run) { r.Unaccent = true },
		"its filestore was to be": func(r *run) { r.Filestore += "-other" },
		"is loaded as it is read": func(r *run) { r.Source = s.odooZip(nil) },
	} {
		again := s.newRun(backup)
		again.Resume = kept.ID()
		change(again)
		if _, err := again.do(t.Context()); !errors.Is(err, ErrResume) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.wantDatabases(kept.Database)
	s.cleanAll(t)
	s.nothingLeft()
}

// TestRun_ResumeAddons resumes with other modules to neutralize: the run that was
// broken off has neutralized by its own. From where they are called, and the HTTP
// port, do not matter.
func TestRun_ResumeAddons(t *testing.T) { onServers(t, testResumeAddons) }

func testResumeAddons(t *testing.T, s *site) {
	backup := s.backup("ALTER TABLE ir_module_module ADD COLUMN id serial")
	addons, other := t.TempDir(), t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, addons)
	if err != nil {
		t.Fatal(err)
	}
	newRun := func(addons ...string) *run {
		r := s.newRun(backup)
		r.Neutralize, r.Addons, r.HTTPPort = true, addons, 8070
		return r
	}
	r := newRun(relative)
	r.Keep = true
	broken := s.breakOff(r, isStep("finished"), "interrupted")
	var kept *KeptError
	if !errors.As(broken, &kept) {
		t.Fatal(broken)
	}
	for _, dirs := range [][]string{nil, {other}, {addons, other}} {
		again := newRun(dirs...)
		again.Resume = kept.ID()
		if _, err := again.do(t.Context()); !errors.Is(err, ErrResume) || !strings.Contains(err.Error(), "--addons-path="+addons+",") {
			t.Errorf("with %q: %v", dirs, err)
		}
	}
	again := newRun(addons)
	again.HTTPPort = 8080
	s.resumed(again, broken)
	const baseURL = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
	if got := s.one(s.connect("target"), baseURL); got != "http://localhost:8070" {
		t.Errorf("web.base.url is %s", got)
	}
}

// TestRun_ResumeOtherAddons goes on with other modules after one's own script has
// failed: nothing is neutralized yet, and the load is not done again.
func TestRun_ResumeOtherAddons(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup("ALTER TABLE ir_module_module ADD COLUMN id serial", "INSERT INTO ir_module_module (name, state) VALUES ('mail', 'installed')")
	addons := t.TempDir()
	path := filepath.Join(addons, "mail", "data", "neutralize.sql")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("SELECT 1 / 0"), 0o600)); err != nil {
		t.Fatal(err)
	}
	r := s.newRun(backup)
	r.Keep, r.Neutralize, r.Addons = true, true, []string{addons}
	_, broken := r.do(t.Context())
	if !errors.As(broken, new(*odoo.ScriptError)) || !errors.As(broken, new(*KeptError)) {
		t.Fatal(broken)
	}
	again := s.newRun(backup)
	again.Neutralize = true
	s.resumed(again, broken)
	if got := s.one(s.connect("target"), "SELECT value FROM ir_config_parameter WHERE key = 'database.is_neutralized'"); got != "true" {
		t.Errorf("neutralized: %s", got)
	}
}

// cleanAll does what odx clean --yes does.
func (s *site) cleanAll(t *testing.T) {
	t.Helper()
	if err := s.clean(); err != nil {
		t.Error(err)
	}
	found, _, err := dumpfmt.Leftovers(s.data)
	for _, l := range found {
		err = errors.Join(err, l.Remove())
	}
	if err != nil {
		t.Error(err)
	}
}

// clean does with databases what odx clean --yes does.
func (s *site) clean() error {
	admin, err := s.settings(s.User()).Open(s.t.Context(), "postgres", "odx test")
	if err != nil {
		return err
	}
	defer admin.Close()
	list, err := Leftovers(s.t.Context(), admin)
	for _, u := range list {
		_, removeErr := u.Remove(s.t.Context(), s.settings(s.User()), admin)
		err = errors.Join(err, removeErr)
	}
	return err
}

// TestRun_KeepsNothing fails before there is anything worth keeping.
func TestRun_KeepsNothing(t *testing.T) { onServers(t, testKeepsNothing) }

func testKeepsNothing(t *testing.T, s *site) {
	r := s.newRun(s.backup())
	r.Keep = true
	if err := s.breakOff(r, isStep("database created"), "interrupted"); errors.As(err, new(*KeptError)) {
		t.Error(err)
	}
	s.nothingLeft()
}

// TestRun_TwoAtOnce has a second restore come, to the same name by the same and by
// another maintenance database, and odx clean, while the first is at work.
func TestRun_TwoAtOnce(t *testing.T) { onServers(t, testTwoAtOnce) }

func testTwoAtOnce(t *testing.T, s *site) {
	backup := s.backup()
	r := s.newRun(backup)
	process := fmt.Sprintf("pid %d on", os.Getpid())
	r.hook = func(step string) {
		if step != "database created" {
			return
		}
		for _, maint := range []string{"postgres", "template1"} {
			second := s.newRun(backup)
			second.Maint, second.Filestore = maint, filepath.Join(s.data, "elsewhere")
			_, err := second.do(t.Context())
			var used *InUseError
			if !errors.As(err, &used) || !strings.Contains(err.Error(), process) || used.Since == "" || used.PID == 0 {
				t.Errorf("by %s: %v", maint, err)
			}
		}
		third := s.newRun(backup)
		third.Database = "target3"
		if _, err := third.do(t.Context()); !errors.Is(err, dumpfmt.ErrInUse) {
			t.Errorf("the same filestore folder: %v", err)
		}
		if err := s.clean(); err != nil {
			t.Error(err)
		}
		s.wantDatabases(r.target.temp)
	}
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantDatabases("target")
}
