package convert

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// TestUnzip_FilesMissing converts a zip of odx's that has lost files since it was
// made.
func TestUnzip_FilesMissing(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	makeZip(t, at("0.zip"), kitchenMembers(t))
	convert(t, Options{Source: at("0.zip"), Target: at("1"), Compression: DefaultCompression})
	convert(t, Options{Source: at("1"), Target: at("2.zip"), Sidecar: true})
	for prefix, lost := range map[string]int64{"filestore/" + abcFile: 1, "filestore/": 2, "nothing": 0} {
		copyZip(t, at("2.zip"), at("3.zip"), func(name string) bool { return !strings.HasPrefix(name, prefix) })
		r := convert(t, Options{Source: at("3.zip"), Target: at("4"), Compression: DefaultCompression})
		if r.FilesMissing != lost || lost > 0 && !strings.Contains(strings.Join(r.Notes, "\n"), "says that there were 2") {
			t.Errorf("without %s: %d missing, notes %q", prefix, r.FilesMissing, r.Notes)
		}
		if err := errors.Join(os.RemoveAll(at("4")), os.Remove(at("3.zip"))); err != nil {
			t.Fatal(err)
		}
	}
}

// backupOf makes a backup in the fast layout, without a filestore. The record counts
// that many files of one, or none at all if it is negative.
func backupOf(t *testing.T, source, dir string, files int64) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, dumpfmt.ArchiveDir)
	convert(t, Options{Source: source, Target: archive, TargetLayout: dumpfmt.LayoutArchive, Compression: DefaultCompression})
	r := &dumpfmt.Record{Format: dumpfmt.RecordFormat}
	if files >= 0 {
		r.Filestore = &dumpfmt.FilestoreRecord{Files: files}
	}
	for name := range contents(t, archive) {
		d, err := dumpfmt.DigestFile(t.Context(), filepath.Join(archive, name))
		if err != nil {
			t.Fatal(err)
		}
		d.Name = name
		r.Archive.DataFiles = append(r.Archive.DataFiles, d)
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, dumpfmt.RecordFile), data)
}

// TestEmptyFilestore dumps a database whose files are all elsewhere: no zip has the
// empty folder, and nothing is damaged without it.
func TestEmptyFilestore(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	backupOf(t, testdata+"/pg15/cellar", at("0"), 0)
	if err := os.Mkdir(at("0/filestore"), 0o700); err != nil {
		t.Fatal(err)
	}
	convert(t, Options{Source: at("0"), Target: at("1.zip"), Sidecar: true, Check: true})
	convert(t, Options{Source: at("1.zip"), Target: at("2"), Compression: DefaultCompression, Check: true})
	for _, name := range []string{"0", "1.zip", "2"} {
		if v := verify(t, at(name)); v.Verdict != Whole {
			t.Errorf("%s: %s", name, describe(v))
		}
	}
	// Attachments that have files there are missed all the same.
	backupOf(t, kitchenDump, at("3"), 0)
	wantFinding(t, "rows with files", verify(t, at("3")), missingFile, "2 attachments")
}

// TestVerify_LeftOutFilestore gives the same verdict on a backup that was made without
// the filestore, whatever its layout.
func TestVerify_LeftOutFilestore(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	backupOf(t, kitchenDump, at("0"), -1)
	convert(t, Options{Source: at("0"), Target: at("1.zip"), Sidecar: true})
	convert(t, Options{Source: at("0"), Target: at("2.zip")})
	for name, want := range map[string]finding{"0": leftOut, "1.zip": leftOut, "2.zip": missingFile} {
		v := verify(t, at(name))
		wantFinding(t, name, v, want, "")
		if v.Verdict != want.severity {
			t.Errorf("%s: %s", name, describe(v))
		}
	}
}

// TestLeftOut names what lies in the archive's folder, or among odx's own members,
// and is nothing that odx knows.
func TestLeftOut(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	backupOf(t, testdata+"/pg15/cellar", at("0"), -1)
	put(t, at("0/dump/globals.sql"), []byte("CREATE ROLE odoo;"))
	for target, source := range map[string]string{"1.zip": "0", "1.sql": "0", "1": "0/dump"} {
		r := convert(t, Options{Source: at(source), Target: at(target), Sidecar: target == "1.zip", Compression: DefaultCompression})
		want := strings.TrimPrefix("dump/globals.sql", strings.TrimPrefix(source, "0/")+"/")
		if !slices.Contains(r.LeftOut, want) {
			t.Errorf("%s to %s: left out %q, want %q", source, target, r.LeftOut, want)
		}
	}
	addToZip(t, at("1.zip"), at("2.zip"), odoozip.OdxDir+"notes.txt")
	if r := convert(t, Options{Source: at("2.zip"), Target: at("2"), Compression: DefaultCompression}); !slices.Equal(r.LeftOut, []string{odoozip.OdxDir + "notes.txt"}) {
		t.Errorf("of a zip: left out %q", r.LeftOut)
	}
}

// TestRecompress_Own refuses a compression for data files that come back as they
// were.
func TestRecompress_Own(t *testing.T) {
	target := filepath.Join(t.TempDir(), "x")
	_, err := Run(t.Context(), Options{Source: goodBackups(t)["own.zip"], Target: target, TargetLayout: dumpfmt.LayoutFast, Compression: compression(t, "gzip:9"), Recompress: true})
	if !errors.Is(err, ErrOptions) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was made")
	}
}

// TestLinkedFiles has links to files within a filestore: a zip has the files in
// their place, and is the same.
func TestLinkedFiles(t *testing.T) {
	backup := goodBackups(t)["own"]
	const linked = "00/" + "00e9993e364706816aba3e25717850c26c9cd0d8"
	link := filepath.Join(backup, "filestore", linked)
	if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink("../"+abcFile, link)); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, "its content is not its name's", verify(t, backup), badContent, linked)
	target := filepath.Join(t.TempDir(), "x.zip")
	convert(t, Options{Source: backup, Target: target, Sidecar: true})
	if c := compare(t, backup, target); !c.Same || c.Files != 3 {
		t.Errorf("%+v", c)
	}
}

func TestVersionNumber(t *testing.T) {
	for text, want := range map[string]int{"15.20 (Debian 15.20-0+deb12u1)": 150020, "18beta1": 180000, "17.0": 170000, "9.6.24": 90624, "": 0, "16rc1 (x)": 160000, "10.23": 100023} {
		if got := versionNumber(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// TestZip_OldDumper makes a zip of an archive whose script odx would not read back,
// and says so.
func TestZip_OldDumper(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.CopyFS(at("0"), os.DirFS(testdata+"/pg15/cellar")); err != nil {
		t.Fatal(err)
	}
	for _, dumper := range []string{"15.", "12."} {
		want := dumper == "12."
		put(t, at("0/"+tocFile), bytes.ReplaceAll(readFile(t, at("0/"+tocFile)), []byte("15."), []byte(dumper)))
		r := convert(t, Options{Source: at("0"), Target: at(dumper + "zip")})
		if got := strings.Contains(strings.Join(r.Notes, "\n"), "that of pg_dump 12."); got != want {
			t.Errorf("pg_dump %s: notes %q", dumper, r.Notes)
		}
	}
}
