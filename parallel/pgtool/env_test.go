package pgtool

import (
	"slices"
	"testing"
)

func TestChildEnv(t *testing.T) {
	base := []string{
		"PATH=/bin", "LC_ALL=de_DE.UTF-8", "LANGUAGE=de", "LANG=de_DE.UTF-8", "PG_COLOR=always",
		"PGPASSWORD=old", "PGDATABASE=x", "PGDATABASEX=kept", "PGOPTIONS=-c a=b=c", "odd",
	}
	before := slices.Clone(base)
	got := ChildEnv(base, map[string]string{"PGPASSWORD": "new", "PGHOST": "h", "LC_ALL": "fr"}, "PGDATABASE", "PGHOST")
	want := []string{
		"PATH=/bin", "LANG=de_DE.UTF-8", "PGDATABASEX=kept", "PGOPTIONS=-c a=b=c", "odd",
		"PGHOST=h", "PGPASSWORD=new", "LC_ALL=C",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(base, before) {
		t.Errorf("base is now %q", base)
	}
}
