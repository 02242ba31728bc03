package convert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
)

// linkOut puts a link to a secret into the place of a file of a backup.
func linkOut(t *testing.T, backup, name, content string) {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "shadow")
	path := filepath.Join(backup, name)
	if err := os.WriteFile(secret, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, path); err != nil {
		t.Fatal(err)
	}
}

// TestLinksBeside has files beside the archive that are links out of the backup:
// inspect and convert refuse it, verify says that it is damaged, and none of
// them shows what the link leads to.
func TestLinksBeside(t *testing.T) {
	for _, name := range []string{dumpfmt.ManifestFile, dumpfmt.RecordFile} {
		dir := t.TempDir()
		backup := filepath.Join(dir, "backup")
		if err := os.CopyFS(filepath.Join(backup, dumpfmt.ArchiveDir), os.DirFS(testdata+"/pg15/cellar")); err != nil {
			t.Fatal(err)
		}
		linkOut(t, backup, name, `{"odx_format": "root:hash"}`)
		_, err1 := Inspect(t.Context(), backup)
		_, err2 := Run(t.Context(), Options{Source: backup, Target: filepath.Join(dir, "x.zip"), TargetLayout: dumpfmt.LayoutZip})
		for _, err := range []error{err1, err2} {
			if !errors.Is(err, dumpfmt.ErrFormat) || strings.Contains(err.Error(), "root:hash") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r := verify(t, backup); r.Verdict != Damaged {
			t.Errorf("%s: verified as %v", name, r.Verdict)
		}
		if _, err := os.Lstat(filepath.Join(dir, "x.zip")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a zip is there: %v", name, err)
		}
	}
}

// TestLinkedStore takes a filestore by a user's link, says so, and refuses a link
// to a folder of something else.
func TestLinkedStore(t *testing.T) {
	dir, store := t.TempDir(), filepath.Join(t.TempDir(), "store")
	backup := filepath.Join(dir, "backup")
	const file = "ab/ab00000000000000000000000000000000000000"
	if err := errors.Join(os.CopyFS(filepath.Join(backup, dumpfmt.ArchiveDir), os.DirFS(testdata+"/pg15/cellar")),
		os.MkdirAll(filepath.Join(store, "ab"), 0o700), os.WriteFile(filepath.Join(store, file), []byte("x"), 0o600),
		os.Symlink(store, filepath.Join(backup, dumpfmt.FilestoreDir))); err != nil {
		t.Fatal(err)
	}
	r := convert(t, Options{Source: backup, Target: filepath.Join(dir, "x.zip"), RestrictKey: key})
	if r.Files != 1 || !strings.Contains(strings.Join(r.Notes, "\n"), "is a link: its files are those in "+store) {
		t.Errorf("%d files, notes %q", r.Files, r.Notes)
	}
	wantFinding(t, "link", verify(t, backup), oddStore, store)
	if in, err := Inspect(t.Context(), backup); err != nil || in.Filestore == nil || in.Filestore.Files != 1 {
		t.Errorf("inspected as %+v, %v", in, err)
	}
	if err := os.WriteFile(filepath.Join(store, "id_rsa"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{Source: backup, Target: filepath.Join(dir, "y.zip"), TargetLayout: dumpfmt.LayoutZip}); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("keys: %v", err)
	}
	wantFinding(t, "keys", verify(t, backup), badStore, "id_rsa")
}

// TestFilesMissing converts a backup that has lost a file since it was made.
func TestFilesMissing(t *testing.T) {
	dir := t.TempDir()
	backup := filepath.Join(dir, "backup")
	record := `{"odx_format": 1, "filestore": {"files": 3}}`
	if err := errors.Join(os.CopyFS(filepath.Join(backup, dumpfmt.ArchiveDir), os.DirFS(testdata+"/pg15/cellar")),
		os.MkdirAll(filepath.Join(backup, dumpfmt.FilestoreDir, "ab"), 0o700),
		os.WriteFile(filepath.Join(backup, dumpfmt.FilestoreDir, "ab", "ab"), nil, 0o600),
		os.WriteFile(filepath.Join(backup, dumpfmt.RecordFile), []byte(record), 0o600)); err != nil {
		t.Fatal(err)
	}
	r := convert(t, Options{Source: backup, Target: filepath.Join(dir, "x.zip"), RestrictKey: key})
	if r.FilesMissing != 2 || !strings.Contains(strings.Join(r.Notes, "\n"), "has 1 files, and odx.json says that it had 3") {
		t.Errorf("%d missing, notes %q", r.FilesMissing, r.Notes)
	}
}

// TestFilestoreMissing loses all of the filestore of a folder that was made of a
// zip, with a list of its members and without.
func TestFilestoreMissing(t *testing.T) {
	for name, first := range map[string]string{"as odx orders it": "", "with a list": "readme"} {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		members := []member{{"dump.sql", scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]}, {"filestore/a0/a1", []byte("x")}, {"filestore/a0/a2", []byte("y")}}
		if first != "" {
			members = append([]member{{first, []byte("x")}}, members...)
		}
		makeZip(t, at("0.zip"), members)
		convert(t, Options{Source: at("0.zip"), Target: at("1"), Compression: DefaultCompression})
		if v := verify(t, at("1")); v.Verdict == Damaged {
			t.Errorf("%s: %s", name, describe(v))
		}
		if err := os.RemoveAll(at("1/filestore")); err != nil {
			t.Fatal(err)
		}
		if v := verify(t, at("1")); v.Verdict != Damaged {
			t.Errorf("%s, without its filestore: %s", name, describe(v))
		}
		if r := convert(t, Options{Source: at("1"), Target: at("2.zip")}); r.FilesMissing != 2 || len(r.Notes) == 0 {
			t.Errorf("%s: %d missing, notes %q", name, r.FilesMissing, r.Notes)
		}
	}
}

// TestManifestAdded gives a manifest to a zip made of the folder of one that had
// none, and other members than odx would order so.
func TestManifestAdded(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	makeZip(t, at("0.zip"), []member{{"readme", []byte("x")}, {"dump.sql", scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]}})
	convert(t, Options{Source: at("0.zip"), Target: at("1"), Compression: DefaultCompression})
	if err := os.WriteFile(at("m.json"), []byte(`{"odoo_dump": "1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	convert(t, Options{Source: at("1"), Target: at("2.zip"), Manifest: at("m.json"), Check: true})
	members := readZip(t, at("2.zip"), false)
	if last := members[len(members)-1]; last.name != dumpfmt.ManifestFile || string(last.text) != `{"odoo_dump": "1"}` {
		t.Errorf("last member %s: %s", last.name, last.text)
	}
}
