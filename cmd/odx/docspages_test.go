package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// scene is where the commands of a page run: Odoo's database "prod" with its
// configuration, and the folders that pages name.
type scene struct {
	*world
	t     *testing.T
	dir   string
	paths []string // what is replaced in the commands
}

func newScene(t *testing.T, w *world) *scene {
	t.Helper()
	smallIn(t, w)
	s := &scene{world: w, t: t, dir: t.TempDir()}
	for _, name := range []string{"backup", "srv", "new", "old/filestore"} {
		if err := os.MkdirAll(s.at(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	conf := "[options]\ndata_dir = " + s.at("old") + "\n"
	if err := os.WriteFile(s.at("odoo.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s.drop(t, "prod")
	s.odx(t, "restore", smallBackup(t, s.world), "prod", "--move", "--owner", odooRole, "--data-dir", s.at("old")).want(t, exitOK)
	s.paths = []string{"/etc/odoo/odoo.conf", s.at("odoo.conf"), "/srv/backup", s.at("srv"), "/backup", s.at("backup"), "/var/lib/odoo", s.at("new")}
	return s
}

func (s *scene) at(name string) string { return filepath.Join(s.dir, name) }

// run runs a block of the page, with more to be replaced.
func (s *scene) run(block string, replace ...string) string {
	s.t.Helper()
	return s.shell(s.t, block, append(replace, s.paths...)...)
}

// wantLike has a database be "prod" under another name, or a copy of it.
func (s *scene) wantLike(database, data string, isCopy bool) {
	s.t.Helper()
	s.drop(s.t, database)
	before, after := s.parameters(s.t, "prod"), s.parameters(s.t, database)
	if (before["database.uuid"] != after["database.uuid"]) != isCopy {
		s.t.Errorf("%s: database.uuid is %s, that of prod is %s", database, after["database.uuid"], before["database.uuid"])
	}
	wantContents(s.t, filepath.Join(s.at(data), "filestore", database), contents(s.t, filepath.Join(s.at("old"), "filestore", "prod")))
	s.wantUsable(s.t, database, odooRole)
}

// TestDocs_Migrating moves a database to a server that is the same one, under
// another name.
func TestDocs_Migrating(t *testing.T) { onServers(t, testDocsMigrating) }

func testDocsMigrating(t *testing.T, w *world) {
	s := newScene(t, w)
	sh := blocks(t, "migrating.md", map[string]int{"sh": 5})["sh"]
	s.run(sh[0])
	s.run(sh[1])
	s.wantLike("rehearsal", "new", true)
	s.run(sh[2])
	s.run(sh[3], " prod ", " arrived ")
	s.wantLike("arrived", "new", false)
	linked := s.run(sh[4])
	s.wantLike("second", "new", true)
	if !strings.Contains(linked, " are hard links, 0 copies") {
		t.Errorf("nothing about links:\n%s", linked)
	}
}

// TestDocs_WithoutOdx restores the folder and the zip as the page says, and then
// makes a copy of the latter.
func TestDocs_WithoutOdx(t *testing.T) { onServers(t, testDocsWithoutOdx) }

func testDocsWithoutOdx(t *testing.T, w *world) {
	s := newScene(t, w)
	sh := blocks(t, "without-odx.md", map[string]int{"sh": 4})["sh"]
	for _, name := range []string{"prod", "prod.zip"} {
		s.odx(t, "dump", "prod", s.at("backup/"+name), "-c", s.at("odoo.conf")).want(t, exitOK)
	}
	s.run(sh[0])
	s.run(sh[1])
	s.wantLike("restored", "new", false)
	s.exec(t, "postgres", "DROP DATABASE restored WITH (FORCE)")
	if err := os.RemoveAll(s.at("new/filestore")); err != nil {
		t.Fatal(err)
	}
	s.run(sh[2])
	s.wantLike("restored", "new", false)
	s.run(sh[3])
	s.wantLike("restored", "new", true)
}

// TestDocs_Upgrades has a stand-in for the platform. The command lines of Odoo's
// client are those that odx prints.
func TestDocs_Upgrades(t *testing.T) { onServers(t, testDocsUpgrades) }

func testDocsUpgrades(t *testing.T, w *world) {
	s := newScene(t, w)
	page := blocks(t, "upgrades.md", map[string]int{"sh": 8, "bash": 2})
	sh, client := page["sh"], page["bash"]
	said := s.run(sh[0])
	if line := strings.NewReplacer(s.paths...).Replace(strings.TrimSpace(client[0])); !strings.Contains(said, line) {
		t.Errorf("odx did not print %q:\n%s", line, said)
	}
	if got := strings.NewReplacer(" production ", " test ", "prod-production", "prod-upgrade").Replace(client[1]); got != client[0] {
		t.Errorf("the client's command lines differ: %q, %q", client[0], client[1])
	}
	u := s.platform(t, s.at("backup/prod-upgrade"), "prod")
	s.run(sh[1])
	s.wantUpgraded("prod-test", u)
	monday := s.at("backup/prod-monday")
	s.odx(t, "dump", "prod", monday, "-c", s.at("odoo.conf")).want(t, exitOK)
	if err := os.Rename(u.zip, s.at("backup/upgraded.zip")); err != nil {
		t.Fatal(err)
	}
	s.run(sh[2])
	s.wantUpgraded("prod-zip", u)
	s.run(sh[3])
	u = s.platform(t, s.at("backup/prod-production"), "prod")
	told := s.run(sh[4])
	s.run(sh[5])
	s.wantUpgraded("prod", u)
	kept := regexp.MustCompile(`prod-old-[0-9-]+`).FindString(told)
	s.exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'prod'") // this test's own
	s.run(sh[6], "prod-old-DATE-TIME", kept, "/var/lib/odoo", s.at("old"))
	if s.parameters(t, "prod")["upgraded"] != "" {
		t.Error("what was kept is not what there was")
	}
	s.drop(t, "prod-failed")
	s.run(sh[7])
	if s.parameters(t, "prod")["upgraded"] != "" || len(contents(t, filepath.Join(s.at("old"), "filestore", "prod"))) != len(contents(t, s.filestore(smallDB))) {
		t.Error("the way back does not lead back")
	}
}

func (s *scene) wantUpgraded(database string, u *upgrade) {
	s.t.Helper()
	s.drop(s.t, database)
	if s.parameters(s.t, database)["upgraded"] != "yes" {
		s.t.Errorf("%s is not upgraded", database)
	}
	wantContents(s.t, filepath.Join(s.at("old"), "filestore", database), u.filestore)
}

// TestDocs_Managed runs the page as a role that is no superuser.
func TestDocs_Managed(t *testing.T) { onServers(t, testDocsManaged) }

func testDocsManaged(t *testing.T, w *world) {
	s := newScene(t, w)
	s.exec(t, "postgres", "CREATE ROLE admin LOGIN CREATEDB CREATEROLE")
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), s.DSN("postgres"))
		if err == nil {
			defer c.Close(context.Background())
			_, err = c.Exec(context.Background(), "DROP ROLE IF EXISTS managed_odoo, admin")
		}
		if err != nil {
			t.Error(err)
		}
	})
	s.drop(t, "theirs")
	sh := blocks(t, "managed.md", map[string]int{"sh": 3})["sh"]
	s.odx(t, "dump", "prod", s.at("backup/prod-monday"), "-c", s.at("odoo.conf")).want(t, exitOK)
	here := []string{"PGHOST=db.example.com ", "", "PGUSER=odoo", "PGUSER=managed_odoo", " PGSSLMODE=require", "",
		"--owner odoo", "--owner managed_odoo", "ROLE odoo", "ROLE managed_odoo", "GRANT odoo", "GRANT managed_odoo", " prod ", " theirs "}
	for _, block := range sh {
		s.run(block, here...)
	}
	s.wantUsable(t, "theirs", "managed_odoo")
	wantOnly(t, s.at("backup/prod-tuesday"), "dump", "filestore", "manifest.json", "odx.json")
}

// TestDocs_Containers runs the commands as the container would, and holds the image
// and the compose file against what they rely on.
func TestDocs_Containers(t *testing.T) { onServers(t, testDocsContainers) }

func testDocsContainers(t *testing.T, w *world) {
	s := newScene(t, w)
	page := blocks(t, "containers.md", map[string]int{"sh": 5, "bash": 1, "yaml": 1})
	for _, block := range slices.Insert(page["sh"], 2, page["bash"][0]) {
		s.run(block, "/var/lib/odoo", s.at("old"), " --addons-path /mnt/extra-addons", "")
	}
	s.drop(t, "staging")
	if s.parameters(t, "staging")["database.is_neutralized"] == "" {
		t.Error("the copy is not neutralized")
	}
	s.wantLike("prod", "old", false)
	s.odx(t, "verify", s.at("srv/prod.zip")).want(t, exitOK)
	wantImage(t)
	for _, line := range []string{"PGHOST: db", "PGUSER: odoo", "PGPASSWORD: odoo", "- odoo-data:/var/lib/odoo", "- ./backup:/backup"} {
		if !strings.Contains(page["yaml"][0], "      "+line+"\n") {
			t.Errorf("the compose file has no %q", line)
		}
	}
}

// wantImage compares the image's build with that of the Makefile.
func wantImage(t *testing.T) {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	image, module := read("Dockerfile"), read("go.mod")
	for _, name := range []string{"Dockerfile", "Makefile"} {
		if !strings.Contains(read(name), `build -buildvcs=false -trimpath -ldflags "-X main.version=$`) {
			t.Errorf("%s builds odx in another way", name)
		}
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(module)[1]
	for _, want := range []string{"FROM golang:" + version + " AS build\n", "postgresql-client-$PG", "ENTRYPOINT [\"odx\"]"} {
		if !strings.Contains(image, want) {
			t.Errorf("Dockerfile has no %q", want)
		}
	}
}
