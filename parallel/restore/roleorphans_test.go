package restore

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// orphans are the roles that odx clean finds.
func (s *site) orphans() []OrphanRole {
	s.t.Helper()
	admin, err := s.settings(s.User()).Open(s.t.Context(), "postgres", "odx test")
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	list, err := OrphanRoles(s.t.Context(), admin)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// removeOrphan removes the one role that is left as odx clean does.
func (s *site) removeOrphan() []RoleLeft {
	s.t.Helper()
	admin, err := s.settings(s.User()).Open(s.t.Context(), "postgres", "odx test")
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	list := s.orphans()
	if len(list) != 1 || list[0].Name != "reader" {
		s.t.Fatalf("orphans %+v", list)
	}
	left, err := list[0].Remove(s.t.Context(), admin)
	if err != nil {
		s.t.Fatal(err)
	}
	if again := s.orphans(); len(again) > 0 {
		s.t.Errorf("still there: %+v", again)
	}
	return left
}

// dropUntil removes what is left over, and is ended when the database is gone.
func (s *site) dropUntil(step string) {
	s.t.Helper()
	admin, err := s.settings(s.User()).Open(s.t.Context(), "postgres", "odx test")
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	ctx, end := context.WithCancel(s.t.Context())
	defer end()
	for _, u := range s.leftovers() {
		u.hook = func(at string) {
			if at == step {
				end()
			}
		}
		if _, err := u.Remove(ctx, s.settings(s.User()), admin); err == nil || ctx.Err() == nil {
			s.t.Fatalf("not ended: %v", err)
		}
	}
}

// TestOrphanRoles ends a removal, and kills a restore that undoes its work, after the
// database is gone and before its role is. The role is found again and dropped, or
// stays if it is used by then, and is not named again.
func TestOrphanRoles(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			backup := s.makeRoles()["fast"]
			for name, leave := range map[string]func(*site){
				"removal ended": func(s *site) {
					s.broken(backup, s.User())
					s.dropUntil("database dropped")
				},
				"undoing killed": func(s *site) {
					s.kill(killed{Source: backup, FailAt: "loaded", At: "database dropped", MissingRoles: CreateMissing})
				},
			} {
				for _, stays := range []string{"", "it was changed since"} {
					t.Run(name+" "+stays, func(t *testing.T) {
						s := *s
						s.t = t
						leave(&s)
						if list := s.leftovers(); len(list) > 0 {
							t.Fatalf("databases are left: %+v", list)
						}
						if stays != "" {
							s.exec(s.admin, "ALTER ROLE reader LOGIN")
						}
						left := s.removeOrphan()
						if fmt.Sprint(left) != fmt.Sprintf("[{reader %s}]", stays) {
							t.Errorf("roles %+v", left)
						}
						want := "0"
						if stays != "" {
							want = "1"
						}
						if got := s.one(s.admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'reader'"); got != want {
							t.Errorf("%s roles, want %s", got, want)
						}
						s.exec(s.admin, "DROP ROLE IF EXISTS reader")
						s.cleanAll(t)
					})
				}
			}
		})
	}
}

// TestRun_ResumeUnmarks goes on with a database that was about to be removed: its
// role is not taken for an orphan afterwards.
func TestRun_ResumeUnmarks(t *testing.T) { onServers(t, testResumeUnmarks) }

func testResumeUnmarks(t *testing.T, s *site) {
	backup := s.makeRoles()["fast"]
	database := s.broken(backup, s.User())
	t.Cleanup(func() { s.drop("target"); s.exec(s.admin, "DROP ROLE reader") })
	s.exec(s.admin, "COMMENT ON ROLE reader IS "+literal(roleMark+database+" and so on"))
	if list := s.orphans(); len(list) > 0 {
		t.Errorf("the database is there, and its roles are orphans: %+v", list)
	}
	r := s.newRun(backup)
	r.Filestore, r.MissingRoles, r.Resume = "", CreateMissing, database
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.one(s.admin, "SELECT count(*) FROM pg_shdescription WHERE classoid = 'pg_authid'::regclass AND objoid = 'reader'::regrole"); got != "0" {
		t.Error("the role is still to be dropped")
	}
}
