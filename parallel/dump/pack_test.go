package dump

import (
	"errors"
	"path/filepath"
	"testing"
)

// TestCheckRoom refuses a zip for which there is surely no room, unless nobody knows
// how much of the database is left out.
func TestCheckRoom(t *testing.T) {
	r := &run{Options: Options{Target: filepath.Join(t.TempDir(), "x.zip")}}
	r.record.Database.Bytes = 1 << 60
	if err := r.checkRoom(); !errors.Is(err, ErrNoRoom) {
		t.Errorf("got %v", err)
	}
	r.ExcludeTableData = []string{"auditlog_log"}
	if err := r.checkRoom(); err != nil || len(r.report.Warnings) != 1 {
		t.Errorf("with rows left out: got %v, warnings %q", err, r.report.Warnings)
	}
}
