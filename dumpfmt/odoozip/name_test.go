package odoozip

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"dump.sql", "filestore/00/00aa", "a/", "a/b/", "...", "..a", "a..", "a/.b", ".", "aa:b/c", "ünï", "a\xff", " ", "a\nb", "aux"} {
		if err := CheckName(name); (err != nil) != (name == ".") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "/", "//", "/a", "..", "../", "a/..", "a/../b", "./a", "a/.", "a//b", "a//", `a\b`, `\a`, "a\x00", "C:", "c:/a", "z:a", strings.Repeat("a", maxName+1)} {
		if CheckName(name) == nil {
			t.Errorf("%q passes", name)
		}
	}
}

// checkSafe holds a name that has passed against what that promises.
func checkSafe(t *testing.T, name string) {
	t.Helper()
	local := strings.TrimSuffix(name, "/")
	if !filepath.IsLocal(local) || filepath.Clean(local) != local || strings.ContainsAny(name, "\\\x00") {
		t.Errorf("%q passes", name)
	}
	if rel, err := filepath.Rel("/base", filepath.Join("/base", local)); err != nil || rel != local {
		t.Errorf("%q leads to %q, %v", name, rel, err)
	}
}

func TestCompare(t *testing.T) {
	want := []string{
		"dump.sql", "manifest.json", "filestore/", "filestore/00/a", "filestore/01/", "filestore/01/a", "filestore/checklist/a",
		"a", "dump.sql.bak", "log/", "log/a", "odx", "odx/", "odx/a",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Compare)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]string{
		"dump.sql": "SQL script", "manifest.json": "manifest", "filestore/x": "filestore file", "filestore/": "directory",
		"odx/x": "odx member", "x": "other file", "filestore": "other file", "a/dump.sql": "other file", "Dump.sql": "other file",
	} {
		if got := KindOf(name).String(); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestDOSTime(t *testing.T) {
	zone := time.FixedZone("", 3*3600)
	tests := []struct{ in, want time.Time }{
		{someTime, someTime},
		{someTime.Add(time.Second), someTime},
		{someTime.In(zone), someTime.Add(3 * time.Hour)},
		{time.Time{}, time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Unix(0, 0).UTC(), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(1979, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(2107, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)},
		{time.Date(2108, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)},
	}
	for _, test := range tests {
		if got := toDOS(test.in).time(); !got.Equal(test.want) {
			t.Errorf("%v is read as %v, want %v", test.in, got, test.want)
		}
	}
}
