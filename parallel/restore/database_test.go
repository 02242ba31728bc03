package restore

import (
	"testing"
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
