package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

// newFrenchSite starts a server that speaks French, if the machine has the
// means to compile the locale; else one that speaks as it can.
func newFrenchSite(t *testing.T, binDir string) *site {
	t.Helper()
	locales, err := os.MkdirTemp("", "odx-tmp-locales-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(locales) })
	if err := os.Chmod(locales, 0o755); err != nil {
		t.Fatal(err)
	}
	o := pgcluster.Options{BinDir: binDir}
	out, err := exec.CommandContext(t.Context(), "localedef", "-i", "fr_FR", "-f", "UTF-8", filepath.Join(locales, "fr_FR.UTF-8")).CombinedOutput()
	if err == nil {
		o.Locales, o.Settings = locales, map[string]string{"lc_messages": "fr_FR.UTF-8"}
	} else {
		t.Logf("no French locale: %v %s", err, out)
	}
	c, err := pgcluster.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &site{Cluster: c, t: t, data: filepath.Join(t.TempDir(), "filestore")}
	if err := os.MkdirAll(s.data, 0o755); err != nil {
		t.Fatal(err)
	}
	s.admin = s.connect("postgres")
	return s
}

// TestRun_French meets the errors that odx tells apart on a server whose
// messages are not English: the machine's own, which has translations if the machine
// has the locale.
func TestRun_French(t *testing.T) { onServers(t, testFrench) }

func testFrench(t *testing.T, here *site) {
	s := newFrenchSite(t, here.BinDir())
	_, err := s.admin.Exec(t.Context(), "SELECT * FROM nothing")
	t.Logf("the server says: %v", err)
	if err == nil || strings.HasSuffix(t.Name(), "here") && strings.Contains(err.Error(), "does not exist") {
		t.Skip("the server speaks no French")
	}
	s.exec(s.admin, "CREATE ROLE modest LOGIN CREATEDB; CREATE ROLE reader")
	backup := s.backup("CREATE EXTENSION unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE; COMMENT ON EXTENSION unaccent IS 'x'",
		"CREATE INDEX plainly ON ir_attachment (unaccent(store_fname)); GRANT SELECT ON ir_attachment TO reader")
	s.drop("source")
	s.exec(s.admin, "DROP ROLE reader")
	r := s.newRun(backup)
	r.Server, r.Filestore = s.settings("modest"), ""
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"plainly", "reader"} {
		if !strings.Contains(fmt.Sprint(report.LeftOut), want) {
			t.Errorf("left out %v lacks %s", report.LeftOut, want)
		}
	}
	r = s.newRun(backup)
	r.Filestore = ""
	if _, err := r.do(t.Context()); !errors.Is(err, ErrExists) {
		t.Errorf("the database exists: %v", err)
	}
	s.drop("target")
}

// TestPgRestoreOutput_Translated reads what pg_restore 17 says of an older
// server whose messages are French.
func TestPgRestoreOutput_Translated(t *testing.T) {
	const refused = "pg_restore: error: could not execute query: ERREUR:  paramètre de configuration « transaction_timeout » non reconnu"
	const other = "pg_restore: error: could not execute query: ERREUR:  droit refusé pour la table transaction_timeout"
	for _, tt := range []struct {
		name  string
		lines []string
		ok    bool
	}{
		{"only the setting", []string{refused, newerSetting, "pg_restore: warning: errors ignored on restore: 1"}, true},
		{"another statement", []string{refused, newerSetting, other, "Command was: COPY t FROM stdin;"}, false},
		{"an error without a statement", []string{refused, newerSetting, "pg_restore: error: ERREUR:  fin de connexion"}, false},
	} {
		stopped := false
		r := &run{target: &target{admin: &server.Session{Version: 150000}}}
		out := &pgRestoreOutput{run: r, major: 17, stop: func(error) { stopped = true }}
		for _, line := range tt.lines {
			out.line(line)
		}
		err := out.verdict(&pgtool.ExitError{Tool: "pg_restore", Code: 1})
		if (err == nil && !stopped) != tt.ok {
			t.Errorf("%s: error %v, stopped %t", tt.name, err, stopped)
		}
	}
}
