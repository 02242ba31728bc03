package rebuild

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// makeDatabases makes the databases of testdata.
func (s *server) makeDatabases(t *testing.T) []string {
	t.Helper()
	s.psql(t, "postgres", "-c", `CREATE ROLE r_owner; CREATE ROLE r_reader; CREATE ROLE "r odd""role"`)
	for _, db := range []string{"evil", "features", "fkp", "more", "grantor"} {
		s.create(t, db)
		files := []string{db + ".sql"}
		if db == "more" && s.major >= 14 {
			files = append(files, "more-14.sql")
		}
		for _, f := range files {
			sql, err := os.ReadFile(filepath.Join("testdata", f))
			if err != nil {
				t.Fatal(err)
			}
			text := string(sql)
			if s.major < 14 {
				text = withoutAtomic(text)
			}
			path := filepath.Join(t.TempDir(), f)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			s.psql(t, db, "-f", path)
		}
	}
	return []string{"evil", "features", "fkp", "more", "grantor"}
}

// withoutAtomic leaves the line with a body out that PostgreSQL 13 cannot read.
func withoutAtomic(sql string) string {
	var out strings.Builder
	for line := range strings.Lines(sql) {
		if !strings.Contains(line, "begin atomic") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// ways are options of pg_dump, and of pg_restore to print the same.
var ways = []struct {
	name          string
	dump, restore []string
	since         int
	always        bool // not of the thorough databases only
}{
	{"plain", nil, nil, 0, true},
	{"no owner", []string{"--no-owner"}, nil, 0, true},
	{"no owner, no privileges", []string{"--no-owner", "-x"}, nil, 0, false},
	{"inserts", []string{"--inserts"}, nil, 0, false},
	{"column inserts", []string{"--column-inserts", "--rows-per-insert=3"}, nil, 0, false},
	{"inserts, no conflict", []string{"--inserts", "--on-conflict-do-nothing"}, nil, 0, false},
	{"partition root", []string{"--load-via-partition-root"}, nil, 0, false},
	{"partition root, inserts", []string{"--load-via-partition-root", "--inserts"}, nil, 0, false},
	{"schema only", []string{"-s"}, nil, 0, false},
	{"data only", []string{"-a"}, nil, 0, false},
	{"post-data", []string{"--section=post-data"}, nil, 0, false},
	{"pre-data", []string{"--section=pre-data"}, nil, 0, false},
	{"create", []string{"-C"}, []string{"-C"}, 0, false},
	{"create and clean", []string{"-C", "-c", "--if-exists"}, []string{"-C", "-c", "--if-exists"}, 0, false},
	{"no tablespaces", []string{"--no-tablespaces"}, nil, 0, false},
	{"no access methods", []string{"--no-table-access-method"}, nil, 15, false},
	{"no comments", []string{"--no-comments"}, nil, 0, false},
	{"statistics", []string{"--statistics"}, nil, 18, false},
}

// refused are options of pg_dump that make scripts which Read does not take.
var refused = map[string][]string{
	"DROP statements, of pg_dump --clean":         {"-c"},
	"of pg_dump --use-set-session-authorization":  {"--use-set-session-authorization"},
	"of pg_dump --disable-triggers; dump":         {"-a", "--disable-triggers"},
	"of pg_dump --disable-triggers; dump without": {"-a", "--disable-triggers", "--superuser=super", "--inserts"},
	"of pg_dump --enable-row-security, which":     {"--enable-row-security"},
}

func TestRead_RefusedOptions(t *testing.T) {
	s := startServer(t, releases(t)[0])
	s.psql(t, "postgres", "-c", "CREATE TABLE t (a integer)")
	for want, options := range refused {
		script := s.tool(t, "pg_dump", append(slices.Clone(options), "postgres")...)
		_, err := Read(strings.NewReader(script), nil, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%v: %v, want %q", options, err, want)
		}
	}
	script := s.tool(t, "pg_dumpall")
	if _, err := Read(strings.NewReader(script), nil, Options{}); err == nil || !strings.Contains(err.Error(), "line 2 ") {
		t.Errorf("pg_dumpall: %v", err)
	}
}

// thorough are the databases that are dumped in all ways.
var thorough = []string{"more", "grantor"}

func TestRead_Adversarial(t *testing.T) {
	for _, r := range releases(t) {
		t.Run(strconv.Itoa(r.major), func(t *testing.T) {
			s := startServer(t, r)
			for _, db := range s.makeDatabases(t) {
				for _, way := range ways {
					if r.major < way.since || !slices.Contains(thorough, db) && !way.always {
						continue
					}
					t.Run(db+"/"+way.name, func(t *testing.T) {
						script := s.tool(t, "pg_dump", s.key(append(slices.Clone(way.dump), db)...)...)
						dir, _ := build(t, []byte(script))
						got := s.tool(t, "pg_restore", s.key(append(slices.Clone(way.restore), "-f", "-", dir)...)...)
						wantSame(t, "script", got, script)
						if way.name == "plain" {
							got := s.tool(t, "pg_restore", s.key("--no-owner", "-f", "-", dir)...)
							wantSame(t, "no owner", got, s.tool(t, "pg_dump", s.key("--no-owner", db)...))
						}
					})
				}
				t.Run(db+"/verbose", func(t *testing.T) {
					dir, res := build(t, []byte(s.tool(t, "pg_dump", s.key("-v", db)...)))
					if year := res.TOC.Header.Time.Clock().Year(); year < 2020 {
						t.Errorf("year %d", year)
					}
					if !res.Frame.Verbose || res.Frame.Started == "" || res.Frame.Completed == "" {
						t.Errorf("frame: %+v", res.Frame)
					}
					got := s.tool(t, "pg_restore", s.key("-f", "-", dir)...)
					wantSame(t, "script", got, s.tool(t, "pg_dump", s.key(db)...))
				})
				t.Run(db+"/verbose from an archive", func(t *testing.T) { s.testPlaces(t, db) })
			}
		})
	}
}

// testPlaces reads what pg_restore --verbose prints of an archive, which says
// where the data are.
func (s *server) testPlaces(t *testing.T, db string) {
	for format, line := range map[string]string{"-Fd": "\n-- File: ", "-Fc": "\n-- Data Pos: "} {
		archive := filepath.Join(t.TempDir(), "archive")
		s.tool(t, "pg_dump", format, "-f", archive, db)
		script := s.tool(t, "pg_restore", s.key("-v", "-f", "-", archive)...)
		if !strings.Contains(script, line) {
			t.Errorf("pg_restore prints no %q", line)
		}
		dir, _ := build(t, []byte(script))
		got := s.tool(t, "pg_restore", s.key("-f", "-", dir)...)
		wantSame(t, format, got, s.tool(t, "pg_restore", s.key("-f", "-", archive)...))
	}
}

func TestRead_AdversarialRestore(t *testing.T) {
	for _, r := range releases(t) {
		t.Run(strconv.Itoa(r.major), func(t *testing.T) {
			s := startServer(t, r)
			for _, db := range s.makeDatabases(t)[:4] {
				for _, way := range []string{"", "--no-owner", "--inserts", "--load-via-partition-root", "-v"} {
					if way != "" && !slices.Contains(thorough, db) && runs() == 1 {
						continue
					}
					t.Run(db+"/"+way, func(t *testing.T) {
						var options []string
						if way == "--no-owner" {
							options = append(options, way)
						}
						want := s.tool(t, "pg_dump", s.key(db)...)
						if way == "--no-owner" {
							// Large objects that have one owner then come in other groups.
							want = s.restoredByPostgres(t, db, way)
						}
						args := []string{db}
						if way != "" {
							args = []string{way, db}
						}
						dir, res := build(t, []byte(s.tool(t, "pg_dump", s.key(args...)...)))
						if runs() > 1 {
							s.wantRestored(t, runs(), dir, want, options...)
						}
						for seed := range uint64(runs()) {
							chaos(res.TOC, seed)
							finish(t, dir, res)
							s.wantRestored(t, 1, dir, want, options...)
						}
					})
				}
			}
		})
	}
}

// restoredByPostgres gives the dump of a database that PostgreSQL's own archive
// of another one was restored into, without parallel workers.
func (s *server) restoredByPostgres(t *testing.T, db string, options ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "own")
	s.tool(t, "pg_dump", "-Fd", "-f", dir, db)
	s.create(t, "restored")
	defer s.drop(t, "restored")
	s.tool(t, "pg_restore", append(slices.Clone(options), "--exit-on-error", "-d", "restored", dir)...)
	return s.tool(t, "pg_dump", s.key(append(slices.Clone(options), "restored")...)...)
}

// chaos gives the entries other dump IDs, which decide what parallel workers
// take first, and makes some of them slow.
func chaos(toc *pgarchive.TOC, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	other := make(map[pgarchive.DumpID]pgarchive.DumpID)
	ids := r.Perm(len(toc.Entries))
	for i := range toc.Entries {
		other[toc.Entries[i].ID] = pgarchive.DumpID(ids[i] + 1)
	}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		e.ID = other[e.ID]
		for j, id := range e.Dependencies {
			e.Dependencies[j] = other[id]
		}
		e.Dependencies = slices.DeleteFunc(e.Dependencies, func(id pgarchive.DumpID) bool { return id == 0 })
		isSlow := e.Section != pgarchive.SectionPreData && !e.HadDumper && e.Defn.Valid &&
			e.Desc != "SUBSCRIPTION" && e.Desc != "BLOB METADATA" && !strings.HasPrefix(e.Tag, "LARGE OBJECTS ")
		if isSlow && r.IntN(2) == 0 && !strings.Contains(e.Defn.String, "pg_sleep") {
			e.Defn.String = "SELECT pg_catalog.pg_sleep(" + strconv.FormatFloat(r.Float64()/10, 'f', 3, 64) + ");\n" + e.Defn.String
		}
	}
}
