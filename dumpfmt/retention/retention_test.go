package retention

import (
	"archive/zip"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"odx/dumpfmt"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// record is that of a dump of a database with a data file and a filestore.
func record(database string, started time.Time) *dumpfmt.Record {
	return &dumpfmt.Record{
		Format: dumpfmt.RecordFormat, Started: started, Finished: started.Add(time.Minute),
		Database: dumpfmt.DatabaseRecord{Name: database},
		Archive: dumpfmt.ArchiveRecord{Bytes: 7, DataFiles: []dumpfmt.FileDigest{
			{Name: "toc.dat", Bytes: 3}, {Name: "1.dat.gz", Bytes: 4},
		}},
		Filestore: &dumpfmt.FilestoreRecord{Files: 1, Bytes: 4},
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, r *dumpfmt.Record) string {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// folder makes a backup in the fast layout; its files' times say nothing.
func folder(t *testing.T, path string, r *dumpfmt.Record) {
	t.Helper()
	write(t, filepath.Join(path, "dump/toc.dat"), "toc")
	write(t, filepath.Join(path, "dump/1.dat.gz"), "data")
	write(t, filepath.Join(path, "filestore/ab/abcd"), "file")
	write(t, filepath.Join(path, "odx.json"), encode(t, r))
}

// zipFile makes a zip; a nil record leaves odx's members out.
func zipFile(t *testing.T, path string, r *dumpfmt.Record, names ...string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	add := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		add(name, "text")
	}
	if r != nil {
		add("odx/odx.json", encode(t, r))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

// days gives backups of one database, made at 01:00 UTC that many days ago.
func days(database string, ago ...int) (list []Backup) {
	for _, n := range ago {
		at := now.AddDate(0, 0, -n).Add(-11 * time.Hour)
		list = append(list, Backup{Path: fmt.Sprintf("%s-%d", database, n), Database: database, Started: at, Finished: at.Add(time.Hour)})
	}
	return list
}

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

func TestDecide(t *testing.T) {
	lossy := func(list []Backup, n int) []Backup {
		for i := range n {
			list[i].Losses = 1
		}
		return list
	}
	twice := days("a", 0, 0, 1)
	twice[1].Started, twice[1].Finished = twice[1].Started.Add(-time.Hour), twice[1].Finished.Add(-time.Hour)
	twice[1].Path = "a-0-earlier"
	partial := func(list []Backup) []Backup {
		for i := range list {
			list[i].Path += "-partial"
			list[i].NoFilestore, list[i].Excluded = i%2 == 0, []string{"mail_*"}[:i%2]
		}
		return list
	}
	tests := []struct {
		name    string
		backups []Backup
		policy  Policy
		want    []string
	}{
		{"last", days("a", 0, 1, 2, 3), Policy{Last: 2}, []string{"a-0", "a-1"}},
		{"order given is nothing", days("a", 3, 0, 2, 1), Policy{Last: 2}, []string{"a-0", "a-1"}},
		{"more than there are", days("a", 0, 1), Policy{Last: 9}, []string{"a-0", "a-1"}},
		{"newest of a day", twice, Policy{Daily: 5}, []string{"a-0", "a-1"}},
		{"days without a backup do not count", days("a", 40, 41, 50, 60), Policy{Daily: 3}, []string{"a-40", "a-41", "a-50"}},
		// 25 November 2026 is a Wednesday: weeks end 3, 10, 17 days ago.
		{"weekly", days("a", upTo(30)...), Policy{Weekly: 3}, []string{"a-0", "a-3", "a-10"}},
		{"monthly", days("a", upTo(70)...), Policy{Monthly: 3}, []string{"a-0", "a-25", "a-56"}},
		{"all together", days("a", upTo(70)...), Policy{Daily: 2, Weekly: 2, Monthly: 2}, []string{"a-0", "a-1", "a-3", "a-25"}},
		{"least number", days("a", upTo(20)...), Policy{Monthly: 1, Min: 3}, []string{"a-0", "a-1", "a-2"}},
		{"databases apart", append(days("a", 0, 1), days("b", 30, 31)...), Policy{Last: 1}, []string{"a-0", "b-30"}},
		{"partial ones apart", append(partial(days("a", 0, 1, 2, 3)), days("a", 4, 5)...), Policy{Last: 1}, []string{"a-4", "a-1-partial", "a-0-partial"}},
		{"never the last", days("a", 900), Policy{Daily: 1}, []string{"a-900"}},
		{"never the last without losses", lossy(days("a", upTo(6)...), 4), Policy{Last: 2}, []string{"a-0", "a-1", "a-4"}},
		{"all with losses", lossy(days("a", 0, 1, 2), 3), Policy{Last: 1}, []string{"a-0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.policy.Location = time.UTC
			if err := Decide(tt.backups, tt.policy); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range tt.backups {
				if len(b.Keep) > 0 {
					got = append(got, b.Path)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("kept %q, want %q", got, tt.want)
			}
		})
	}
}

// TestDecide_Location tells days by the clock on the wall.
func TestDecide_Location(t *testing.T) {
	list := days("a", 0, 0)
	list[1].Started = list[1].Started.Add(-30 * time.Minute) // 00:30 UTC
	list[1].Path = "earlier"
	west := time.FixedZone("west", -45*60) // 00:15 and 23:45 the day before
	if err := Decide(list, Policy{Daily: 2, Location: west}); err != nil {
		t.Fatal(err)
	}
	if len(list[0].Keep) == 0 || len(list[1].Keep) == 0 {
		t.Errorf("kept %q and %q", list[0].Keep, list[1].Keep)
	}
}

// TestDecide_Copies keeps or gives up what was made of one dump as one.
func TestDecide_Copies(t *testing.T) {
	list := days("a", 0, 1, 1, 2)
	list[2].Path = "a-1.zip"
	if err := Decide(list, Policy{Last: 2}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, true, false} {
		if got := len(list[i].Keep) > 0; got != want {
			t.Errorf("%s kept: %v", list[i].Path, got)
		}
	}
}

// TestDecide_Always has one rule for whatever backups and policy there are: the
// newest of each database stays, and the newest without losses, and no fewer
// than the least number; who is older than others of the day never takes their place.
func TestDecide_Always(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var list []Backup
		for range 1 + random.IntN(40) {
			at := now.Add(-time.Duration(random.IntN(24*400)) * time.Hour)
			list = append(list, Backup{Database: string("abc"[random.IntN(3)]), Started: at, Finished: at, Losses: int64(random.IntN(2))})
		}
		p := Policy{random.IntN(3), random.IntN(3), random.IntN(3), random.IntN(3), 1 + random.IntN(4), time.UTC}
		if err := Decide(list, p); err != nil {
			t.Fatal(err)
		}
		all, kept := map[string]int{}, map[string]int{}
		newest, whole := map[string]bool{}, map[string]bool{}
		for _, b := range list {
			all[b.Database]++
			if len(b.Keep) > 0 {
				kept[b.Database]++
			}
			if !newest[b.Database] && len(b.Keep) == 0 || !whole[b.Database] && b.Losses == 0 && len(b.Keep) == 0 {
				t.Fatalf("%+v does not keep the last: %+v", p, list)
			}
			newest[b.Database] = true
			whole[b.Database] = whole[b.Database] || b.Losses == 0
		}
		for name := range maps.Keys(all) {
			if kept[name] < min(p.Min, all[name]) {
				t.Fatalf("%+v keeps %d of %d", p, kept[name], all[name])
			}
		}
	}
}

func TestPrune_NoPolicy(t *testing.T) {
	dir := t.TempDir()
	folder(t, filepath.Join(dir, "one"), record("a", now))
	folder(t, filepath.Join(dir, "two"), record("a", now.Add(-time.Hour)))
	if _, err := Prune(t.Context(), Options{Folder: dir, Now: now}); !errors.Is(err, ErrNoPolicy) {
		t.Errorf("no policy: %v", err)
	}
	if _, err := Prune(t.Context(), Options{Folder: dir, Now: now, Policy: Policy{Last: 1, Daily: -1}}); err == nil {
		t.Error("a negative number was taken")
	}
	wantNames(t, dir, "one", "two")
}

// TestPrune removes old folders and zips, and nothing that only looks like one.
func TestPrune(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	old := now.AddDate(0, -1, 0)
	folder(t, at("new"), record("a", now.Add(-time.Hour)))
	folder(t, at("old"), record("a", old))
	zipFile(t, at("old.zip"), record("a", old.Add(-time.Hour)), "dump.sql", "filestore/ab/abcd")
	folder(t, at("b-only"), record("b", old))

	folder(t, at("no-record"), record("a", old))
	must(t, os.Remove(at("no-record/odx.json")))
	folder(t, at("bad-record"), record("a", old))
	write(t, at("bad-record/odx.json"), `{"odx_format": 1, "started": 7`)
	folder(t, at("no-toc"), record("a", old))
	must(t, os.Remove(at("no-toc/dump/toc.dat")))
	folder(t, at("short"), record("a", old))
	write(t, at("short/dump/1.dat.gz"), "dat")
	folder(t, at("no-files"), record("a", old))
	must(t, os.RemoveAll(at("no-files/filestore")))
	folder(t, at("future"), record("a", now.AddDate(1, 0, 0)))
	unnamed := record("", old)
	folder(t, at("unnamed"), unnamed)
	backwards := record("a", old)
	backwards.Finished = old.Add(-time.Second)
	folder(t, at("backwards"), backwards)
	evil := record("a", old)
	evil.Archive.DataFiles[0].Name = "../../new/odx.json"
	folder(t, at("evil"), evil)
	zipFile(t, at("foreign.zip"), nil, "dump.sql")
	zipFile(t, at("empty.zip"), record("a", old), "dump.sql")
	write(t, at("cut.zip"), "PK\x03\x04 cut")
	must(t, os.Symlink("old", at("link")))
	elsewhere := t.TempDir()
	folder(t, filepath.Join(elsewhere, "far"), record("a", old.AddDate(-1, 0, 0)))
	must(t, os.Symlink(filepath.Join(elsewhere, "far"), at("link-out")))
	folder(t, at("linked-dump"), record("a", old))
	must(t, os.RemoveAll(at("linked-dump/dump")), os.Symlink("../old/dump", at("linked-dump/dump")))

	write(t, at("notes.txt"), "no backup")
	write(t, at("pictures/a.jpg"), "no backup")
	zipFile(t, at("pictures.zip"), nil, "a.jpg")
	folder(t, at("odx-tmp-old-0123456789"), record("a", old.AddDate(0, 0, -3)))
	folder(t, at("deeper/old"), record("a", old.AddDate(0, 0, -3)))

	before := names(t, dir)
	r, err := Prune(t.Context(), Options{Folder: dir, Now: now, Policy: Policy{Last: 1}, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if kept, others := r.Count(); kept != 2 || others != 2 {
		t.Errorf("%d kept, %d others: %+v", kept, others, r.Backups)
	}
	wantNames(t, dir, before...)
	var removed []string
	r, err = Prune(t.Context(), Options{Folder: dir, Now: now, Policy: Policy{Last: 1},
		Removed: func(b *Backup) { removed = append(removed, filepath.Base(b.Path)) }})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(removed, []string{"old.zip", "old"}) {
		t.Errorf("removed %q, want the oldest first", removed)
	}
	wantNames(t, dir, slices.DeleteFunc(before, func(n string) bool { return n == "old" || n == "old.zip" })...)
	wantNames(t, filepath.Join(elsewhere, "far"), "dump", "filestore", "odx.json")
	reasons := map[string]string{}
	for _, l := range r.Left {
		reasons[filepath.Base(l.Path)] = l.Reason
	}
	for name, word := range map[string]string{
		"no-record": "no odx.json", "bad-record": "odx.json", "no-toc": "toc.dat is missing", "short": "3 bytes instead of 4",
		"no-files": "filestore/ is missing", "future": "future", "unnamed": "no database", "backwards": "no time",
		"evil": "no name of a data file", "foreign.zip": "no odx.json", "empty.zip": "filestore", "cut.zip": "cut.zip",
		"link": "link", "link-out": "link", "linked-dump": "dump is no folder",
	} {
		if !strings.Contains(reasons[name], word) {
			t.Errorf("%s: left because %q, want %q", name, reasons[name], word)
		}
		delete(reasons, name)
	}
	if len(reasons) > 0 {
		t.Errorf("left too: %q", reasons)
	}
}

// TestPrune_Neighbours removes a backup whose files another one has too.
func TestPrune_Neighbours(t *testing.T) {
	dir := t.TempDir()
	folder(t, filepath.Join(dir, "old"), record("a", now.AddDate(0, 0, -9)))
	folder(t, filepath.Join(dir, "new"), record("a", now.AddDate(0, 0, -1)))
	shared := filepath.Join(dir, "new/filestore/ab/abcd")
	must(t, os.Remove(shared), os.Link(filepath.Join(dir, "old/filestore/ab/abcd"), shared))
	before, err := os.Stat(shared)
	must(t, err)
	if _, err := Prune(t.Context(), Options{Folder: dir, Now: now, Policy: Policy{Daily: 1}}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "new")
	after, err := os.Stat(shared)
	if err != nil || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) || after.Size() != 4 {
		t.Errorf("the neighbour's file was changed: %v, %v", after, err)
	}
}

// TestPrune_CutOff: a copy that lacks files of the filestore makes no other backup go,
// and one that nothing goes for is not counted.
func TestPrune_CutOff(t *testing.T) {
	dir := t.TempDir()
	at := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	for days := range 4 {
		r := record("prod", at(days))
		if days < 2 {
			r.Filestore.Files = 2
		}
		folder(t, filepath.Join(dir, fmt.Sprint(days)), r)
	}
	cut := record("alone", now)
	cut.Filestore.Files = 2
	folder(t, filepath.Join(dir, "alone"), cut)
	report, err := Prune(t.Context(), Options{Folder: dir, Policy: Policy{Last: 1}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Left) != 2 || !strings.Contains(report.Left[0].Reason, "1 files are in filestore/, and odx.json counts 2") {
		t.Errorf("left: %+v", report.Left)
	}
	for _, b := range report.Backups {
		if len(b.Keep) > 1 {
			t.Errorf("%s is kept: %q", b.Path, b.Keep)
		}
	}
	wantNames(t, dir, "0", "1", "2", "alone")
}

// TestPrune_InUse leaves a backup that somebody works on, and removes the others.
func TestPrune_InUse(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		folder(t, filepath.Join(dir, fmt.Sprint(i)), record("a", now.AddDate(0, 0, -i)))
	}
	use, err := dumpfmt.Use(filepath.Join(dir, "2"))
	must(t, err)
	defer use.Close()
	r, err := Prune(t.Context(), Options{Folder: dir, Now: now, Policy: Policy{Last: 1}})
	must(t, err)
	wantNames(t, dir, "0", "2")
	if len(r.Left) != 1 || !strings.Contains(r.Left[0].Reason, "in use") {
		t.Errorf("left: %+v", r.Left)
	}
}

func TestScan_BackupItself(t *testing.T) {
	dir := t.TempDir()
	folder(t, dir, record("a", now))
	if _, err := Prune(t.Context(), Options{Folder: dir, Now: now, Policy: Policy{Last: 1}}); err == nil || !strings.Contains(err.Error(), "backup itself") {
		t.Errorf("a backup as the folder: %v", err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
