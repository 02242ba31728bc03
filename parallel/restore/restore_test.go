package restore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
	"odx/parallel/dump"
	"odx/parallel/filestore"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// clusters has a server for each folder of programs, "" for the machine's own.
var clusters = map[string]*pgcluster.Cluster{}

// TestMain gives the tests a folder for temporary files of their own: what
// others leave behind in theirs is named in the warnings of a restore.
func TestMain(m *testing.M) {
	if plan := os.Getenv(killPlan); plan != "" {
		runToBeKilled(plan)
		return
	}
	temp, err := os.MkdirTemp("", "odx-test-")
	if err == nil {
		err = errors.Join(os.Chmod(temp, 0o755), os.Setenv("TMPDIR", temp)) // the server's user gets there too
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	for _, c := range clusters {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := os.RemoveAll(temp); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// binDirs lists the machine's own server ("") and those of ODX_TEST_PG.
func binDirs() []string {
	return append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...)
}

// site is a server with databases to dump and restore.
type site struct {
	*pgcluster.Cluster
	t     *testing.T
	admin *pgx.Conn
	data  string // has the filestores
}

// onServers runs a test that takes long on two servers: the machine's own, and the
// 17 of ODX_TEST_PG.
func onServers(t *testing.T, test func(*testing.T, *site)) {
	t.Helper()
	for _, bin := range binDirs() {
		switch major := filepath.Base(filepath.Dir(bin)); {
		case bin == "":
			t.Run("PostgreSQL here", func(t *testing.T) { test(t, newSite(t, bin)) })
		case major == "17":
			t.Run("PostgreSQL "+major, func(t *testing.T) { test(t, newSite(t, bin)) })
		}
	}
}

func newSite(t *testing.T, binDir string) *site {
	t.Helper()
	c := clusters[binDir]
	if c == nil {
		var err error
		if c, err = pgcluster.Start(context.Background(), pgcluster.Options{BinDir: binDir}); err != nil {
			t.Fatal(err)
		}
		clusters[binDir] = c
	}
	s := &site{Cluster: c, t: t, data: filepath.Join(t.TempDir(), "filestore")}
	if err := os.MkdirAll(s.data, 0o755); err != nil {
		t.Fatal(err)
	}
	s.admin = s.connect("postgres")
	return s
}

func (s *site) connect(database string) *pgx.Conn {
	s.t.Helper()
	c, err := pgx.Connect(context.Background(), s.DSN(database))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func (s *site) exec(c *pgx.Conn, sql string) {
	s.t.Helper()
	if _, err := c.Exec(context.Background(), sql); err != nil {
		s.t.Fatalf("%v\nin: %s", err, sql)
	}
}

// one reads a value as text.
func (s *site) one(c *pgx.Conn, sql string) (text string) {
	s.t.Helper()
	if err := c.QueryRow(context.Background(), "SELECT COALESCE(("+sql+")::text, 'NULL')").Scan(&text); err != nil {
		s.t.Fatalf("%v\nin: %s", err, sql)
	}
	return text
}

func (s *site) drop(name string) {
	s.t.Helper()
	s.exec(s.admin, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

func (s *site) settings(user string) server.Settings {
	return server.Settings{Params: server.Params{"host": s.Host(), "port": fmt.Sprint(s.Port()), "user": user}}
}

const odooTables = `
CREATE TABLE ir_module_module (name varchar, state varchar, latest_version varchar);
INSERT INTO ir_module_module VALUES ('base', 'installed', '17.0.1.3');
CREATE TABLE ir_attachment (id serial PRIMARY KEY, store_fname varchar, file_size integer);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar UNIQUE, value text, create_uid int,
	create_date timestamp, write_uid int, write_date timestamp);`

// backup makes a database named "source" with these statements, with a file in
// its filestore, and dumps it.
func (s *site) backup(sql ...string) string {
	s.t.Helper()
	return s.backupOf("CREATE DATABASE source TEMPLATE template0", sql...)
}

func (s *site) backupOf(create string, sql ...string) string {
	s.t.Helper()
	s.drop("source")
	s.exec(s.admin, create)
	s.t.Cleanup(func() { s.drop("source") })
	c := s.connect("source")
	sum := sha1.Sum([]byte("letter"))
	name := hex.EncodeToString(sum[:])
	path := filepath.Join(s.t.TempDir(), "source", name[:2], name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("letter"), 0o644)); err != nil {
		s.t.Fatal(err)
	}
	s.exec(c, odooTables+fmt.Sprintf("INSERT INTO ir_attachment (store_fname, file_size) VALUES ('%s/%s', 6)", name[:2], name))
	for _, statement := range sql {
		s.exec(c, statement)
	}
	target := filepath.Join(s.t.TempDir(), "backup")
	_, err := dump.Run(s.t.Context(), dump.Options{Server: s.settings(s.User()), Database: "source", Target: target,
		Filestore: filepath.Dir(filepath.Dir(path)), Environ: os.Environ(), Finder: pgtool.Finder{BinDir: s.BinDir()},
		Jobs: 2, Compress: dump.DefaultCompress})
	if err != nil {
		s.t.Fatal(err)
	}
	return target
}

// newRun prepares a restore into the database "target".
func (s *site) newRun(backup string) *run {
	s.t.Cleanup(func() { s.drop("target") })
	return &run{Options: Options{Server: s.settings(s.User()), Source: backup, Database: "target",
		Filestore: filepath.Join(s.data, "target"), Environ: os.Environ(), Finder: pgtool.Finder{BinDir: s.BinDir()},
		Jobs: 4, Copy: true, Analyze: true}}
}

// nothingLeft fails the test if a restore left a database or a folder.
func (s *site) nothingLeft() {
	s.t.Helper()
	if got := s.one(s.admin, "SELECT string_agg(datname, ', ') FROM pg_database WHERE datname LIKE 'odx-tmp-%' OR datname = 'target'"); got != "NULL" {
		s.t.Errorf("left: database %s", got)
	}
	entries, err := os.ReadDir(s.data)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		s.t.Errorf("left: %s", e.Name())
	}
}

// steps of a restore after which something may happen, in their order.
var steps = []string{"database created", "loaded", "finished", "renamed"}

// TestRun_FailsAtEachStep interrupts a restore at each step, or takes its
// sessions away. Neither database nor folder is left.
func TestRun_FailsAtEachStep(t *testing.T) {
	s := newSite(t, "")
	s.failAtEachStep(t, s.backup(), steps)
}

func (s *site) failAtEachStep(t *testing.T, backup string, steps []string) {
	why := errors.New("interrupted")
	for _, at := range steps {
		for _, how := range []string{"interrupted", "session lost"} {
			t.Run(at+", "+how, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				r := s.newRun(backup)
				r.Filestore = filepath.Join(s.data, "made", "for it", "target")
				met := false
				r.hook = func(step string) {
					if step != at {
						return
					}
					met = true
					if how == "interrupted" {
						cancel(why)
					} else {
						s.exec(s.admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'odx restore%'")
					}
				}
				if _, err := r.do(ctx); err == nil || !met {
					t.Errorf("error %v, met the step: %t", err, met)
				}
				s.nothingLeft()
			})
		}
	}
}

// TestRun_Panics: a fault of odx itself ends it, and leaves no database either.
func TestRun_Panics(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup()
	for _, at := range steps {
		t.Run(at, func(t *testing.T) {
			r := s.newRun(backup)
			r.hook = func(step string) {
				if step == at {
					panic("at " + at)
				}
			}
			func() {
				defer func() {
					if got := recover(); got != "at "+at {
						t.Errorf("%v, want a panic at this step", got)
					}
				}()
				_, _ = r.do(t.Context()) // does not come back
			}()
			s.nothingLeft()
		})
	}
}

// TestRun_LoadFails has rows that a check refuses once they are in another
// database.
func TestRun_LoadFails(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup(`CREATE FUNCTION here() RETURNS bool LANGUAGE sql AS $$ SELECT current_database() = 'source' $$`,
		`CREATE TABLE homesick (id int CHECK (here()))`, `INSERT INTO homesick VALUES (1)`)
	if _, err := s.newRun(backup).do(t.Context()); err == nil {
		t.Error("no error")
	}
	s.nothingLeft()
}

// quiet has triggers that would leave traces if they fired during a restore.
const quiet = `
CREATE TABLE parted (id int, part int, touched int DEFAULT 0) PARTITION BY LIST (part);
CREATE TABLE log (what text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN NEW.touched := 1; INSERT INTO public.log VALUES ('row'); RETURN NEW; END $$;
CREATE FUNCTION ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
	BEGIN INSERT INTO public.log VALUES ('ddl'); END $$;
DO $$ BEGIN FOR i IN 1..6 LOOP
	EXECUTE format('CREATE TABLE part_%s PARTITION OF parted FOR VALUES IN (%s)', i, i);
	EXECUTE format('INSERT INTO parted SELECT g, %s FROM generate_series(1, %s) g', i, i * 1000);
END LOOP; END $$;
CREATE TRIGGER touch BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION touch();
CREATE EVENT TRIGGER ddl ON ddl_command_end EXECUTE FUNCTION ddl();`

// TestRun_TriggersStayQuiet restores a database with triggers many times, on
// every server.
func TestRun_TriggersStayQuiet(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			backup := s.backup(quiet)
			for range 10 {
				r := s.newRun(backup)
				r.Analyze, r.Filestore = false, ""
				if _, err := r.do(t.Context()); err != nil {
					t.Fatal(err)
				}
				c := s.connect("target")
				for sql, want := range map[string]string{
					"SELECT count(*) || ' ' || sum(touched) FROM parted":                                      "21000 0",
					"SELECT count(*) FROM log WHERE what = 'row'":                                             "0",
					"SELECT count(*) FROM pg_trigger WHERE tgname = 'touch' AND tgrelid = 'parted'::regclass": "1",
					"SELECT count(*) FROM pg_event_trigger":                                                   "1",
				} {
					if got := s.one(c, sql); got != want {
						t.Errorf("%s: %s, want %s", sql, got, want)
					}
				}
				c.Close(t.Context())
				s.drop("target")
			}
		})
	}
}

// Queries for what is the database's own.
const (
	settingsOf = `SELECT string_agg(setrole::regrole || ' ' || c, E'\n' ORDER BY setrole, c) FROM pg_db_role_setting, unnest(setconfig) c
		WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = '%s')`
	propertiesOf = `SELECT concat_ws('|', datconnlimit, (SELECT string_agg(a::text, ',' ORDER BY a::text COLLATE "C") FROM unnest(datacl) a), shobj_description(oid, 'pg_database')) FROM pg_database WHERE datname = '%s'`
)

// TestRun_Settings restores settings, grants, comment and collation of the
// source, or names them.
func TestRun_Settings(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) { testSettings(t, newSite(t, bin)) })
	}
}

// TestRun_ICURules restores what a locale's collation was given in addition.
func TestRun_ICURules(t *testing.T) {
	tested := false
	for _, bin := range binDirs() {
		s := newSite(t, bin)
		if s.Major() < 16 {
			continue
		}
		tested = true
		backup := s.backupOf(`CREATE DATABASE source TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < b'`)
		for name, archive := range map[string]string{"record": backup, "archive": filepath.Join(backup, "dump")} {
			r := s.newRun(archive)
			r.Collation, r.Filestore = CollationSource, ""
			if _, err := r.do(t.Context()); err != nil {
				t.Fatal(err)
			}
			const rules = "SELECT concat(datlocprovider, daticurules) FROM pg_database WHERE datname = "
			if got := s.one(s.admin, rules+"'target'"); got != s.one(s.admin, rules+"'source'") {
				t.Errorf("%s: rules %s", name, got)
			}
			s.drop("target")
		}
	}
	if !tested {
		t.Skip("no PostgreSQL 16 or newer: name its programs' folder in ODX_TEST_PG")
	}
}

func testSettings(t *testing.T, s *site) {
	s.exec(s.admin, "DROP ROLE IF EXISTS plain; DROP ROLE IF EXISTS maker; DROP ROLE IF EXISTS guest")
	s.exec(s.admin, "CREATE ROLE plain LOGIN; CREATE ROLE maker LOGIN CREATEDB IN ROLE plain; CREATE ROLE guest")
	backup := s.backup(`ALTER DATABASE source SET search_path = "$user", public, "odd, one"`, `ALTER DATABASE source SET work_mem = '7MB'`,
		`ALTER DATABASE source SET "my.own" = 'it''s; x'`, `ALTER DATABASE source SET log_statement = 'all'`, `COMMENT ON DATABASE source IS 'it''s \mine; ON DATABASE source'`,
		`ALTER DATABASE source CONNECTION LIMIT 17`, `ALTER DATABASE source IS_TEMPLATE true`, `ALTER ROLE guest IN DATABASE source SET work_mem = '8MB'`,
		`REVOKE CONNECT ON DATABASE source FROM PUBLIC`, `GRANT CONNECT, CREATE ON DATABASE source TO guest WITH GRANT OPTION`,
		`SET ROLE guest`, `GRANT CREATE ON DATABASE source TO plain`, `RESET ROLE`)
	want, wantProperties := s.one(s.admin, fmt.Sprintf(settingsOf, "source")), s.one(s.admin, fmt.Sprintf(propertiesOf, "source"))

	r := s.newRun(backup)
	r.Collation = CollationSource
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.one(s.admin, fmt.Sprintf(settingsOf, "target")); got != want {
		t.Errorf("settings\n%s\nwant\n%s", got, want)
	}
	// A grant by somebody else than the owner is named.
	wantProperties = strings.Replace(wantProperties, ",plain=C/guest", "", 1)
	if got := s.one(s.admin, fmt.Sprintf(propertiesOf, "target")); got != wantProperties {
		t.Errorf("properties %s, want %s", got, wantProperties)
	}
	text := strings.Join(report.Warnings, "\n")
	if len(report.Warnings) != 2 || !strings.Contains(text, "IS_TEMPLATE") || !strings.Contains(text, "GRANT CREATE ON DATABASE source TO plain") {
		t.Errorf("warnings: %s", text)
	}
	const collation = "SELECT datcollate || datctype FROM pg_database WHERE datname = "
	if s.one(s.admin, collation+"'target'") != s.one(s.admin, collation+"'source'") {
		t.Error("collation differs")
	}
	s.drop("target")

	// A role that may not set all, one that is gone, and another collation:
	// all are named.
	s.exec(s.admin, "ALTER DATABASE source IS_TEMPLATE false")
	s.drop("source")
	s.exec(s.admin, "DROP ROLE guest")
	r = s.newRun(backup)
	r.Server, r.Owner, r.Filestore = s.settings("maker"), "plain", ""
	if report, err = r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	text = strings.Join(report.Warnings, "\n")
	for _, name := range []string{"log_statement", "LC_COLLATE C,", "ALTER ROLE guest IN DATABASE", "TO guest WITH GRANT OPTION"} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not named: %s", name, text)
		}
	}
	if got := s.one(s.admin, fmt.Sprintf(propertiesOf, "target")); !strings.HasPrefix(got, "17|=T/plain,") {
		t.Errorf("properties: %s", got)
	}
	if got := s.one(s.admin, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'target'"); got != "plain" {
		t.Errorf("owner %s", got)
	}
	c := s.connect("target")
	s.exec(c, "SET ROLE plain; UPDATE ir_attachment SET file_size = 7; CREATE TABLE mine (id int)")
	if got := s.one(c, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) <> 'plain'"); got != "0" {
		t.Errorf("%s relations are not the owner's", got)
	}
}

// TestRun_Roles has roles that are no superuser: one that can do all that is
// needed, and some that could not end what they begin.
func TestRun_Roles(t *testing.T) {
	for _, bin := range binDirs() {
		s := newSite(t, bin)
		backup := s.backup()
		s.exec(s.admin, `DROP ROLE IF EXISTS maker; DROP ROLE IF EXISTS stiff; DROP ROLE IF EXISTS odoo;
			CREATE ROLE odoo; CREATE ROLE maker LOGIN CREATEDB IN ROLE odoo; CREATE ROLE stiff LOGIN CREATEDB NOINHERIT IN ROLE odoo`)
		r := s.newRun(backup)
		r.Server, r.Owner, r.Filestore = s.settings("stiff"), "odoo", ""
		var refused *RoleError
		if _, err := r.do(t.Context()); !errors.As(err, &refused) {
			t.Errorf("%s: a role that inherits nothing: %v", bin, err)
		}
		s.nothingLeft()
		r = s.newRun(backup)
		r.Server, r.Owner, r.Filestore = s.settings("maker"), "odoo", ""
		if _, err := r.do(t.Context()); err != nil {
			t.Errorf("%s: %v", bin, err)
		}
		s.drop("target")
		s.drop("source")
	}
}

// TestRun_OlderServer restores with a pg_restore that sets what the server does
// not know.
func TestRun_OlderServer(t *testing.T) {
	var older, newer string
	for _, bin := range binDirs()[1:] {
		tool, err := pgtool.Finder{BinDir: bin}.Newest(t.Context(), "pg_restore")
		switch {
		case err != nil:
		case tool.Version.Major >= 17:
			newer = bin
		default:
			older = bin
		}
	}
	s := newSite(t, older)
	if newer == "" || s.Major() >= 17 {
		t.Skip("ODX_TEST_PG has no pg_restore that is new enough")
	}
	r := s.newRun(s.backup(quiet))
	r.Finder.BinDir = newer
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Warnings, func(w string) bool { return strings.Contains(w, "transaction_timeout") }) {
		t.Errorf("warnings %q", report.Warnings)
	}
	if got := s.one(s.connect("target"), "SELECT count(*) FROM parted"); got != "21000" {
		t.Errorf("%s rows", got)
	}
	s.drop("target")
	if err := os.RemoveAll(filepath.Join(s.data, "target")); err != nil {
		t.Fatal(err)
	}
	// Another error is one all the same.
	bad := s.backup(`CREATE FUNCTION here() RETURNS bool LANGUAGE sql AS $$ SELECT current_database() = 'source' $$`,
		`CREATE TABLE homesick (id int CHECK (here()))`, `INSERT INTO homesick VALUES (1)`)
	r = s.newRun(bad)
	r.Finder.BinDir = newer
	if _, err := r.do(t.Context()); err == nil {
		t.Error("no error")
	}
	s.nothingLeft()
}

// TestRun_OwnerOfFiles cannot give the files away: the server is not touched.
func TestRun_OwnerOfFiles(t *testing.T) {
	r := &run{Options: Options{Filestore: filepath.Join(t.TempDir(), "filestore", "x")}}
	r.give = filestore.Permissions{UID: -1, GID: -1, DirMode: 0o750}
	if err := r.createFilestore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.files.Abort(); err != nil {
		t.Error(err)
	}
}

// TestRun_FilestoreGone restores the database of a backup that has lost its
// files, but only when told to leave them out.
func TestRun_FilestoreGone(t *testing.T) {
	s := newSite(t, "")
	backup := s.backup()
	if err := os.RemoveAll(filepath.Join(backup, dumpfmt.FilestoreDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.newRun(backup).do(t.Context()); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("error %v", err)
	}
	s.nothingLeft()
	r := s.newRun(backup)
	r.Filestore = ""
	if _, err := r.do(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRun_TablespaceGone restores a table that was in a tablespace of its own
// into the default one where there is no such, and into its own where there is.
func TestRun_TablespaceGone(t *testing.T) {
	s := newSite(t, "")
	dir, err := os.MkdirTemp("", "odx-tmp-space-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		if err := os.Chown(dir, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	s.exec(s.admin, "CREATE TABLESPACE fast LOCATION '"+dir+"'")
	backup := s.backup("CREATE TABLE quick (id int PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE fast", "INSERT INTO quick VALUES (1)")
	s.drop("source")
	const where = "SELECT count(*) || ' ' || (SELECT string_agg(COALESCE(spcname, '-'), ' ') FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = reltablespace WHERE relname LIKE 'quick%') FROM quick"
	for _, want := range []string{"1 fast fast", "1 - -"} {
		r := s.newRun(backup)
		r.Filestore = ""
		report, err := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.one(s.connect("target"), where); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		named := slices.ContainsFunc(report.Warnings, func(w string) bool { return strings.Contains(w, "fast") })
		if named != (want == "1 - -") {
			t.Errorf("warnings: %q", report.Warnings)
		}
		s.drop("target")
		s.exec(s.admin, "DROP TABLESPACE IF EXISTS fast")
	}
}
