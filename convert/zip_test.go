package convert

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/render"
)

// tree gives the content of all files below a folder, by path, and its empty
// folders.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(path, root)
		if e.IsDir() {
			if below, err := os.ReadDir(path); err != nil || len(below) > 0 {
				return err
			}
			files[rel+"/"] = ""
			return nil
		}
		files[rel] = string(readFile(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// member is a member of a zip as Go's archive/zip reads it.
type member struct {
	name string
	text []byte
}

// readZip reads a zip, without odx's own members unless all are wanted.
func readZip(t testing.TB, path string, all bool) (members []member) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if strings.Contains("/"+f.Name, "/"+odoozip.OdxDir) && !all {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s in %s: %v", f.Name, path, err)
		}
		members = append(members, member{f.Name, text})
	}
	return members
}

func wantMembers(t testing.TB, about string, got, want []member) {
	t.Helper()
	names := func(m []member) (list []string) {
		for _, x := range m {
			list = append(list, x.name)
		}
		return list
	}
	if g, w := names(got), names(want); !slices.Equal(g, w) {
		t.Fatalf("%s: members %q, want %q", about, g, w)
	}
	for i := range got {
		wantSame(t, about+": "+got[i].name, got[i].text, want[i].text)
	}
}

// makeStore makes a small filestore: text, noise, an empty file, a checklist, an
// empty folder.
func makeStore(t testing.TB, dir string) {
	t.Helper()
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	for name, text := range map[string]string{
		"ab/abcdef": strings.Repeat("a letter. ", 3000), "ab/ac": "", "00/0011": "\x89PNG\r\n\x1a\n" + string(noise), "checklist/ab/abcdef": "",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "checklist", "cd"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// archiveFiles gives the files of an archive's folder: as they are, but for lz4
// and zstd their text.
func archiveFiles(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := contents(t, dir)
	a := openPath(t, dir)
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if !e.HadDumper || e.IsLargeObjects() {
			continue
		}
		for _, suffix := range []string{".lz4", ".zst"} {
			if _, ok := files[e.File+suffix]; !ok {
				continue
			}
			r, err := a.Data(e)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			files[e.File+suffix] = string(text)
		}
	}
	return files
}

// TestZip_OfArchive makes a zip of every archive and the archive of the zip
// again: dump.sql is what pg_restore would print, the archive the same bytes.
func TestZip_OfArchive(t *testing.T) {
	store := t.TempDir()
	makeStore(t, store)
	for _, path := range archives(t) {
		dir := t.TempDir()
		zipped, back := filepath.Join(dir, "x.zip"), filepath.Join(dir, "back")
		made := convert(t, Options{Source: path, Target: zipped, Filestore: store, RestrictKey: key, Sidecar: true, Check: true, Jobs: 2})
		printed := convert(t, Options{Source: path, Target: filepath.Join(dir, "x.sql"), RestrictKey: key})
		if made.Tables == 0 || made.Tables != printed.Tables || made.DataBytes != printed.DataBytes {
			t.Errorf("%s: %d tables with %d bytes, in a script %d with %d", path, made.Tables, made.DataBytes, printed.Tables, printed.DataBytes)
		}
		members := readZip(t, zipped, false)
		wantSame(t, path+": dump.sql", members[0].text, script(t, path, render.Options{NoOwner: true}))
		if last := members[len(members)-1]; members[0].name != "dump.sql" || !strings.HasPrefix(last.name, "filestore/") {
			t.Errorf("%s: first %s, last %s", path, members[0].name, last.name)
		}
		convert(t, Options{Source: zipped, Target: back, Compression: DefaultCompression, Check: true, Jobs: 2})
		if got, want := tree(t, filepath.Join(back, "filestore")), tree(t, store); !maps.Equal(got, want) {
			t.Errorf("%s: filestore has %d files, want %d", path, len(got), len(want))
		}
		archive := filepath.Join(back, "dump")
		check(t, archive)
		if openPath(t, path).TOC.Header.Format == pgarchive.FormatCustom {
			wantSame(t, path+": script of the archive", script(t, archive, render.Options{NoOwner: true}), members[0].text)
			continue
		}
		if got, want := archiveFiles(t, archive), archiveFiles(t, path); !maps.Equal(got, want) {
			for name := range want {
				if got[name] != want[name] {
					t.Errorf("%s: %s differs", path, name)
				}
			}
			t.Errorf("%s: %d files of %d are the same", path, len(got), len(want))
		}
	}
}

// scripts gives plain scripts of several releases, with and without owners.
func scripts(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../dumpfmt/rebuild/testdata/*/*.sql.gz")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d scripts, %v", len(paths), err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		z, err := gzip.NewReader(bytes.NewReader(readFile(t, path)))
		if err != nil {
			t.Fatal(err)
		}
		if all[path], err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// makeZip writes a zip with Go's archive/zip.
func makeZip(t testing.TB, path string, members []member) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for i, m := range members {
		method := uint16(zip.Deflate)
		if i%2 == 1 {
			method = zip.Store
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
		if err == nil {
			_, err = w.Write(m.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestZip_Foreign takes zips that others made, of every shape, to a folder and
// back: all members come back in their order. A second time there and back goes
// by odx's own members, and gives the same folder.
func TestZip_Foreign(t *testing.T) {
	manifest := member{"manifest.json", []byte("{\n    \"odoo_dump\": \"1\"}")}
	file := func(name string) member { return member{name, []byte("content of " + name)} }
	for path, text := range scripts(t) {
		dump := member{"dump.sql", text}
		shapes := map[string][]member{
			"Odoo's":         {dump, manifest, file("filestore/b1/b2"), file("filestore/b1/b1"), file("filestore/a0/a1"), file("filestore/checklist/a0/a1")},
			"in order":       {dump, manifest, file("filestore/a0/a1"), file("filestore/b1/b2")},
			"dump only":      {dump},
			"no manifest":    {dump, file("filestore/a0/a1")},
			"folder on top":  {{"top/", nil}, file("top/filestore/a0/a1"), {"top/dump.sql", text}, {"top/manifest.json", manifest.text}},
			"with folders":   {{"filestore/", nil}, {"filestore/a0/", nil}, file("filestore/a0/a1"), manifest, dump, {"empty/", nil}},
			"other members":  {file("readme.txt"), dump, manifest, file("logs/odoo.log"), file("Readme.txt"), file("member-1"), file("filestore/a0/a1")},
			"dot on top":     {{"./", nil}, {"./dump.sql", text}, file("./readme.txt"), {"./filestore/", nil}, file("./filestore/a0/a1"), {"./manifest.json", manifest.text}},
			"dot on some":    {dump, file("./readme.txt"), manifest, file("./filestore/a0/a1"), file("filestore/b1/b2"), file("readme.txt")},
			"not UTF-8":      {file("caf\xe9.txt"), dump, file("caf\xe8.txt"), {"d\xe9p\xf4t/", nil}, file("\xff/x"), file("filestore/a0/\xe9"), file("filestore/b1/b2"), manifest},
			"not UTF-8 top":  {file("\xe9/readme.txt"), {"\xe9/dump.sql", text}, file("\xe9/filestore/a0/a1"), file("\xe8/dump.sql.txt")},
			"twice the same": {file("x"), dump, file("x"), {"x", []byte("another")}, manifest, file("filestore/a0/a1")},
		}
		if !strings.Contains(path, "pg15/") { // one release has to take every shape
			shapes = map[string][]member{"Odoo's": shapes["Odoo's"]}
		}
		for shape, members := range shapes {
			t.Run(shape+" "+filepath.Base(filepath.Dir(path))+" "+filepath.Base(path), func(t *testing.T) { throughFolder(t, members) })
		}
	}
}

func throughFolder(t *testing.T, members []member) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	makeZip(t, at("0.zip"), members)
	convert(t, Options{Source: at("0.zip"), Target: at("1"), Compression: DefaultCompression, Check: true, Jobs: 2})
	check(t, filepath.Join(at("1"), "dump"))
	convert(t, Options{Source: at("1"), Target: at("2.zip"), Sidecar: true, Check: true, Jobs: 2})
	wantMembers(t, "zip", readZip(t, at("2.zip"), false), members)
	convert(t, Options{Source: at("2.zip"), Target: at("3"), Jobs: 2})
	if got, want := tree(t, at("3")), tree(t, at("1")); !maps.Equal(got, want) {
		t.Errorf("second folder has %d files, the first %d", len(got), len(want))
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s differs", name)
			}
		}
	}
	convert(t, Options{Source: at("3"), Target: at("4.zip"), Sidecar: true, Jobs: 2})
	wantMembers(t, "second zip", readZip(t, at("4.zip"), true), readZip(t, at("2.zip"), true))
}

// TestZip_ArchiveChanged changes the archive that was made of a zip. Whatever is
// made of it says so, and with no odx.json that tells what it was, it is taken as
// it is.
func TestZip_ArchiveChanged(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	text := scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]
	makeZip(t, at("0.zip"), []member{{"dump.sql", text}})
	convert(t, Options{Source: at("0.zip"), Target: at("1"), Compression: DefaultCompression})
	refused := func(what, file string, want error) {
		for target, layout := range map[string]dumpfmt.Layout{"x.zip": dumpfmt.LayoutZip, "x.sql": dumpfmt.LayoutScript, "x": dumpfmt.LayoutArchive} {
			for _, sidecar := range []bool{false, true} {
				if layout == dumpfmt.LayoutZip && !sidecar && strings.HasPrefix(file, "blob") {
					continue // dump.sql has large objects from the script that was kept
				}
				_, err := Run(t.Context(), Options{Source: at("1"), Target: at(target), TargetLayout: layout, Sidecar: sidecar})
				if !errors.Is(err, want) {
					t.Errorf("%s %s, to %s, sidecar %v: %v, want %v", what, file, target, sidecar, err, want)
				}
			}
		}
		wantNothing(t, dir, "0.zip", "1")
	}
	a := openPath(t, at("1/dump"))
	files, err := a.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := filepath.Join(a.Path(), f.Name)
		before := readFile(t, path)
		if err := os.WriteFile(path, append(bytes.Clone(before), 0), 0o600); err != nil {
			t.Fatal(err)
		}
		refused("a byte behind", f.Name, dumpfmt.ErrFormat)
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range a.TOC.Entries {
		if e := &a.TOC.Entries[i]; e.Desc == "COMMENT" {
			e.Defn = pgarchive.Str(strings.Replace(e.Defn.String, " IS '", " IS 'changed ", 1))
		}
	}
	if err := os.Remove(at("1/dump/toc.dat")); err != nil {
		t.Fatal(err)
	}
	if _, err := writeTOC(at("1/dump"), a.TOC); err != nil {
		t.Fatal(err)
	}
	refused("another comment in", tocFile, dumpfmt.ErrDigest)
	if err := os.Remove(at("1/odx.json")); err != nil {
		t.Fatal(err)
	}
	convert(t, Options{Source: at("1"), Target: at("2.zip"), Sidecar: true})
	if got := readZip(t, at("2.zip"), false)[0].text; !bytes.Contains(got, []byte(" IS 'changed ")) {
		t.Error("dump.sql is not that of the changed archive")
	}
}

// TestZip_DamagedText has gzip files of which only reading all of the text tells
// that it is not whole.
func TestZip_DamagedText(t *testing.T) {
	pack := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, text); errors.Join(err, w.Close()) != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	sum := pack("1\tx\n\\.\n\n\n")
	sum[len(sum)-8]++
	for what, data := range map[string][]byte{"CRC-32": sum, "no end mark": pack("1\tx\n"), "cut off": sum[:len(sum)-9]} {
		dir := t.TempDir()
		source := filepath.Join(dir, "0")
		if err := os.CopyFS(source, os.DirFS(testdata+"/pg15/cellar")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(source, "3376.dat.gz"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Run(t.Context(), Options{Source: source, Target: filepath.Join(dir, "1.zip"), TargetLayout: dumpfmt.LayoutZip, Sidecar: true})
		if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), "3376.dat.gz") {
			t.Errorf("%s: %v, want a format error about the file", what, err)
		}
		wantNothing(t, dir, "0")
	}
}

// TestZip_GzipMembers has data files as tapes and block-wise compressors leave
// them, with zeros behind their data and of many gzip members: they come back,
// those of more than places.json may have as their text.
func TestZip_GzipMembers(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.CopyFS(at("0"), os.DirFS(testdata+"/pg15/cellar")); err != nil {
		t.Fatal(err)
	}
	appendTo := func(name string, data []byte) {
		f, err := os.OpenFile(at("0/"+name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); errors.Join(err, f.Close()) != nil {
			t.Fatal(err)
		}
	}
	var empty bytes.Buffer
	if err := gzip.NewWriter(&empty).Close(); err != nil {
		t.Fatal(err)
	}
	appendTo("3377.dat.gz", bytes.Repeat(empty.Bytes(), 3))
	appendTo("3378.dat.gz", bytes.Repeat(empty.Bytes(), odoozip.MaxMembers))
	appendTo("3377.dat.gz", make([]byte, 100_000))
	appendTo("3379.dat.gz", make([]byte, odoozip.MaxZeros))
	convert(t, Options{Source: at("0"), Target: at("1.zip"), RestrictKey: key, Sidecar: true, Check: true})
	convert(t, Options{Source: at("1.zip"), Target: at("2"), Compression: DefaultCompression, Check: true})
	check(t, at("2/dump"))
	wantSame(t, "dump.sql", readZip(t, at("1.zip"), false)[0].text, script(t, testdata+"/pg15/cellar", render.Options{NoOwner: true}))
	got, files := contents(t, at("2/dump")), contents(t, at("0"))
	if got["3377.dat.gz"] != files["3377.dat.gz"] {
		t.Error("members and zeros did not come back")
	}
	for _, name := range []string{"3378.dat.gz", "3379.dat.gz"} {
		if n := len(got[name]); n > 100_000 {
			t.Errorf("%s: %d bytes of a file that has more members or zeros than there may be", name, n)
		}
	}
}

// TestZip_KeptChanged changes the SQL that was kept of a zip, but not its length.
func TestZip_KeptChanged(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	makeZip(t, at("0.zip"), []member{{"dump.sql", scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]}})
	convert(t, Options{Source: at("0.zip"), Target: at("1"), Compression: DefaultCompression})
	path := at("1/" + dumpfmt.KeptDir + "/" + dumpfmt.KeptScript)
	z, err := gzip.NewReader(bytes.NewReader(readFile(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	sql, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(sql, []byte("integer"), []byte("bigint "), 1)
	if bytes.Equal(changed, sql) {
		t.Fatal("nothing to change")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := writeGzip(path, func(w io.Writer) error { _, err := w.Write(changed); return err }); err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), Options{Source: at("1"), Target: at("2.zip"), TargetLayout: dumpfmt.LayoutZip, Sidecar: true})
	if !errors.Is(err, dumpfmt.ErrFormat) || !strings.Contains(err.Error(), dumpfmt.KeptScript) {
		t.Errorf("%v, want a format error about the kept script", err)
	}
	wantNothing(t, dir, "0.zip", "1")
}

// TestZip_DumpChanged puts another dump.sql into a zip of odx's.
func TestZip_DumpChanged(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	convert(t, Options{Source: testdata + "/pg15/cellar", Target: at("0.zip"), RestrictKey: key, Sidecar: true})
	members := readZip(t, at("0.zip"), true)
	members[0].text = bytes.Replace(members[0].text, []byte(" IS '"), []byte(" IS 'changed "), 1)
	makeZip(t, at("1.zip"), members)
	r := convert(t, Options{Source: at("1.zip"), Target: at("2"), Compression: DefaultCompression})
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "dump.sql was changed") {
		t.Errorf("notes: %q", r.Notes)
	}
	convert(t, Options{Source: at("2"), Target: at("3.zip")})
	wantSame(t, "dump.sql", readZip(t, at("3.zip"), false)[0].text, members[0].text)
}

// addToZip copies a zip as it is and adds members.
func addToZip(t testing.TB, from, to string, names ...string) {
	t.Helper()
	copyZip(t, from, to, func(string) bool { return true }, names...)
}

// copyZip copies the members of a zip that are to be kept, and adds others.
func copyZip(t testing.TB, from, to string, keep func(name string) bool, names ...string) {
	t.Helper()
	z, err := zip.OpenReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for _, m := range z.File {
		if !keep(m.Name) {
			continue
		}
		if err := w.Copy(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		m, err := w.Create(name)
		if err == nil && !strings.HasSuffix(name, "/") {
			_, err = io.WriteString(m, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestZip_MemberAdded adds members to a zip that odx made, of an archive and of
// another zip: they come back, as do those that were there.
func TestZip_MemberAdded(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	makeStore(t, at("store"))
	makeZip(t, at("foreign.zip"), []member{{"readme", []byte("x")}, {"dump.sql", scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]}})
	convert(t, Options{Source: at("foreign.zip"), Target: at("foreign"), Compression: DefaultCompression})
	keys := map[string]string{"archive": key} // the zip's script is kept with its own
	for name, source := range map[string]string{"archive": testdata + "/pg15/cellar", "zip": at("foreign")} {
		at := func(file string) string { return filepath.Join(dir, name+file) }
		convert(t, Options{Source: source, Target: at("0.zip"), Filestore: filepath.Join(dir, "store"), RestrictKey: keys[name], Sidecar: true})
		addToZip(t, at("0.zip"), at("1.zip"), "notes.txt", "filestore/zz/")
		members := readZip(t, at("1.zip"), true)
		convert(t, Options{Source: at("1.zip"), Target: at("2"), Compression: DefaultCompression, Check: true})
		convert(t, Options{Source: at("2"), Target: at("3.zip"), RestrictKey: keys[name], Sidecar: true, Check: true})
		isOdx := func(m member) bool { return strings.HasPrefix(m.name, odoozip.OdxDir) }
		wantMembers(t, name, slices.DeleteFunc(readZip(t, at("3.zip"), true), isOdx), slices.DeleteFunc(members, isOdx))
		convert(t, Options{Source: at("3.zip"), Target: at("4"), Compression: DefaultCompression, Check: true})
		if got, want := tree(t, at("4")), tree(t, at("2")); !maps.Equal(got, want) {
			t.Errorf("%s: the folder of the second zip is not that of the first", name)
		}
		if err := os.WriteFile(filepath.Join(at("4"), dumpfmt.ExtraDir, "later"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := convert(t, Options{Source: at("4"), Target: at("5.zip"), Sidecar: true})
		if want := []string{dumpfmt.ExtraDir + "/later"}; !slices.Equal(r.LeftOut, want) {
			t.Errorf("%s: left out %q, want %q", name, r.LeftOut, want)
		}
	}
}

// TestZip_Links has links in a filestore: those to its own files become files,
// those that lead out are left out and named.
func TestZip_Links(t *testing.T) {
	dir, store := t.TempDir(), t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	makeStore(t, store)
	for name, to := range map[string]string{"in": "ab/abcdef", "out": secret, "up": "../" + filepath.Base(store) + "/ab/ac", "nowhere": "x", "folder": "ab"} {
		if err := os.Symlink(to, filepath.Join(store, name)); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(dir, "x.zip")
	r := convert(t, Options{Source: testdata + "/pg15/cellar", Target: target, Filestore: store, RestrictKey: key})
	found := map[string]string{}
	for _, m := range readZip(t, target, false) {
		found[m.name] = string(m.text)
		if strings.Contains(string(m.text), "secret") {
			t.Errorf("%s has the secret", m.name)
		}
	}
	if found["filestore/in"] != found["filestore/ab/abcdef"] {
		t.Error("a link within the filestore lost its content")
	}
	if len(r.Notes) != 5 { // four links, and that there is no manifest
		t.Errorf("notes: %q", r.Notes)
	}
}

// TestZip_SameForAnyJobs holds the bytes to be the same on any number of cores.
func TestZip_SameForAnyJobs(t *testing.T) {
	dir := t.TempDir()
	store := t.TempDir()
	makeStore(t, store)
	var want []byte
	for _, jobs := range []int{1, 2, 8} {
		target := filepath.Join(dir, fmt.Sprintf("%d.zip", jobs))
		convert(t, Options{Source: testdata + "/pg17/kitchen.dump", Target: target, Filestore: store, RestrictKey: key, Sidecar: true, Jobs: jobs})
		got := readFile(t, target)
		if want == nil {
			want = got
		}
		wantSame(t, fmt.Sprintf("%d jobs", jobs), got, want)
	}
}

// TestZip_Damaged changes a byte at places all over a zip of odx's: the target
// is refused, or what it says is what the source said.
func TestZip_Damaged(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	convert(t, Options{Source: testdata + "/pg15/cellar", Target: at("0.zip"), RestrictKey: key, Sidecar: true})
	good := readFile(t, at("0.zip"))
	convert(t, Options{Source: at("0.zip"), Target: at("good")})
	want := tree(t, at("good"))
	refused := 0
	for i := 0; i < len(good); i += 7 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		if err := os.WriteFile(at("bad.zip"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Run(t.Context(), Options{Source: at("bad.zip"), Target: at("out"), TargetLayout: dumpfmt.LayoutFast, Compression: DefaultCompression})
		if err != nil {
			refused++
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Errorf("byte %d: %v", i, err)
			}
			wantNothing(t, dir, "0.zip", "good", "bad.zip")
			continue
		}
		got := tree(t, at("out"))
		for name, text := range want {
			if got[name] != text && name != "/odx.json" {
				t.Errorf("byte %d: %s differs, and nobody noticed", i, name)
			}
		}
		if err := os.RemoveAll(at("out")); err != nil {
			t.Fatal(err)
		}
	}
	if refused < len(good)/7/2 {
		t.Errorf("%d of %d were refused", refused, len(good)/7)
	}
}

// TestMakeManifest_None has modules that are dumped as INSERT statements, and a
// table of that name which is another's.
func TestMakeManifest_None(t *testing.T) {
	for _, stmt := range []string{"", "COPY public.ir_module_module (id, title) FROM stdin;\n"} {
		e := pgarchive.Entry{Desc: pgarchive.DescTableData, Tag: "ir_module_module", HadDumper: true,
			Namespace: pgarchive.NullString{String: "public", Valid: true}, CopyStmt: pgarchive.NullString{String: stmt, Valid: true}}
		m, err := makeManifest(&pgarchive.Archive{TOC: &pgarchive.TOC{Entries: []pgarchive.Entry{e}}})
		if m != nil || err != nil {
			t.Errorf("%q: %v, %v", stmt, m, err)
		}
	}
}

// TestCutter_NotAPart has a member in places.json that no joined stream has.
func TestCutter_NotAPart(t *testing.T) {
	c := &cutter{ctx: t.Context(), dump: io.NewSectionReader(strings.NewReader("x"), 0, 1), dir: t.TempDir()}
	place := odoozip.FilePlace{Name: "1.dat.gz", Members: odoozip.MemberPlaces{{Place: odoozip.Place{Size: 1}, Bits: 8}}}
	if _, err := c.file(&place); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("%v, want a format error", err)
	}
}

// TestZip_Truncated cuts a zip off.
func TestZip_Truncated(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	convert(t, Options{Source: testdata + "/pg15/cellar", Target: at("0.zip"), RestrictKey: key, Sidecar: true})
	good := readFile(t, at("0.zip"))
	for n := 4; n < len(good); n += 101 {
		if err := os.WriteFile(at("bad.zip"), good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Run(t.Context(), Options{Source: at("bad.zip"), Target: at("out"), TargetLayout: dumpfmt.LayoutFast})
		if !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%d of %d bytes: %v", n, len(good), err)
		}
		wantNothing(t, dir, "0.zip", "bad.zip")
	}
}

// TestProve_Differs changes one thing after the other behind a zip's back.
func TestProve_Differs(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	text := scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]
	makeZip(t, at("0.zip"), []member{{"dump.sql", text}, {"manifest.json", []byte("{}")}, {"filestore/a0/a1", []byte("x")}, {"readme", []byte("x")}})
	prove := func(change func(folder string) error) error {
		folder := filepath.Join(t.TempDir(), "1")
		convert(t, Options{Source: at("0.zip"), Target: folder, Compression: DefaultCompression})
		z, err := os.Open(at("0.zip"))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		info, err := z.Stat()
		if err != nil {
			t.Fatal(err)
		}
		r, err := odoozip.NewReader(z, info.Size(), "0.zip")
		if err != nil {
			t.Fatal(err)
		}
		if err := change(folder); err != nil {
			t.Fatal(err)
		}
		return (&conversion{Options: Options{Jobs: 2}}).proveFolder(t.Context(), folder, r)
	}
	write := func(name, text string) func(string) error {
		return func(folder string) error { return os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600) }
	}
	if err := prove(func(string) error { return nil }); err != nil {
		t.Errorf("nothing changed: %v", err)
	}
	for name, change := range map[string]func(string) error{
		"filestore": write("filestore/a0/a1", "y"), "manifest": write("manifest.json", "[]"), "other member": write("extra/readme", "y"),
		"table of contents": func(folder string) error {
			a := openPath(t, filepath.Join(folder, "dump"))
			a.TOC.Entries[len(a.TOC.Entries)-1].Defn.String += "-- changed\n"
			path := filepath.Join(folder, "dump", tocFile)
			if err := os.Remove(path); err != nil {
				return err
			}
			_, err := writeTOC(filepath.Dir(path), a.TOC)
			return errors.Join(err, os.Remove(filepath.Join(folder, dumpfmt.RecordFile)))
		},
	} {
		if err := prove(change); !errors.Is(err, ErrNotSame) {
			t.Errorf("%s: %v, want %v", name, err, ErrNotSame)
		}
	}
}

const realZip = "../../shared/data/odoo19-standard.zip"

// TestZip_RealOdoo takes the zip that a real Odoo 19 made to a folder and back.
func TestZip_RealOdoo(t *testing.T) {
	if _, err := os.Stat(realZip); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the real Odoo 19 backup is not there")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	convert(t, Options{Source: realZip, Target: at("1"), Compression: DefaultCompression})
	convert(t, Options{Source: at("1"), Target: at("2.zip"), Sidecar: true})
	wantMembers(t, "zip", readZip(t, at("2.zip"), false), readZip(t, realZip, false))
	convert(t, Options{Source: at("2.zip"), Target: at("3")})
	if got, want := tree(t, at("3")), tree(t, at("1")); !maps.Equal(got, want) {
		t.Errorf("second folder has %d files, the first %d", len(got), len(want))
	}
	convert(t, Options{Source: at("1"), Target: at("4.zip")})
	wantMembers(t, "zip without odx's own members", readZip(t, at("4.zip"), true), readZip(t, realZip, true))
}

// mutate changes a script somewhere: a byte, or lines that are left out, come
// twice or change places.
func mutate(r *rand.Rand, text []byte) []byte {
	if r.IntN(3) == 0 {
		text = bytes.Clone(text)
		text[r.IntN(len(text))] = "x0'\"$\\\n\t-;(. \r\x00\xff"[r.IntN(16)]
		return text
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	i, n := r.IntN(len(lines)-6), 1+r.IntN(3)
	switch r.IntN(3) {
	case 0:
		lines = slices.Delete(lines, i, i+n)
	case 1:
		lines = slices.Insert(lines, i, lines[i:i+n]...)
	default:
		lines[i], lines[i+n] = lines[i+n], lines[i]
	}
	return bytes.Join(lines, nil)
}

// TestZip_MutatedScripts changes scripts at random. What is not refused comes
// back as it was.
func TestZip_MutatedScripts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	refused, same := 0, 0
	for _, path := range []string{"pg13/cellar", "pg15/cellar", "pg17/cellar", "pg18/cellar-inserts"} {
		text := scripts(t)["../dumpfmt/rebuild/testdata/"+path+".sql.gz"]
		if text == nil {
			t.Fatalf("no script %s", path)
		}
		for range 60 {
			members := []member{{"dump.sql", mutate(r, text)}}
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			makeZip(t, at("0.zip"), members)
			_, err := Run(t.Context(), Options{Source: at("0.zip"), Target: at("1"), TargetLayout: dumpfmt.LayoutFast, Compression: DefaultCompression})
			if err != nil {
				refused++
				if !errors.Is(err, dumpfmt.ErrFormat) {
					t.Errorf("%s: %v", path, err)
				}
				wantNothing(t, dir, "0.zip")
				continue
			}
			same++
			convert(t, Options{Source: at("1"), Target: at("2.zip"), Check: true})
			wantMembers(t, path, readZip(t, at("2.zip"), true), members)
		}
	}
	if refused < 20 || same < 20 {
		t.Errorf("%d refused, %d the same: not much of a test", refused, same)
	}
}

// TestInspect_Zip looks into a zip as into the archive that it was made of.
func TestInspect_Zip(t *testing.T) {
	dir, store := t.TempDir(), t.TempDir()
	makeStore(t, store)
	target := filepath.Join(dir, "x.zip")
	convert(t, Options{Source: testdata + "/pg15/cellar", Target: target, Filestore: store, RestrictKey: key})
	got, err := Inspect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Inspect(t.Context(), testdata+"/pg15/cellar")
	if err != nil {
		t.Fatal(err)
	}
	if got.Dump.Tables != want.Dump.Tables || got.Dump.LargeObjects != want.Dump.LargeObjects || got.Dump.PgDump != want.Dump.PgDump {
		t.Errorf("got %+v, want %+v", got.Dump, want.Dump)
	}
	if got.Manifest != nil || got.Filestore == nil || got.Filestore.Files != 4 {
		t.Errorf("manifest %s, filestore %+v", got.Manifest, got.Filestore)
	}
	for _, e := range got.Entries {
		if e.Owner != "" {
			t.Errorf("%s %s has the owner %s", e.Type, e.Name, e.Owner)
		}
	}
}
