package main

import (
	"archive/zip"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/parallel/restore"
)

// upgrade is a database on its way through upgrade.odoo.com, and what came of it.
type upgrade struct {
	dir       string            // of the client: what it was given, and what it has downloaded
	zip       string            // the answer as the website gives it
	files     map[string]string // of the answer, by path in the filestore
	named     int64             // by the upgraded database
	filestore map[string]string // that the upgraded database is to have
	same      int64             // files that the answer and the old database have
}

// TestForUpgrade makes what the client sends. Its own way is the judge: pg_dump with
// the client's flags has the same entries and files, and the platform's pg_restore
// gives the same database.
func TestForUpgrade(t *testing.T) { onServers(t, testForUpgrade) }

func testForUpgrade(t *testing.T, w *world) {
	smallIn(t, w)
	dir := filepath.Join(t.TempDir(), "it's for upgrade")
	r := w.odx(t, "dump", smallDB, dir, "--data-dir", w.data, "--for-upgrade")
	quoted := "'" + strings.ReplaceAll(dir, "'", `'\''`)
	r.want(t, exitOK, "upgrade.odoo.com/upgrade) test -i "+quoted+"/origin.dump' -t ", "odx restore "+quoted+"/upgraded.dump' ", "--filestore-from "+smallDB+" --data-dir "+w.data)
	wantExactly(t, dir, "origin.dump")
	own := filepath.Join(t.TempDir(), "own.dump")
	w.tool(t, "pg_dump", "--no-owner", "--format", "d", "--jobs", "4", "--file", own, w.DSN(smallDB))
	if got, want := names(t, filepath.Join(dir, "origin.dump")), names(t, own); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if said := w.tool(t, "pg_restore", "--list", filepath.Join(dir, "origin.dump")); !strings.Contains(said, "Compression: 6\n") && !strings.Contains(said, "Compression: gzip\n") {
		t.Errorf("not gzip as pg_dump makes it: %.600s", said)
	}
	if got, want := w.entries(t, filepath.Join(dir, "origin.dump")), w.entries(t, own); got != want {
		t.Errorf("entries differ: %s", firstDifference(got, want))
	}
	for _, args := range [][]string{{dir + "2.zip"}, {"-"}, {dir + "2", "--compress", "zstd"}, {dir + "2", "--filestore", w.filestore(smallDB)},
		{dir + "2", "--link-dest", dir}, {dir + "2", "--verify-filestore"}, {dir + "2", "--metrics-file", filepath.Join(t.TempDir(), "m")}} {
		w.odx(t, append([]string{"dump", smallDB, "--for-upgrade"}, args...)...).want(t, exitUsage)
	}
	wantExactly(t, filepath.Dir(dir), filepath.Base(dir))
}

// entries lists an archive as pg_restore does, without what is said of the dump.
func (w *world) entries(t *testing.T, archive string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(w.tool(t, "pg_restore", "--list", archive)) {
		if !strings.HasPrefix(line, ";") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("%d and %d lines; %q, want %q", len(a), len(b), a[i:min(i+2, len(a))], b[min(i, len(b)):min(i+2, len(b))])
		}
	}
	return "lines are missing"
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	for _, e := range entries(t, dir) {
		list = append(list, e.Name())
	}
	return list
}

// TestRestore_Upgraded restores what came back, in every form, over the files of the
// database from before, wherever those are.
func TestRestore_Upgraded(t *testing.T) { onServers(t, testRestoreUpgraded) }

func testRestoreUpgraded(t *testing.T, w *world) {
	smallIn(t, w)
	u := makeUpgraded(t, w)
	old := w.filestore(smallDB)
	before := describeTree(t, old)
	backup := smallBackup(t, w)
	inBackup := describeTree(t, filepath.Join(backup, "filestore"))
	for name, tt := range map[string]struct {
		source, from string
		args         []string
	}{
		"folder": {filepath.Join(u.dir, "upgraded.dump"), smallDB, []string{"--hardlink"}},
		"zip":    {u.zip, old, nil},
		"custom": {filepath.Join(u.dir, "upgraded.custom.dump"), old + "/", nil},
		"packed": {filepath.Join(u.dir, "upgraded.sql.gz"), backup + "/", []string{"--hardlink"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.drop(t, "upgraded")
			r := w.odx(t, append([]string{"restore", tt.source, "upgraded", "--filestore-from", tt.from, "--data-dir", w.data,
				"--owner", odooRole, "--analyze=false", "--json", "-j2"}, tt.args...)...)
			r.want(t, exitOK)
			var rr restore.Report
			r.report(t, &rr)
			f := rr.Files
			if m := f.Merged; m == nil || m.Backup != int64(len(u.files)) || m.Same != u.same || m.Differ != 0 ||
				m.Older != int64(len(u.filestore)-len(u.files)) || f.Files != m.Backup+m.Older || f.Missing+f.Damaged != 0 || f.Named != u.named {
				t.Errorf("files %+v, merged %+v; %d of the answer, %d in all", f, f.Merged, len(u.files), len(u.filestore))
			}
			wantContents(t, w.filestore("upgraded"), u.filestore)
			if (f.Linked > 0) != slices.Contains(tt.args, "--hardlink") {
				t.Errorf("%d links", f.Linked)
			}
			if got := w.parameters(t, "upgraded")["upgraded"]; got != "yes" {
				t.Errorf("the database is not the upgraded one: %q", got)
			}
			w.wantUsable(t, "upgraded", odooRole)
		})
	}
	wantSameTree(t, old, before)
	wantSameTree(t, filepath.Join(backup, "filestore"), inBackup)
	testNoOlder(t, w, u)
}

// testNoOlder names no filestore to merge with: nothing is made.
func testNoOlder(t *testing.T, w *world, u *upgrade) {
	try := func(from string, args ...string) result {
		return w.odx(t, append([]string{"restore", u.zip, "failed", "--data-dir", w.data, "--filestore-from", from}, args...)...)
	}
	try("nobody").want(t, exitFailed, "no filestore to merge with", w.filestore("nobody"), "odx: hint: name a database")
	try(w.data).want(t, exitFailed, "no files in folders of two hexadecimal digits")
	try(u.zip).want(t, exitFailed, "not a folder; odx convert")
	try(filepath.Join(u.dir, "upgraded.dump")).want(t, exitFailed, "no files in folders")
	for _, from := range []string{".", "..", ""} {
		try(from).want(t, exitUsage, "name of a database")
	}
	w.odx(t, "restore", u.zip, "failed", "--no-filestore", "--filestore-from", smallDB).want(t, exitUsage, "--no-filestore leaves out")
	w.nothingLeft(t)
}

func makeUpgraded(t *testing.T, w *world) *upgrade {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sent")
	w.odx(t, "dump", smallDB, dir, "--data-dir", w.data, "--for-upgrade").want(t, exitOK)
	return w.platform(t, dir, smallDB)
}

// platform does what upgrade.odoo.com does with the small database, or a copy of it: it
// restores what was sent, changes it and sends it back, with the new files only.
func (w *world) platform(t *testing.T, dir, source string) *upgrade {
	t.Helper()
	u := &upgrade{dir: dir, files: map[string]string{}, filestore: map[string]string{}}
	w.drop(t, "platform")
	w.exec(t, "postgres", "DROP DATABASE IF EXISTS platform WITH (FORCE)")
	w.exec(t, "postgres", "CREATE DATABASE platform TEMPLATE template0 LC_COLLATE 'C'")
	w.tool(t, "pg_restore", "--no-owner", "--format", "d", filepath.Join(u.dir, "origin.dump"), "--dbname", w.DSN("platform"), "--jobs", "4")
	w.wantSame(t, source, "platform")
	u.filestore = contents(t, w.filestore(smallDB))
	old := slices.Sorted(maps.Keys(u.filestore))
	rel := old[slices.IndexFunc(old, func(rel string) bool { return !strings.HasPrefix(rel, "checklist/") })]
	u.files[rel], u.same = u.filestore[rel], 1
	sql := "INSERT INTO ir_config_parameter (key, value) VALUES ('upgraded', 'yes');\n"
	for i := range 20 {
		text := fmt.Sprintf("new file %d", i)
		sum := sha1.Sum([]byte(text))
		name := hex.EncodeToString(sum[:])
		u.files[name[:2]+"/"+name] = text
		sql += fmt.Sprintf("UPDATE ir_attachment SET store_fname = '%s/%s', file_size = %d WHERE id = (SELECT min(id) FROM ir_attachment WHERE store_fname IS NOT NULL) + %d;\n",
			name[:2], name, len(text), i)
	}
	maps.Copy(u.filestore, u.files)
	w.exec(t, "platform", sql)
	if err := w.connect(t, "platform").QueryRow(t.Context(), "SELECT count(DISTINCT store_fname) FROM ir_attachment WHERE store_fname IS NOT NULL").Scan(&u.named); err != nil {
		t.Fatal(err)
	}
	u.answer(t, w)
	return u
}

// answer writes the answer in its forms: as the client downloads it, beside what it
// was given, and as the website has it.
func (u *upgrade) answer(t *testing.T, w *world) {
	t.Helper()
	at := func(name string) string { return filepath.Join(u.dir, name) }
	w.tool(t, "pg_dump", "--format", "d", "--file", at("upgraded.dump"), w.DSN("platform"))
	w.tool(t, "pg_dump", "--format", "c", "--file", at("upgraded.custom.dump"), w.DSN("platform"))
	script := w.script(t, "platform")
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := os.Create(at("upgraded.sql.gz"))
	if err != nil {
		t.Fatal(err)
	}
	g := gzip.NewWriter(packed)
	write(t, g, string(text))
	closeAll(t, g, packed)
	u.zip = filepath.Join(t.TempDir(), "upgraded.zip")
	file, err := os.Create(u.zip)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(file)
	add := func(name, text string) {
		m, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, m, text)
	}
	add("dump.sql", string(text))
	for rel, text := range u.files {
		add("filestore/"+rel, text)
		if err := os.MkdirAll(filepath.Dir(at("filestore/"+rel)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at("filestore/"+rel), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	closeAll(t, z, file)
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func closeAll(t *testing.T, list ...io.Closer) {
	t.Helper()
	for _, c := range list {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestore_HardLink links a backup's files where they have the owner and mode
// that the data folder gives, and copies them otherwise. The backup is whole after
// Odoo has deleted files, and after the database is gone.
func TestRestore_HardLink(t *testing.T) { onServers(t, testRestoreHardLink) }

func testRestoreHardLink(t *testing.T, w *world) {
	smallIn(t, w)
	backup := smallBackup(t, w)
	before := describeTree(t, filepath.Join(backup, "filestore"))
	w.drop(t, "linked")
	data := t.TempDir()
	store := filepath.Join(data, "filestore", "linked")
	take := func(mode fs.FileMode) (restore.Report, result) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(store), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Dir(store), mode); err != nil {
			t.Fatal(err)
		}
		r := w.odx(t, "restore", backup, "linked", "--force", "--hardlink", "--data-dir", data, "--owner", odooRole, "--analyze=false", "--json", "-j2")
		r.want(t, exitOK)
		var rr restore.Report
		r.report(t, &rr)
		return rr, r
	}
	rr, _ := take(0o700)
	if f := rr.Files; f.Linked != f.Files || f.Files == 0 || f.Missing != 0 {
		t.Errorf("%+v", f)
	}
	if n := sharedFiles(t, filepath.Join(backup, "filestore"), store); n != rr.Files.Files {
		t.Errorf("%d files are shared, want %d", n, rr.Files.Files)
	}
	for rel := range contents(t, store) { // as the garbage collection does
		if err := os.Remove(filepath.Join(store, rel)); err != nil {
			t.Fatal(err)
		}
	}
	rr, r := take(0o755)
	r.want(t, exitOK, "were copied, not linked", "mode 0600, and is to have")
	if f := rr.Files; f.Linked != 0 || f.Missing != 0 || sharedFiles(t, filepath.Join(backup, "filestore"), store) != 0 {
		t.Errorf("%+v", f)
	}
	wantSameTree(t, filepath.Join(backup, "filestore"), before)
	w.odx(t, "verify", backup).want(t, exitOK)
}
