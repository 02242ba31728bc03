package restore

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRun_ExtensionNotAllowed has extensions that a role without superuser may not
// create: left out where nothing depends on them, and a refusal where something
// does.
func TestRun_ExtensionNotAllowed(t *testing.T) {
	for _, bin := range binDirs() {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			s := newSite(t, bin)
			s.exec(s.admin, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN CREATEDB")
			restore := func(sql ...string) (*Report, error) {
				backup := s.backup(append([]string{"CREATE EXTENSION cube; CREATE EXTENSION earthdistance; COMMENT ON EXTENSION earthdistance IS 'far'"}, sql...)...)
				s.drop("source")
				r := s.newRun(backup)
				r.Server, r.Filestore = s.settings("modest"), ""
				return r.do(t.Context())
			}
			report, err := restore("CREATE TABLE boxes (box cube); INSERT INTO boxes VALUES ('(1,2)')")
			if err != nil {
				t.Fatal(err)
			}
			if want := []Omission{{Entry: "EXTENSION earthdistance", Reason: notAllowed}}; !slices.Equal(report.LeftOut, want) {
				t.Errorf("left out: %v, want %v", report.LeftOut, want)
			}
			if text := strings.Join(report.Warnings, "\n"); !strings.Contains(text, "EXTENSION earthdistance") || !strings.Contains(text, "may not create it") {
				t.Errorf("warnings: %s", text)
			}
			if got := s.one(s.connect("target"), "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"); got != "cube pg_trgm plpgsql" {
				t.Errorf("extensions: %s", got)
			}
			s.drop("target")
			for name, sql := range map[string]string{
				"column":   "CREATE TABLE places (at earth)",
				"view":     "CREATE VIEW far AS SELECT earth() AS radius",
				"default":  "CREATE TABLE radii (r float8 DEFAULT earth())",
				"index":    "CREATE TABLE radii (r float8); CREATE INDEX ON radii ((r / earth()))",
				"function": "CREATE FUNCTION far(earth) RETURNS int LANGUAGE sql AS 'SELECT 1'",
			} {
				var refused *ExtensionError
				if _, err := restore(sql); !errors.As(err, &refused) || refused.Name != "earthdistance" {
					t.Errorf("%s: %v", name, err)
				}
				s.nothingLeft()
			}
		})
	}
}
