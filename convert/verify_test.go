package convert

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/render"
)

// kitchenDump has rows of Odoo's own tables: two modules, and two attachments
// with files.
const kitchenDump = "../dumpfmt/pgarchive/testdata/pg15/kitchen.dump"

const (
	emptyFile = "da/da39a3ee5e6b4b0d3255bfef95601890afd80709" // the SHA-1 of nothing
	abcFile   = "a9/a9993e364706816aba3e25717850c26c9cd0d89d" // and of abc
)

// kitchenManifest is what Odoo would have written beside it.
func kitchenManifest() []byte {
	version := func(s string) dumpfmt.NullString { return dumpfmt.NullString{String: s, Valid: true} }
	series, _ := dumpfmt.ParseSeries("17.0")
	return dumpfmt.NewManifest("kitchen", series, 150020, []dumpfmt.Module{
		{Name: "base", Version: version("17.0.1.3")}, {Name: "web", Version: version("17.0.1.0")}}).Encode()
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// putBeside puts manifest and filestore into a folder.
func putBeside(t testing.TB, dir string) {
	put(t, filepath.Join(dir, "manifest.json"), kitchenManifest())
	put(t, filepath.Join(dir, "filestore", emptyFile), nil)
	put(t, filepath.Join(dir, "filestore", abcFile), []byte("abc"))
	put(t, filepath.Join(dir, "filestore", "checklist", abcFile), nil)
}

func kitchenMembers(t testing.TB) []member {
	return []member{{"dump.sql", script(t, kitchenDump, render.Options{NoOwner: true, RestrictKey: "kitchen"})},
		{"manifest.json", kitchenManifest()}, {"filestore/" + emptyFile, nil}, {"filestore/" + abcFile, []byte("abc")}}
}

// goodBackups makes a backup of each layout.
func goodBackups(t testing.TB) map[string]string {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	members := kitchenMembers(t)
	makeZip(t, at("foreign.zip"), members)
	convert(t, Options{Source: at("foreign.zip"), Target: at("own"), Compression: DefaultCompression})
	putBeside(t, at("foreign"))
	convert(t, Options{Source: kitchenDump, Target: at("foreign/dump"), TargetLayout: dumpfmt.LayoutArchive, Compression: compression(t, "gzip:6")})
	putBeside(t, at("plain"))
	convert(t, Options{Source: kitchenDump, Target: at("plain/dump"), TargetLayout: dumpfmt.LayoutArchive, Compression: compression(t, "none")})
	convert(t, Options{Source: at("foreign"), Target: at("own.zip"), TargetLayout: dumpfmt.LayoutZip, Sidecar: true})
	put(t, at("click/db.dump"), readFile(t, kitchenDump))
	putBeside(t, at("click"))
	put(t, at("kitchen.sql"), members[0].text)
	put(t, at("kitchen.sql.gz"), readFile(t, packedScript(t, at("kitchen.sql"))))
	all := map[string]string{"archive": at("foreign/dump"), "custom": kitchenDump}
	for _, name := range []string{"foreign.zip", "own.zip", "own", "foreign", "plain", "click", "kitchen.sql", "kitchen.sql.gz"} {
		all[name] = at(name)
	}
	return all
}

func verify(t testing.TB, path string) *Verification {
	t.Helper()
	v, err := Verify(t.Context(), VerifyOptions{Source: path, Jobs: 2})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func describe(v *Verification) string {
	text, _ := json.MarshalIndent(v.Findings, "", " ")
	return fmt.Sprintf("%s %s", v.Verdict, text)
}

// TestVerify_Good finds nothing in backups of each layout, and reads all of
// them.
func TestVerify_Good(t *testing.T) {
	for name, path := range goodBackups(t) {
		v := verify(t, path)
		if v.Verdict != Whole || len(v.Findings) > 0 {
			t.Errorf("%s: %s", name, describe(v))
		}
		if v.Tables != 42 || v.Rows != 2165 || v.LargeObjects != 4 || v.Attachments != 4 || v.Named != 2 || v.Modules != 2 {
			t.Errorf("%s: read %+v", name, v)
		}
		if (v.Filestore != nil) != slices.Contains([]string{"foreign.zip", "own.zip", "own", "foreign", "plain", "click"}, name) ||
			v.Filestore != nil && v.Hashed != 2 {
			t.Errorf("%s: %d files hashed", name, v.Hashed)
		}
		if (v.Digests > 0) != (name == "own" || name == "own.zip") {
			t.Errorf("%s: %d digests compared", name, v.Digests)
		}
	}
}

// TestVerify_Archives finds nothing in archives of pg_dump 13 to 18.
func TestVerify_Archives(t *testing.T) {
	for _, path := range archives(t) {
		if v := verify(t, path); v.Verdict != Whole || v.Tables == 0 {
			t.Errorf("%s: %d tables, %s", path, v.Tables, describe(v))
		}
	}
}

func TestVerify_RealOdoo(t *testing.T) {
	if _, err := os.Stat(realZip); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the real Odoo 19 backup is not there")
	}
	if v := verify(t, realZip); v.Verdict != Whole || v.Hashed != 931 || v.Modules == 0 {
		t.Errorf("%d files, %d modules, %s", v.Hashed, v.Modules, describe(v))
	}
}

// wantFinding fails unless the finding is there, at a place with these words,
// and the verdict is its severity.
func wantFinding(t *testing.T, about string, v *Verification, want finding, words string) {
	t.Helper()
	for _, f := range v.Findings {
		if f.Kind != want.kind {
			continue
		}
		for _, p := range f.Places {
			if text := fmt.Sprintf("%s row %d: %s", p.Where, p.Row, p.What); strings.Contains(text, words) {
				if v.Verdict.rank() > want.severity.rank() {
					t.Errorf("%s: verdict %s", about, describe(v))
				}
				return
			}
		}
	}
	t.Errorf("%s: no finding %q with %q in %s", about, want.kind, words, describe(v))
}

// dataFileOf gives the data file of a table in a folder's archive.
func dataFileOf(t testing.TB, folder, table string) string {
	t.Helper()
	a := openPath(t, filepath.Join(folder, "dump"))
	files, err := a.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if e := a.TOC.ByID()[f.Entry]; e != nil && e.Tag == table && e.Desc == pgarchive.DescTableData {
			return filepath.Join(folder, "dump", f.Name)
		}
	}
	t.Fatalf("no table %s", table)
	return ""
}

// editText changes the text of a data file, compressed with gzip or not.
func editText(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	data := readFile(t, path)
	if !strings.HasSuffix(path, ".gz") {
		put(t, path, change(data))
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = w.Write(change(text))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	put(t, path, b.Bytes())
}

// replaced is a change of text. It must change something.
func replaced(t testing.TB, old, text string) func([]byte) []byte {
	return func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("no %q in the text", old)
		}
		return bytes.Replace(b, []byte(old), []byte(text), 1)
	}
}

// rowDamage are changes of rows of ir_module_module, and what is to be said.
var rowDamage = map[string]struct{ old, text, says string }{
	"a column too few":      {"2\tweb\t", "2\tweb", "public.ir_module_module row 2: 5 fields for 6 columns"},
	"a column too many":     {"2\tweb\t", "2\tweb\t\t", "row 2: 7 fields for 6 columns"},
	"an empty row":          {"2\tweb\t", "\n2\tweb\t", "row 2: 1 fields for 6 columns"},
	"an escape":             {"2\tweb\t", "2\tw\\eb\t", `row 2: escape \'e'`},
	"a NULL within a field": {"2\tweb\t", "2\twe\\N\t", `row 2: escape \'N'`},
	"a carriage return":     {"2\tweb\t", "2\twe\r\t", "row 2: byte 0x0d"},
	"a zero byte":           {"2\tweb\t", "2\twe\x00\t", "row 2: byte 0x0"},
	"a byte no UTF-8":       {"2\tweb\t", "2\twe\xff\t", "row 2: bytes that are not UTF-8"},
}

// TestVerify_Rows changes rows, in each kind of text.
func TestVerify_Rows(t *testing.T) {
	good := goodBackups(t)
	for name, d := range rowDamage {
		for _, layout := range []string{"own", "foreign", "plain"} {
			dir := copyFolder(t, good[layout])
			editText(t, dataFileOf(t, dir, "ir_module_module"), replaced(t, d.old, d.text))
			v := verify(t, dir)
			wantFinding(t, layout+", "+name, v, badRow, d.says)
			if layout == "own" {
				wantFinding(t, layout+", "+name, v, badDigest, "odx.json")
			}
		}
		members := kitchenMembers(t)
		members[0].text = replaced(t, d.old, d.text)(members[0].text)
		path := filepath.Join(t.TempDir(), "x.zip")
		makeZip(t, path, members)
		wantFinding(t, "zip, "+name, verify(t, path), badRow, d.says)
		path = filepath.Join(t.TempDir(), "x.sql")
		put(t, path, members[0].text)
		wantFinding(t, "script, "+name, verify(t, path), badRow, d.says)
	}
}

func copyFolder(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// storeDamage are changes of what lies beside the database, by member.
var storeDamage = map[string]struct {
	name string // of the member
	text string // "-" removes it
	want finding
	says string
}{
	"a file is missing":        {"filestore/" + abcFile, "-", missingFile, abcFile + " row 2"},
	"another content":          {"filestore/" + abcFile, "abd", badContent, "cb4cc28df0fdbe0ecf9d9662e294b118092a5735"},
	"another size":             {"filestore/" + abcFile, "abcd", badContent, "4 bytes with the SHA-1"},
	"another name":             {"filestore/ab/abcdef", "x", oddName, "ab/abcdef"},
	"another folder":           {"filestore/aa/" + abcFile[3:], "abc", oddName, "aa/a9"},
	"another module":           {"manifest.json", `{"modules": {"base": "17.0.1.3", "sale": "1"}}`, oddManifest, "module sale is not installed"},
	"another module's version": {"manifest.json", `{"modules": {"base": "17.0.1.4", "web": "17.0.1.0"}}`, oddManifest, `base has version "17.0.1.4"`},
	"another series":           {"manifest.json", `{"major_version": "16.0"}`, oddManifest, "Odoo 16.0"},
	"a manifest cut off":       {"manifest.json", `{"modules": {`, badManifest, "unexpected end"},
}

// TestVerify_Beside changes filestore and manifest.
func TestVerify_Beside(t *testing.T) {
	good := goodBackups(t)
	for name, d := range storeDamage {
		for _, layout := range []string{"own", "foreign", "click"} {
			dir := copyFolder(t, good[layout])
			path := filepath.Join(dir, d.name)
			if d.text == "-" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				put(t, path, []byte(d.text))
			}
			v := verify(t, dir)
			wantFinding(t, layout+", "+name, v, d.want, d.says)
			if v.Verdict != d.want.severity {
				t.Errorf("%s, %s: verdict %s", layout, name, describe(v))
			}
		}
		members := slices.DeleteFunc(kitchenMembers(t), func(m member) bool { return m.name == d.name })
		if d.text != "-" {
			members = append(members, member{d.name, []byte(d.text)})
		}
		path := filepath.Join(t.TempDir(), "x.zip")
		makeZip(t, path, members)
		wantFinding(t, "zip, "+name, verify(t, path), d.want, d.says)
	}
}

// TestVerify_FileSize has a row with another size than its file: a name that is the
// content's SHA-1 says more than that.
func TestVerify_FileSize(t *testing.T) {
	for name, d := range map[string]struct {
		file string // that the row names
		want finding
	}{"by its content": {abcFile, oddSize}, "by another name": {"ab/photo", badSize}} {
		dir := copyFolder(t, goodBackups(t)["foreign"])
		put(t, filepath.Join(dir, "filestore/ab/photo"), []byte("abc"))
		editText(t, dataFileOf(t, dir, "ir_attachment"), replaced(t, abcFile+"\t3\t", d.file+"\t5\t"))
		v := verify(t, dir)
		wantFinding(t, name, v, d.want, "3 bytes instead of 5")
		if v.Verdict != d.want.severity {
			t.Errorf("%s: verdict %s", name, describe(v))
		}
	}
}

// TestVerify_NoFilestore takes the whole filestore away.
func TestVerify_NoFilestore(t *testing.T) {
	dir := copyFolder(t, goodBackups(t)["foreign"])
	if err := os.RemoveAll(filepath.Join(dir, "filestore")); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, "folder", verify(t, dir), missingFile, "2 attachments")
	path := filepath.Join(t.TempDir(), "x.zip")
	makeZip(t, path, kitchenMembers(t)[:2])
	wantFinding(t, "zip", verify(t, path), missingFile, "2 attachments")
	record := `{"odx_format": 1, "filestore": {"files": 2}}`
	put(t, filepath.Join(dir, "odx.json"), []byte(record))
	wantFinding(t, "folder that had one", verify(t, dir), noStore, "missing")
	put(t, filepath.Join(dir, "odx.json"), []byte(`{"odx_format": 1}`))
	wantFinding(t, "folder that never had one", verify(t, dir), leftOut, "2 attachments")
}

// TestVerify_Files takes data files away, puts others there, and cuts them.
func TestVerify_Files(t *testing.T) {
	good := goodBackups(t)
	for _, layout := range []string{"own", "foreign", "plain"} {
		change := func(what string, want finding, says string, change func(dir, file string) error) {
			dir := copyFolder(t, good[layout])
			if err := change(dir, dataFileOf(t, dir, "res_users")); err != nil {
				t.Fatal(err)
			}
			wantFinding(t, layout+", "+what, verify(t, dir), want, says)
		}
		change("missing", badData, "missing", func(_, file string) error { return os.Remove(file) })
		change("one too many", unusedFile, "1.dat", func(dir, _ string) error { return os.WriteFile(filepath.Join(dir, "dump", "1.dat"), nil, 0o600) })
		change("cut off", badData, "", func(_, file string) error { return os.Truncate(file, int64(len(readFile(t, file))-4)) })
		change("empty", badData, "", func(_, file string) error { return os.Truncate(file, 0) })
		change("no table of contents entry", badStructure, "", func(dir, _ string) error { return os.Truncate(filepath.Join(dir, "dump", tocFile), 500) })
	}
	dir := copyFolder(t, good["own"])
	put(t, filepath.Join(dir, "dump", "1.dat"), nil)
	wantFinding(t, "own", verify(t, dir), unusedFile, "1.dat")
}

// TestVerify_Digest changes digests in odx.json.
func TestVerify_Digest(t *testing.T) {
	good := goodBackups(t)["own"]
	toc := sha256.Sum256(readFile(t, filepath.Join(good, "dump", tocFile)))
	for name, c := range map[string]struct {
		old, text string
		want      finding
	}{
		"table of contents": {hex.EncodeToString(toc[:]), strings.Repeat("0", 64), badDigest},
		"no such file":      {`"name": "toc.dat"`, `"name": "gone.dat"`, badDigest},
		"newer":             {`"odx_format": 1`, `"odx_format": 99`, oddRecord},
		"cut":               {`"odx_format": 1,`, `"odx_format": 1`, badRecord},
	} {
		dir := copyFolder(t, good)
		path := filepath.Join(dir, "odx.json")
		put(t, path, replaced(t, c.old, c.text)(readFile(t, path)))
		wantFinding(t, name, verify(t, dir), c.want, "")
	}
	dir := copyFolder(t, good)
	path := filepath.Join(dir, "kept", "script.sql.gz")
	put(t, path, readFile(t, path)[:1000])
	wantFinding(t, "kept script", verify(t, dir), oddKept, "kept SQL")
}

// TestVerify_FlippedFolder flips a bit at places in every file: in odx's own
// backups each of them is found.
func TestVerify_FlippedFolder(t *testing.T) {
	good := copyFolder(t, goodBackups(t)["own"])
	r := rand.New(rand.NewPCG(1, 2))
	files := tree(t, good)
	for name, text := range files {
		if len(text) == 0 || name == "/odx.json" || name == "/manifest.json" || strings.HasPrefix(name, "/kept/") {
			continue
		}
		if len(text) < 600 && r.IntN(4) > 0 { // there are many small ones
			continue
		}
		at := r.IntN(len(text))
		bad := []byte(text)
		bad[at] ^= 1 << r.IntN(8)
		put(t, good+name, bad)
		if v := verify(t, good); v.Verdict != Damaged {
			t.Errorf("%s: a bit of byte %d: %s", name, at, describe(v))
		}
		put(t, good+name, []byte(text))
	}
	if v := verify(t, good); v.Verdict != Whole {
		t.Errorf("put right again: %s", describe(v))
	}
}

// zipContent is what Go's archive/zip reads of a zip; "" if it is damaged.
func zipContent(path string) string {
	z, err := zip.OpenReader(path)
	if err != nil {
		return ""
	}
	defer z.Close()
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return ""
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return ""
		}
		fmt.Fprintf(&all, "%q %q\n", f.Name, text)
	}
	return all.String()
}

// TestVerify_FlippedZip flips a bit at places all over a zip, and in every byte
// of a header. It may be whole only if another program reads the same.
func TestVerify_FlippedZip(t *testing.T) {
	good := goodBackups(t)
	for _, name := range []string{"foreign.zip", "own.zip"} {
		data := readFile(t, good[name])
		want := zipContent(good[name])
		r := rand.New(rand.NewPCG(3, 4))
		places := []int{}
		for range 30 {
			places = append(places, r.IntN(len(data)))
		}
		for i := range 40 { // the first local header, and the end of the directory
			places = append(places, i, len(data)-1-i)
		}
		path := filepath.Join(t.TempDir(), "x.zip")
		found := 0
		for _, at := range places {
			bad := bytes.Clone(data)
			bad[at] ^= 1 << r.IntN(8)
			put(t, path, bad)
			v, err := Verify(t.Context(), VerifyOptions{Source: path, Jobs: 2})
			if err != nil && errors.Is(err, dumpfmt.ErrFormat) || err == nil && v.Verdict == Damaged {
				found++
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.Verdict == Whole && zipContent(path) != want {
				t.Errorf("%s: a bit of byte %d of %d is not found", name, at, len(data))
			}
		}
		if found < 50 {
			t.Errorf("%s: %d of %d are damage", name, found, len(places))
		}
	}
}

// TestVerify_Truncated cuts files at places all over them.
func TestVerify_Truncated(t *testing.T) {
	good := goodBackups(t)
	for _, name := range []string{"foreign.zip", "own.zip", "custom", "kitchen.sql", "kitchen.sql.gz"} {
		data := readFile(t, good[name])
		path := filepath.Join(t.TempDir(), "cut")
		for _, n := range []int{1, 50, 500, len(data) / 3, len(data) / 2, len(data) - 5000, len(data) - 40, len(data) - 2, len(data) - 1} {
			put(t, path, data[:n])
			v, err := Verify(t.Context(), VerifyOptions{Source: path, Jobs: 2})
			if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
				t.Fatal(err)
			}
			if err == nil && v.Verdict != Damaged {
				t.Errorf("%s, %d of %d bytes: %s", name, n, len(data), describe(v))
			}
		}
	}
}

// TestVerify_GoesOn finds all of several damages, keeps a bounded number, and
// counts the rest.
func TestVerify_GoesOn(t *testing.T) {
	dir := copyFolder(t, goodBackups(t)["foreign"])
	editText(t, dataFileOf(t, dir, "many_rows"), func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\t"), []byte("\t\t")) })
	if err := os.Remove(dataFileOf(t, dir, "res_users")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "filestore", abcFile), []byte("abd"))
	v := verify(t, dir)
	wantFinding(t, "rows", v, badRow, "pantry.many_rows row 1:")
	wantFinding(t, "file", v, badData, "missing")
	wantFinding(t, "filestore", v, badContent, "abc"[:0])
	for _, f := range v.Findings {
		if f.Kind == badRow.kind && (f.Count != 2000 || len(f.Places) != maxFound) {
			t.Errorf("%d rows, %d of them named", f.Count, len(f.Places))
		}
	}
}

// TestVerify_Memory reads half a million attachments: they take no memory that
// grows with them.
func TestVerify_Memory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads half a million rows")
	}
	const rows = 500_000
	dir := copyFolder(t, goodBackups(t)["foreign"])
	path := dataFileOf(t, dir, "ir_attachment")
	err := os.Remove(path)
	if err != nil {
		t.Fatal(err)
	}
	err = writeGzip(path, func(w io.Writer) error {
		for i := range rows {
			if _, err := fmt.Fprintf(w, "%d\t1\tname %d\t\\N\t\\N\t0\t\\N\tbinary\t\\N\tt\t\\N\t\\N\t%s\t3\t%s\timage/png\t\\N\t\\N\n", i, i, abcFile, abcFile[3:]); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, "\\.\n\n\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var most uint64
	debug.FreeOSMemory() // what other tests left
	stop := sampleMemory(&most)
	v := verify(t, dir)
	stop()
	if v.Named != rows || v.Verdict != Whole {
		t.Errorf("%d attachments, %s", v.Named, describe(v))
	}
	if bound := uint64(96 << 20); most > bound {
		t.Errorf("%d MiB of memory, and the bound is %d MiB", most>>20, bound>>20)
	}
}

// sampleMemory notes the most memory that is in use until it is stopped.
func sampleMemory(most *uint64) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
			metrics.Read(sample)
			*most = max(*most, sample[0].Value.Uint64()-sample[1].Value.Uint64())
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// TestVerify_Interrupted ends with its context.
func TestVerify_Interrupted(t *testing.T) {
	for name, path := range goodBackups(t) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Verify(ctx, VerifyOptions{Source: path, Jobs: 2, Meter: &stopAt{cancel: cancel}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// stopAt ends a context at the first bytes that are counted.
type stopAt struct{ cancel context.CancelFunc }

func (*stopAt) Start(int64) {}
func (s *stopAt) Add(int64) { s.cancel() }
func (s *stopAt) Item()     { s.cancel() }

// TestVerify_Unsupported has a script of a release that odx does not know, of
// which nobody can say that it is damaged.
func TestVerify_Unsupported(t *testing.T) {
	text := scripts(t)["../dumpfmt/rebuild/testdata/pg15/cellar.sql.gz"]
	old := regexp.MustCompile(`(?m)^-- Dumped by pg_dump version .*$`).ReplaceAll(text, []byte("-- Dumped by pg_dump version 9.6.1"))
	dir := t.TempDir()
	script, zipped := filepath.Join(dir, "x.sql"), filepath.Join(dir, "x.zip")
	if err := os.WriteFile(script, old, 0o600); err != nil {
		t.Fatal(err)
	}
	makeZip(t, zipped, []member{{"dump.sql", old}})
	for _, path := range []string{script, zipped} {
		v, err := Verify(t.Context(), VerifyOptions{Source: path, Jobs: 2})
		if !errors.Is(err, dumpfmt.ErrUnsupported) {
			t.Errorf("%s: %v, want %v; %s", path, err, dumpfmt.ErrUnsupported, describe(v))
		}
	}
}
