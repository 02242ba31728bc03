package restore

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestRun_CrashAtCommit has the server crash when all lacks nothing but the commit.
// It is back at once, and odx asks it what became of that; or after odx has given
// up, and then nothing is taken away that tells what belongs where.
func TestRun_CrashAtCommit(t *testing.T) {
	s := crashingSite(t, binDirs()[0])
	backup := s.backup()
	defer func(d time.Duration) { patience = d }(patience)
	crash := func(backAt string) (err error) {
		r := s.newReplacement(backup)
		r.hook = func(step string) {
			if step == "files in place" {
				err = errors.Join(err, s.Crash())
			}
			if step == backAt {
				err = errors.Join(err, s.Restart(t.Context()))
			}
		}
		_, failure := r.do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.reconnect()
		return failure
	}

	err := crash("files in place")
	if !errors.Is(err, errUnsure) || errors.As(err, new(*UnsureError)) {
		t.Errorf("back at once: %v", err)
	}
	s.wantOld("target", "target", true)
	s.wantDatabases("target")
	s.wantFolders("target")

	patience = 2 * time.Second
	err = crash("unsure")
	var unsure *UnsureError
	if !errors.As(err, &unsure) || !strings.Contains(err.Error(), "odx clean --yes") {
		t.Fatalf("back too late: %v", err)
	}
	s.wantDatabases(unsure.Database, "target")
	s.cleanAll(t)
	s.wantOld("target", "target", true)
	s.wantDatabases("target")
	s.wantFolders("target")
}
