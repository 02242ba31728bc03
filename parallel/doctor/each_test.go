package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"odx/parallel/pgcluster"
	"odx/parallel/server"
)

// opener opens a session as a role.
type opener func(user string) *server.Session

// onEach runs a test on a new server of each kind: the machine's own and those of
// ODX_TEST_PG. Change adds to its settings.
func onEach(t *testing.T, change map[string]string, test func(*testing.T, opener)) {
	for _, bin := range append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...) {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			settings := map[string]string{"max_prepared_transactions": "2"}
			for name, value := range change {
				settings[name] = value
			}
			c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: bin, Settings: settings})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := c.Stop(); err != nil {
					t.Error(err)
				}
			})
			test(t, func(user string) *server.Session {
				s, err := settingsOf(c, user).Open(t.Context(), "postgres", "odx test")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				return s
			})
		})
	}
}
