package odoozip

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReader_Odoo reads a zip that Odoo made, and writes it again.
func TestReader_Odoo(t *testing.T) {
	zipped, err := os.ReadFile(realZip)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, zipped)
	if r.Top != "" || len(r.Members) != 1864 {
		t.Fatalf("%d members in %q", len(r.Members), r.Top)
	}
	kinds := map[Kind]int{}
	var files []file
	var names []string
	for i := range r.Members {
		m := &r.Members[i]
		text, err := readMember(r, m)
		if err != nil {
			t.Fatal(err)
		}
		kinds[m.Kind]++
		files = append(files, file{m.Name(), text})
		names = append(names, m.Name())
		if m.Mode() != 0o664 || m.Method != Deflate || m.Modified().Year() != 2026 {
			t.Errorf("%s: mode %v, method %d, %v", m.Name(), m.Mode(), m.Method, m.Modified())
		}
	}
	if kinds[KindDump] != 1 || kinds[KindManifest] != 1 || kinds[KindFilestore] != 1862 {
		t.Errorf("kinds %v", kinds)
	}
	slices.SortFunc(names, Compare)
	if names[0] != DumpName || names[1] != ManifestName {
		t.Errorf("%q come first", names[:2])
	}
	again := write(t, files, Options{Jobs: 2}, true)
	checkFiles(t, newReader(t, again), files)
	if len(again) > len(zipped)*11/10 {
		t.Errorf("%d bytes, Odoo's zip has %d", len(again), len(zipped))
	}
}

// tree makes a folder with a dump to be zipped.
func tree(t *testing.T, dir string) []file {
	t.Helper()
	files := []file{
		{"dump.sql", rows(100_000, 1)},
		{"filestore/00/00aa", noise(5000, 2)},
		{"filestore/01/01aa", rows(3000, 3)},
		{"filestore/01/ünï", []byte("x")},
		{"filestore/checklist/empty", nil},
		{"log/odoo.log", rows(2000, 4)},
		{"manifest.json", []byte("{}")},
	}
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(1_700_000_001, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// checkForeign holds the files of a zip, directories aside, against a tree.
func checkForeign(t *testing.T, path, top string, want []file) *Reader {
	t.Helper()
	zipped, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, zipped)
	if r.Top != top {
		t.Errorf("everything is in %q, want %q", r.Top, top)
	}
	left := map[string][]byte{}
	for _, f := range want {
		left[f.name] = f.text
	}
	for i := range r.Members {
		m := &r.Members[i]
		if m.Kind == KindDirectory {
			continue
		}
		text, err := readMember(r, m)
		wanted, found := left[m.Rel()]
		if err != nil || !found || !bytes.Equal(text, wanted) {
			t.Errorf("%q, %q: %d bytes (%v), found %t with %d", m.Name(), m.Rel(), len(text), err, found, len(wanted))
		}
		if m.Kind != KindOf(m.Rel()) {
			t.Errorf("%q is a %v", m.Name(), m.Kind)
		}
		delete(left, m.Rel())
	}
	if len(left) > 0 {
		t.Errorf("%d files missing", len(left))
	}
	if m := r.Find(DumpName); m == nil || m.Kind != KindDump {
		t.Errorf("%v is the dump", m)
	}
	return r
}

// zippers are programs and ways to zip the folder "backup" where they run.
var zippers = []struct {
	name string
	args []string
	top  string
}{
	{"zip in the folder", []string{"sh", "-c", "cd backup && zip -q -r ../x.zip ."}, ""},
	{"zip of the folder", []string{"zip", "-q", "-r", "x.zip", "backup"}, "backup/"},
	{"zip without directories", []string{"zip", "-q", "-r", "-D", "x.zip", "backup"}, "backup/"},
	{"zip stored", []string{"zip", "-q", "-0", "-r", "x.zip", "backup"}, "backup/"},
	{"zip to a pipe", []string{"sh", "-c", "zip -q -r - backup | cat > x.zip"}, "backup/"},
	{"zip with zip64", []string{"sh", "-c", "zip -q -fz -r x.zip backup"}, "backup/"},
	{"zip with a comment", []string{"sh", "-c", "echo my comment | zip -q -z -r x.zip backup"}, "backup/"},
	{"zip behind a program", []string{"sh", "-c", "zip -q -r y.zip backup && (head -c 5000 /dev/zero && cat y.zip) > x.zip"}, "backup/"},
	{"zip behind a program, adjusted", []string{"sh", "-c", "zip -q -r y.zip backup && (head -c 5000 /dev/zero && cat y.zip) > x.zip && zip -q -A x.zip"}, "backup/"},
	{"zip and garbage", []string{"sh", "-c", "zip -q -r x.zip backup && echo garbage >> x.zip"}, "backup/"},
	{"7z", []string{"7z", "a", "-tzip", "x.zip", "backup"}, "backup/"},
	{"7z in the folder", []string{"sh", "-c", "cd backup && 7z a -tzip ../x.zip ."}, ""},
	{"7z stored", []string{"7z", "a", "-tzip", "-mx=0", "x.zip", "backup"}, "backup/"},
	{"7z to a pipe", []string{"sh", "-c", "7z a -tzip -an -so backup > x.zip"}, "backup/"},
	{"python", []string{"python3", "-m", "zipfile", "-c", "x.zip", "backup/"}, "backup/"},
	{"python shutil", []string{"python3", "-c", "import shutil; shutil.make_archive('x', 'zip', 'backup')"}, ""},
	{"python to a pipe", []string{"sh", "-c", "python3 -c '" + pythonZip + "' deflated | cat > x.zip"}, ""},
	{"python stored to a pipe", []string{"sh", "-c", "python3 -c '" + pythonZip + "' | cat > x.zip"}, ""},
	{"python zip64 to a pipe", []string{"sh", "-c", "python3 -c '" + pythonZip + "' deflated zip64 | cat > x.zip"}, ""},
	{"python zip64", []string{"sh", "-c", "python3 -c '" + pythonZip + "' zip64 > x.zip"}, ""},
	{"with ./", []string{"python3", "-c", "import zipfile,os\nz=zipfile.ZipFile('x.zip','w')\nfor d,_,fs in os.walk('backup'):\n  for f in fs: z.writestr('./'+os.path.relpath(d+'/'+f,'backup'), open(d+'/'+f,'rb').read())\nz.close()"}, "./"},
}

// pythonZip writes a zip to its output, which may be a file or a pipe.
const pythonZip = `
import os, sys, zipfile
way = zipfile.ZIP_DEFLATED if "deflated" in sys.argv else zipfile.ZIP_STORED
with zipfile.ZipFile(sys.stdout.buffer, "w", way) as z:
    for d, _, files in os.walk("backup"):
        for f in files:
            i = zipfile.ZipInfo.from_file(d + "/" + f, os.path.relpath(d + "/" + f, "backup"))
            i.compress_type = way
            with z.open(i, "w", force_zip64="zip64" in sys.argv) as out:
                out.write(open(d + "/" + f, "rb").read())
`

func TestReader_OtherPrograms(t *testing.T) {
	for _, z := range zippers {
		t.Run(z.name, func(t *testing.T) {
			dir := t.TempDir()
			files := tree(t, filepath.Join(dir, "backup"))
			run(t, dir, z.args[0], z.args[1:]...)
			r := checkForeign(t, filepath.Join(dir, "x.zip"), z.top, files)
			if z.name == "zip with a comment" && strings.TrimSpace(r.Comment) != "my comment" {
				t.Errorf("comment %q", r.Comment)
			}
			if m := r.Find(DumpName); strings.HasPrefix(z.name, "zip") && !m.Modified().Equal(time.Unix(1_700_000_001, 0)) {
				t.Errorf("modified %v", m.Modified())
			}
		})
	}
}

func TestReader_GoZip(t *testing.T) {
	files := tree(t, t.TempDir())
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		dst, err := w.Create("a/b/" + f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dst.Write(f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	checkForeign(t, tempFile(t, b.Bytes()), "a/b/", files)
}

// TestReader_Refused reads what programs make that is not for us.
func TestReader_Refused(t *testing.T) {
	tests := []struct{ name, make, want string }{
		{"password", "zip -q -P secret -r x.zip backup", "encrypted"},
		{"AES", "7z a -tzip -psecret -mem=AES256 x.zip backup", "encrypted"},
		{"bzip2", "7z a -tzip -mm=BZip2 x.zip backup", "bzip2"},
		{"LZMA", "7z a -tzip -mm=LZMA x.zip backup", "LZMA"},
		{"deflate64", "7z a -tzip -mm=Deflate64 x.zip backup", "deflate64"},
		{"link", "ln -s /etc/passwd backup/filestore/link && zip -q -y -r x.zip backup", "symbolic link"},
		{"volumes of zip", "head -c 300000 /dev/urandom > backup/big && zip -q -s 64k -r x.zip backup", "several disks"},
		{"first volume of 7z", "head -c 300000 /dev/urandom > backup/big && 7z a -tzip -v64k y.zip backup && mv y.zip.001 x.zip", "cut short"},
		{"last volume of 7z", "head -c 300000 /dev/urandom > backup/big && 7z a -tzip -v64k y.zip backup && mv $(ls y.zip.* | tail -n1) x.zip", "not in the file"},
		{"another archive", "7z a -t7z y.7z backup && mv y.7z x.zip", "not a zip"},
		{"two dumps", "cp -r backup other && zip -q -r x.zip backup other", "more than one dump"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			tree(t, filepath.Join(dir, "backup"))
			run(t, dir, "sh", "-c", test.make)
			zipped, err := os.ReadFile(filepath.Join(dir, "x.zip"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = NewReader(bytes.NewReader(zipped), int64(len(zipped)), "x.zip")
			checkFormat(t, err, test.want)
		})
	}
}
