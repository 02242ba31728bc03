package restore

import (
	"testing"

	"odx/parallel/server"
)

// TestTerminateSessions_Others has a superuser's session in a database that a
// plain role is to drop: it is passed over without an error, as autovacuum,
// which DROP DATABASE ends by itself, has to be.
func TestTerminateSessions_Others(t *testing.T) {
	s := newSite(t, "")
	const name = "odx-tmp-visited"
	s.exec(s.admin, `DROP ROLE IF EXISTS dropper; CREATE ROLE dropper LOGIN CREATEDB`)
	s.exec(s.admin, `CREATE DATABASE "odx-tmp-visited" OWNER dropper TEMPLATE template0`)
	visitor := s.connect(name)
	admin, err := s.settings("dropper").Open(t.Context(), "postgres", "odx test")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := terminateSessions(t.Context(), admin, name); err != nil {
		t.Error(err)
	}
	s.one(visitor, "SELECT 1")
	visitor.Close(t.Context())
	if err := DropTemp(t.Context(), s.settings(s.User()), admin, name); err != nil {
		t.Error(err)
	}
	if err := DropTemp(t.Context(), s.settings(s.User()), admin, "postgres"); err == nil {
		t.Error("a database that is not odx's was to be dropped")
	}
	s.nothingLeft()
}

// TestDropTemp_BeingMade has a session make the database when it is to be dropped:
// it is ended first, or the database would be there afterwards.
func TestDropTemp_BeingMade(t *testing.T) {
	s := newSite(t, "")
	const name = TempPrefix + "being-made"
	admin, err := s.settings(s.User()).Open(t.Context(), "postgres", "odx test")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	maker, locker := s.connect("postgres"), s.connect("postgres")
	s.exec(locker, "BEGIN; LOCK TABLE pg_database IN SHARE MODE")
	made := make(chan error, 1)
	go func() {
		_, err := maker.Exec(t.Context(), creation(name))
		made <- err
	}()
	s.waitFor(`SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query = '` + creation(name) + `' AND wait_event_type = 'Lock')`)
	if err := DropTemp(t.Context(), s.settings(s.User()), admin, name); err != nil {
		t.Error(err)
	}
	s.exec(locker, "COMMIT")
	if server.SQLState(<-made) != "57P01" { // admin_shutdown
		t.Error("the session that makes the database was not ended")
	}
	s.nothingLeft()
}

// TestDropTemp_CutOff drops a database whose removal was cut off once, by a
// crash of the server or a full disk, as the server itself marks it.
func TestDropTemp_CutOff(t *testing.T) {
	s := newSite(t, "")
	const name = TempPrefix + "cut-off"
	s.exec(s.admin, "CREATE DATABASE "+quote(name))
	s.exec(s.admin, "UPDATE pg_database SET datconnlimit = -2 WHERE datname = '"+name+"'")
	admin, err := s.settings(s.User()).Open(t.Context(), "postgres", "odx test")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := DropTemp(t.Context(), s.settings(s.User()), admin, name); err != nil {
		t.Error(err)
	}
	if names, err := Leftovers(t.Context(), admin); err != nil || len(names) > 0 {
		t.Errorf("left over: %+v %v", names, err)
	}
}
