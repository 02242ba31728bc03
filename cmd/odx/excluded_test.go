package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestExcluded makes backups without the rows of a table: both say so, and so does
// whoever looks into one or restores it.
func TestExcluded(t *testing.T) {
	w := sharedWorld(t)
	dir := t.TempDir()
	for name, database := range map[string]string{"backup": "excluded", "backup.zip": "excluded_zip"} {
		path := filepath.Join(dir, name)
		w.odx(t, "dump", sourceDB, path, "--no-filestore", "--exclude-table-data", "mail_activity").want(t, exitOK, "match mail_activity")
		if name == "backup" {
			if out := runWithoutServer(t, "inspect", path).stdout; !strings.Contains(out, "match mail_activity") {
				t.Errorf("inspect says nothing about it:\n%s", out)
			}
		}
		w.drop(t, database)
		w.odx(t, "restore", path, database, "--no-filestore").want(t, exitOK, "without the rows of tables that match mail_activity")
	}
}
