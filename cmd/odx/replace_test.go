package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestRestore_Force replaces a database: refused, then kept, then removed. Where
// the old ones are is said beside the JSON too.
func TestRestore_Force(t *testing.T) { onServers(t, testRestoreForce) }

func testRestoreForce(t *testing.T, w *world) {
	backup := makeBackup(t, w)
	w.drop(t, "again")
	restore := func(args ...string) result {
		return w.odx(t, append([]string{"restore", backup, "again", "--data-dir", w.data, "--owner", odooRole, "--analyze=false"}, args...)...)
	}
	restore().want(t, exitOK)
	restore().want(t, exitFailed, "exists already", "odx: hint:", "--force")
	w.exec(t, "again", "CREATE TABLE the_old ()")

	r := restore("--force", "--keep-old", "--json")
	r.want(t, exitOK, "odx: the old database is kept as again-old-", "odx: the old filestore is kept in ")
	var out struct {
		Report struct {
			Replaced struct {
				KeptAs        string `json:"kept_as"`
				KeptFilestore string `json:"kept_filestore"`
			} `json:"replaced"`
		} `json:"report"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatal(err)
	}
	kept := out.Report.Replaced
	w.exec(t, "postgres", `ALTER DATABASE "`+kept.KeptAs+`" IS_TEMPLATE false`)
	w.drop(t, kept.KeptAs)
	if kept.KeptFilestore != w.filestore(kept.KeptAs) || !strings.HasPrefix(kept.KeptAs, "again-old-") {
		t.Errorf("kept %+v", kept)
	}
	if got, want := len(entries(t, kept.KeptFilestore)), len(entries(t, w.filestore("again"))); got != want {
		t.Errorf("%d entries are kept of the filestore, want %d", got, want)
	}
	w.exec(t, kept.KeptAs, "DROP TABLE the_old")

	restore("--force").want(t, exitOK, "replaced   the old database")
	w.exec(t, "again", "CREATE TABLE the_old ()") // is not there
	w.nothingLeft(t)
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
