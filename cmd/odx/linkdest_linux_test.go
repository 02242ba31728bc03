package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"odx/bench"
	"odx/parallel/dump"
)

// TestLinkDest makes one backup after the other: each links the files that have
// not changed, is whole by itself, and outlives the earlier one.
func TestLinkDest(t *testing.T) { onServers(t, testLinkDest) }

func testLinkDest(t *testing.T, w *world) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	store := at("store")
	if err := os.CopyFS(store, os.DirFS(w.filestore(sourceDB))); err != nil {
		t.Fatal(err)
	}
	code := exitOK
	take := func(name string, args ...string) (dump.Report, result) {
		t.Helper()
		var d dump.Report
		r := w.odx(t, append([]string{"dump", sourceDB, at(name), "--filestore", store, "--json", "-j2"}, args...)...)
		r.want(t, code)
		r.report(t, &d)
		if err := bench.CompareTrees(store, filepath.Join(at(name), "filestore")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return d, r
	}
	if d, _ := take("plain"); d.Record.Filestore.SHA1 != nil {
		t.Errorf("without being asked: %+v", d.Record.Filestore.SHA1)
	}
	first, r := take("first", "--link-dest", at("plain"))
	r.want(t, exitOK, "no files are linked", "--verify-filestore")
	named := first.Record.Filestore.Named
	if s := first.Record.Filestore.SHA1; s.Linked != 0 || s.Copied < named || s.Wrong != 0 || linkedFiles(t, at("plain"), at("first")) != 0 {
		t.Errorf("first: %+v", s)
	}

	damaged := damageOne(t, store)
	code = exitLosses // the database names it
	second, r := take("second", "--link-dest", at("first"))
	r.want(t, code, "do not have the SHA-1")
	if f := second.Record.Filestore; f.Damaged != 1 || !slices.Contains(f.Lost, damaged) {
		t.Errorf("second: %+v", f)
	}
	w.odx(t, "dump", sourceDB, at("strict"), "--filestore", store, "--verify-filestore", "--strict").want(t, exitFailed, damaged)
	s := second.Record.Filestore.SHA1
	if s.Linked != named-1 || s.Wrong != 1 || len(s.Files) != 1 || s.Files[0] != damaged {
		t.Errorf("second: %+v; %d named, damaged is %s", s, named, damaged)
	}
	third, _ := take("third", "--link-dest", at("second"))
	if s := third.Record.Filestore.SHA1; s.Linked != named-1 || s.Wrong != 1 {
		t.Errorf("third: %+v", s)
	}
	if n := linkedFiles(t, at("first"), at("third")); n != named-1 {
		t.Errorf("%d files are shared with the first backup, want %d", n, named-1)
	}
	w.odx(t, "prune", dir, "--keep-last", "1").want(t, exitOK)
	wantExactly(t, dir, "first", "third", "store") // the newest without losses stays as well
	if err := bench.CompareTrees(store, filepath.Join(at("third"), "filestore")); err != nil {
		t.Error(err)
	}
}

// damageOne changes a byte of a file of a filestore, and leaves size and time
// as they are. It gives the file's store_fname.
func damageOne(t *testing.T, store string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(store, "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == 0 {
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil {
			text[0] ^= 1
			err = os.WriteFile(path, text, 0o600)
		}
		if err == nil {
			err = os.Chtimes(path, info.ModTime(), info.ModTime().Add(1e9)) // as a later write would
		}
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
	}
	t.Fatal("no file to damage")
	return ""
}

// linkedFiles counts the files that two backups share.
func linkedFiles(t *testing.T, a, b string) (n int64) {
	t.Helper()
	store := filepath.Join(a, "filestore")
	err := filepath.WalkDir(store, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(store, path)
		one, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if two, err := os.Lstat(filepath.Join(b, "filestore", rel)); err == nil && os.SameFile(one, two) {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLinkDest_Refused says why nothing can be linked, and leaves nothing.
func TestLinkDest_Refused(t *testing.T) { onServers(t, testLinkDestRefused) }

func testLinkDestRefused(t *testing.T, w *world) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	w.odx(t, "dump", sourceDB, at("first"), "--data-dir", w.data, "--verify-filestore").want(t, exitOK)
	w.odx(t, "dump", sourceDB, at("zip.zip"), "--data-dir", w.data).want(t, exitOK)
	if err := os.Symlink("first", at("latest")); err != nil {
		t.Fatal(err)
	}
	try := func(target string, args ...string) result {
		return w.odx(t, append([]string{"dump", sourceDB, target, "--data-dir", w.data}, args...)...)
	}
	try(at("none"), "--link-dest", at("nothing")).want(t, exitFailed, "nothing", "leave it out")
	try(at("none"), "--link-dest", at("zip.zip")).want(t, exitFailed, "Odoo zip")
	try(at("none"), "--link-dest", dir).want(t, exitFormat, "no dump in this folder")
	try(at("none.zip"), "--link-dest", at("first")).want(t, exitUsage, "into a folder")
	try("-", "--verify-filestore").want(t, exitUsage, "into a folder")
	other := smallDisk(t, "64m")
	try(filepath.Join(other, "none"), "--link-dest", at("first")).want(t, exitFailed, "one file system")
	wantExactly(t, other)
	try(at("second"), "--link-dest", at("latest")).want(t, exitOK, "linked from the earlier backup")
	wantExactly(t, dir, "first", "latest", "second", "zip.zip")
	if linkedFiles(t, at("first"), at("second")) == 0 {
		t.Error("nothing was linked by way of a link to the backup")
	}
}
