package restore

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
)

// broken makes roles for a restore that is broken off, and gives the database that
// it leaves.
func (s *site) broken(backup, user string) string {
	s.t.Helper()
	r := s.newRun(backup)
	r.Server, r.Filestore, r.MissingRoles, r.Keep = s.settings(user), "", CreateMissing, true
	err := s.breakOff(r, isStep("loaded"), "interrupted")
	var kept *KeptError
	if !errors.As(err, &kept) || fmt.Sprint(kept.Roles) != "[reader]" {
		s.t.Fatalf("nothing is kept: %v", err)
	}
	return kept.Database
}

// remove removes what is left over as odx clean does, as that role.
func (s *site) remove(user string) (roles []RoleLeft) {
	s.t.Helper()
	admin, err := s.settings(user).Open(s.t.Context(), "postgres", "odx test")
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	for _, u := range s.leftovers() {
		left, err := u.Remove(s.t.Context(), s.settings(user), admin)
		if err != nil {
			s.t.Error(err)
		}
		roles = append(roles, left...)
	}
	s.nothingLeft()
	return roles
}

// TestRemove_Roles removes the role that a restore has made with its database,
// unless it is used by then, or is not what odx has made.
func TestRemove_Roles(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			backup := s.makeRoles()["fast"]
			s.exec(s.admin, "DROP ROLE IF EXISTS maker; CREATE ROLE maker LOGIN CREATEDB CREATEROLE")
			for _, tt := range []struct {
				name, user, remover string
				change, undo        string
				stays               string // part of the reason; "" if it goes
			}{
				{name: "unused"},
				{name: "no superuser", user: "maker", remover: "maker"},
				{name: "made by another", user: "maker"},
				{name: "granted", change: "GRANT CONNECT ON DATABASE postgres TO reader", undo: "REVOKE CONNECT ON DATABASE postgres FROM reader", stays: "other objects depend"},
				{name: "owner", change: "CREATE TABLE public.its (); ALTER TABLE public.its OWNER TO reader", undo: "DROP TABLE public.its", stays: "other objects depend"},
				{name: "may log in", change: "ALTER ROLE reader LOGIN", stays: "was changed"},
				{name: "has settings", change: "ALTER ROLE reader SET work_mem = '8MB'", stays: "was changed"},
				{name: "has members", change: "GRANT reader TO stays", stays: "has members"},
				{name: "is a member", change: "GRANT stays TO reader", stays: "is a member"},
			} {
				t.Run(tt.name, func(t *testing.T) {
					s := *s
					s.t = t
					user, remover := s.User(), s.User()
					if tt.user != "" {
						user = tt.user
					}
					if tt.remover != "" {
						remover = tt.remover
					}
					s.broken(backup, user)
					s.exec(s.admin, tt.change)
					roles := s.remove(remover)
					if len(roles) != 1 || roles[0].Name != "reader" || (roles[0].Stays == "") != (tt.stays == "") || !strings.Contains(roles[0].Stays, tt.stays) {
						t.Errorf("roles %+v", roles)
					}
					if got := s.one(s.admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'reader'"); got != "0" && tt.stays == "" || got == "0" && tt.stays != "" {
						t.Errorf("%s roles", got)
					}
					s.exec(s.admin, tt.undo)
					s.exec(s.admin, "DROP ROLE IF EXISTS reader")
				})
			}
		})
	}
}

// TestRemove_RolesOfOthers has a comment name roles that no restore has made, and
// a restore at work that may count on the role.
func TestRemove_RolesOfOthers(t *testing.T) {
	s := newSite(t, "")
	backup := s.makeRoles()["fast"]
	database := s.broken(backup, s.User())
	comment := s.one(s.admin, "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '"+database+"'")
	s.exec(s.admin, "CREATE ROLE boss SUPERUSER")
	t.Cleanup(func() { s.exec(s.admin, "DROP ROLE IF EXISTS boss, reader") })
	tampered := strings.Replace(comment, `["reader"]`, `["boss","pg_monitor","postgres","reader","stays","who is \"gone\""]`, 1)
	s.exec(s.admin, "COMMENT ON DATABASE "+quote(database)+" IS "+literal(tampered))
	other, err := s.settings(s.User()).Open(t.Context(), "postgres", "odx restore odx-tmp-other pid 1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	roles := s.remove(s.User())
	got := ""
	for _, r := range roles {
		got += r.Name + ": " + r.Stays + "\n"
	}
	const want = "boss: it was changed since\npostgres: it is older than the database\nreader: another odx restores at the moment, and may count on it\nstays: it is older than the database\n"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if left, _, err := dumpfmt.Leftovers(s.data); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
