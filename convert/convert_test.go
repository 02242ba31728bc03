package convert

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/render"
)

const (
	testdata = "../dumpfmt/pgarchive/testdata"
	key      = "kitchen"
)

// archives gives the archives in testdata.
func archives(t testing.TB) []string {
	t.Helper()
	dirs, err := filepath.Glob(testdata + "/*/*/toc.dat")
	if err != nil {
		t.Fatal(err)
	}
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	files, err := filepath.Glob(testdata + "/*/*.dump")
	if err != nil || len(dirs) < 7 || len(files) < 8 {
		t.Fatalf("%d folders, %d files, %v", len(dirs), len(files), err)
	}
	return append(dirs, files...)
}

// convert runs a conversion that has to succeed.
func convert(t testing.TB, o Options) Report {
	t.Helper()
	if o.TargetLayout == dumpfmt.LayoutUnknown {
		o.TargetLayout = TargetLayout(o.Target)
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%s to %s: %v", o.Source, o.Target, err)
	}
	return r
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func openPath(t testing.TB, path string) *pgarchive.Archive {
	t.Helper()
	a, err := pgarchive.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// script prints an archive.
func script(t testing.TB, path string, o render.Options) []byte {
	t.Helper()
	o.RestrictKey = key
	s, err := render.New(openPath(t, path), o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := s.Print(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wantSame(t testing.TB, about string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	from := max(n-100, 0)
	t.Errorf("%s: %d bytes, want %d; the first difference is at %d:\ngot  %q\nwant %q", about, len(got), len(want), n,
		got[from:min(n+100, len(got))], want[from:min(n+100, len(want))])
}

// check makes sure that an archive is complete.
func check(t testing.TB, path string) {
	t.Helper()
	report, err := openPath(t, path).Check(t.Context(), pgarchive.CheckOptions{})
	if err != nil || len(report.Notes) > 0 {
		t.Errorf("%s: %v, notes %q", path, err, report.Notes)
	}
}

func TestRun_Print(t *testing.T) {
	for _, path := range archives(t) {
		for _, o := range []Options{{}, {NoOwner: true}, {NoPrivileges: true}} {
			o.Source, o.Target, o.RestrictKey = path, filepath.Join(t.TempDir(), "dump.sql"), key
			r := convert(t, o)
			got := readFile(t, o.Target)
			wantSame(t, path, got, script(t, path, render.Options{NoOwner: o.NoOwner, NoPrivileges: o.NoPrivileges}))
			if r.TargetBytes != int64(len(got)) || r.Tables == 0 || r.Entries == 0 || r.LargeObjects == 0 || len(r.LeftOut) > 0 {
				t.Errorf("%s: report %+v", path, r)
			}
			if info, err := os.Stat(o.Target); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
			}
		}
	}
}

// compressions are all that data files can have.
var compressions = []string{"none", "gzip:1", "gzip:9", "lz4", "lz4:3", "zstd:3", "zstd:9"}

func compression(t testing.TB, text string) Compression {
	t.Helper()
	c, err := ParseCompression(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRun_RoundTrip makes scripts of archives and archives of the scripts, and
// prints those again.
func TestRun_RoundTrip(t *testing.T) {
	for i, path := range archives(t) {
		noOwner := i%2 == 0
		dir := t.TempDir()
		first, folder, second := filepath.Join(dir, "a.sql"), filepath.Join(dir, "folder"), filepath.Join(dir, "b.sql")
		convert(t, Options{Source: path, Target: first, NoOwner: noOwner, RestrictKey: key})
		c := compressions[i%len(compressions)]
		r := convert(t, Options{Source: first, Target: folder, Compression: compression(t, c), Jobs: 1 + i%3})
		check(t, folder)
		if r.Compression != c || r.TargetBytes != folderSize(t, folder) || r.Tables == 0 {
			t.Errorf("%s: report %+v", path, r)
		}
		convert(t, Options{Source: folder, Target: second, NoOwner: noOwner, RestrictKey: key})
		wantSame(t, path, readFile(t, second), readFile(t, first))
	}
}

func folderSize(t testing.TB, dir string) (sum int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	return sum
}

// TestRun_Recode has the same entries and data in other files.
func TestRun_Recode(t *testing.T) {
	for i, path := range archives(t) {
		c := compressions[i%len(compressions)]
		folder := filepath.Join(t.TempDir(), "folder")
		r := convert(t, Options{Source: path, Target: folder, Compression: compression(t, c), Jobs: 1 + i%3})
		check(t, folder)
		wantSame(t, path+" as "+c, script(t, folder, render.Options{}), script(t, path, render.Options{}))
		if r.Compression != c || r.TargetBytes != folderSize(t, folder) || r.Tables == 0 {
			t.Errorf("%s: report %+v", path, r)
		}
		from, to := openPath(t, path).TOC.Entries, openPath(t, folder).TOC.Entries
		for i := range from {
			x, y := from[i], to[i]
			x.File, x.Offset, y.File = "", pgarchive.Offset{}, ""
			if !slices.Equal(x.Dependencies, y.Dependencies) {
				t.Errorf("%s: dependencies %v, want %v", path, y.Dependencies, x.Dependencies)
			}
			x.Dependencies, y.Dependencies = nil, nil
			if !equalEntries(x, y) {
				t.Errorf("%s: entry %+v, want %+v", path, y, x)
			}
		}
	}
}

func equalEntries(x, y pgarchive.Entry) bool {
	var a, b bytes.Buffer
	h := pgarchive.Header{Version: pgarchive.Version16, IntSize: 4, OffSize: 8, Format: pgarchive.FormatTar}
	errX := pgarchive.WriteTOC(&a, &pgarchive.TOC{Header: h, Entries: []pgarchive.Entry{x}})
	errY := pgarchive.WriteTOC(&b, &pgarchive.TOC{Header: h, Entries: []pgarchive.Entry{y}})
	return errX == nil && errY == nil && bytes.Equal(a.Bytes(), b.Bytes())
}

// TestRun_SameForAnyJobs compares folders made with different numbers of jobs.
func TestRun_SameForAnyJobs(t *testing.T) {
	source := filepath.Join(t.TempDir(), "dump.sql")
	convert(t, Options{Source: testdata + "/pg17/kitchen-zstd", Target: source, RestrictKey: key})
	for _, from := range []string{source, testdata + "/pg18/kitchen.dump"} {
		for _, c := range []string{"none", "gzip:1"} {
			var first map[string]string
			for _, jobs := range []int{1, 2, 8} {
				folder := filepath.Join(t.TempDir(), "folder")
				convert(t, Options{Source: from, Target: folder, Jobs: jobs, Compression: compression(t, c)})
				files := contents(t, folder)
				if first == nil {
					first = files
				}
				if len(files) != len(first) {
					t.Errorf("%d files, want %d", len(files), len(first))
				}
				for name := range first {
					if files[name] != first[name] {
						t.Errorf("%s, %s: %s differs with %d jobs", from, c, name, jobs)
					}
				}
			}
		}
	}
}

func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		m[e.Name()] = string(readFile(t, filepath.Join(dir, e.Name())))
	}
	return m
}

// TestRun_Layouts converts what has other files beside the archive.
func TestRun_Layouts(t *testing.T) {
	fast, click := t.TempDir(), t.TempDir()
	if err := os.CopyFS(filepath.Join(fast, dumpfmt.ArchiveDir), os.DirFS(testdata+"/pg15/cellar")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(click, dumpfmt.ClickOdooDump), readFile(t, testdata+"/pg15/cellar.dump"), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, archive := range map[string]string{fast: testdata + "/pg15/cellar", click: testdata + "/pg15/cellar.dump"} {
		if err := os.Mkdir(filepath.Join(dir, dumpfmt.ExtraDir), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{dumpfmt.ManifestFile: "{}", "globals.sql": "CREATE ROLE x;\n", "extra/x": ""} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		target := filepath.Join(t.TempDir(), "x.sql")
		r := convert(t, Options{Source: dir, Target: target, RestrictKey: key})
		wantSame(t, r.SourceLayout, readFile(t, target), script(t, archive, render.Options{}))
		if !slices.Equal(r.LeftOut, []string{dumpfmt.ExtraDir, "globals.sql", dumpfmt.ManifestFile}) {
			t.Errorf("left out of a script: %q", r.LeftOut)
		}
		r = convert(t, Options{Source: dir, Target: filepath.Join(t.TempDir(), "x.zip")})
		if !slices.Equal(r.LeftOut, []string{"globals.sql", "extra/x"}) {
			t.Errorf("left out of a zip: %q", r.LeftOut)
		}
	}
}

func TestNewPlan(t *testing.T) {
	layouts := []dumpfmt.Layout{dumpfmt.LayoutUnknown, dumpfmt.LayoutFast, dumpfmt.LayoutArchive, dumpfmt.LayoutClickOdoo,
		dumpfmt.LayoutCustom, dumpfmt.LayoutZip, dumpfmt.LayoutScript, dumpfmt.LayoutPackedScript}
	ways := 0
	for _, from := range layouts {
		for _, to := range layouts {
			p, err := NewPlan(from, to)
			if (err == nil) != (p.Step != 0) || err != nil && !errors.Is(err, dumpfmt.ErrUnsupported) {
				t.Errorf("%s to %s: %v, %v", from, to, p.Step, err)
			}
			if err == nil {
				ways++
			}
		}
	}
	if ways != 15 { // 10 without zips
		t.Errorf("%d ways", ways)
	}
}

// TestRun_PackedScript: the archive of a packed script is that of the script.
func TestRun_PackedScript(t *testing.T) {
	at := func(name string) string { return filepath.Join(t.TempDir(), name) }
	text := at("x.sql")
	convert(t, Options{Source: testdata + "/pg17/kitchen.dump", Target: text, RestrictKey: key})
	for _, source := range []string{text, packedScript(t, text)} {
		dir, again := at("dir"), at("again.sql")
		convert(t, Options{Source: source, Target: dir})
		convert(t, Options{Source: dir, Target: again, RestrictKey: key})
		if !bytes.Equal(readFile(t, again), readFile(t, text)) {
			t.Errorf("%s: another script", source)
		}
	}
	cut := at("cut.sql.gz")
	whole := readFile(t, packedScript(t, text))
	put(t, cut, whole[:len(whole)-4])
	target := at("dir")
	if _, err := Run(t.Context(), Options{Source: cut, Target: target, TargetLayout: dumpfmt.LayoutArchive}); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("cut off: %v", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a target of what is damaged: %v", err)
	}
}

// packedScript packs a script with gzip.
func packedScript(t testing.TB, path string) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(readFile(t, path)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "packed.sql.gz")
	put(t, target, packed.Bytes())
	return target
}

func TestTargetLayout(t *testing.T) {
	for path, want := range map[string]dumpfmt.Layout{
		"x.sql": dumpfmt.LayoutScript, "X.SQL": dumpfmt.LayoutScript, "a/x.zip": dumpfmt.LayoutZip,
		"x.dump": dumpfmt.LayoutCustom, "x": dumpfmt.LayoutArchive, "x.d/": dumpfmt.LayoutArchive, "sql": dumpfmt.LayoutArchive,
	} {
		if got := TargetLayout(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestParseCompression(t *testing.T) {
	for text, want := range map[string]string{
		"none": "none", "0": "none", "gzip": "gzip:1", "6": "gzip:6", "gzip:9": "gzip:9", "lz4": "lz4", "lz4:4": "lz4:4",
		"zstd": "zstd:3", "zstd:level=7": "zstd:7",
	} {
		if c := compression(t, text); c.String() != want {
			t.Errorf("%s: %s, want %s", text, c, want)
		}
	}
	for _, text := range []string{"", "brotli", "gzip:0", "gzip:10", "gzip:", "10", "-1", "none:1", "zstd:23", "lz4:x"} {
		if _, err := ParseCompression(text); err == nil {
			t.Errorf("%q accepted", text)
		}
	}
}

// wantNothing fails the test if a folder has anything but the names given.
func wantNothing(t testing.TB, dir string, but ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(but, e.Name()) {
			t.Errorf("%s was left", e.Name())
		}
	}
}

// damaged makes archives and scripts that cannot be converted.
func damaged(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	copied := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.CopyFS(path, os.DirFS(testdata+"/pg15/cellar")); err != nil {
			t.Fatal(err)
		}
		return path
	}
	custom := readFile(t, testdata+"/pg15/cellar.dump")
	text := script(t, testdata+"/pg15/cellar", render.Options{})
	cases := map[string]string{
		"custom format, cut off": put("cut.dump", custom[:len(custom)-20]),
		"script, cut off":        put("cut.sql", text[:len(text)/2]),
		"script, cut in rows":    put("rows.sql", text[:bytes.Index(text, []byte("FROM stdin;\n"))+20]),
		"script, CRLF":           put("crlf.sql", bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))),
		"missing data file":      copied("missing"),
		"data file, cut off":     copied("short"),
	}
	if err := os.Remove(filepath.Join(cases["missing data file"], "3376.dat.gz")); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(cases["data file, cut off"], "3379.dat.gz")
	if err := os.Truncate(short, 20); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestRun_Damaged(t *testing.T) {
	for name, source := range damaged(t) {
		for _, target := range []string{"x.sql", "x"} {
			layout, err := dumpfmt.Detect(source)
			if err != nil {
				t.Fatal(err)
			}
			if layout == TargetLayout(target) && layout == dumpfmt.LayoutScript {
				continue
			}
			dir := t.TempDir()
			_, err = Run(t.Context(), Options{Source: source, Target: filepath.Join(dir, target), TargetLayout: TargetLayout(target)})
			if !errors.Is(err, dumpfmt.ErrFormat) {
				t.Errorf("%s to %s: %v", name, target, err)
			}
			wantNothing(t, dir)
		}
	}
}

func TestRun_Refusals(t *testing.T) {
	dir := t.TempDir()
	exists := filepath.Join(dir, "exists.sql")
	if err := os.WriteFile(exists, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	source := testdata + "/pg15/cellar"
	for _, tt := range []struct {
		o    Options
		want error
	}{
		{Options{Source: source, Target: exists}, fs.ErrExist},
		{Options{Source: source, Target: filepath.Join(dir, "no", "x.sql")}, fs.ErrNotExist},
		{Options{Source: filepath.Join(dir, "none"), Target: filepath.Join(dir, "x.sql")}, fs.ErrNotExist},
		{Options{Source: source, Target: filepath.Join(dir, "x.dump")}, dumpfmt.ErrUnsupported},
		{Options{Source: source, Target: filepath.Join(dir, "x"), NoOwner: true}, ErrOptions},
		{Options{Source: source, Target: filepath.Join(dir, "x"), NoPrivileges: true}, ErrOptions},
		{Options{Source: source, Target: filepath.Join(dir, "x"), RestrictKey: "a"}, ErrOptions},
		{Options{Source: source, Target: filepath.Join(dir, "x.sql"), Check: true}, ErrOptions},
		{Options{Source: source, Target: filepath.Join(dir, "x.zip"), NoOwner: true}, ErrOptions},
	} {
		tt.o.TargetLayout = TargetLayout(tt.o.Target)
		if _, err := Run(t.Context(), tt.o); !errors.Is(err, tt.want) {
			t.Errorf("%s to %s: %v, want %v", tt.o.Source, tt.o.Target, err, tt.want)
		}
	}
	wantNothing(t, dir, "exists.sql")
}

// stopper is a meter that ends the run after some items.
type stopper struct {
	noMeter
	cancel func()
	left   int
}

func (s *stopper) Item() {
	if s.left--; s.left < 0 {
		s.cancel()
	}
}

func TestRun_Interrupted(t *testing.T) {
	text := filepath.Join(t.TempDir(), "x.sql")
	convert(t, Options{Source: testdata + "/pg18/kitchen.dump", Target: text})
	for _, way := range []struct{ source, target string }{
		{testdata + "/pg18/kitchen.dump", "x.sql"}, {testdata + "/pg18/kitchen.dump", "x"}, {text, "x"},
	} {
		for _, items := range []int{0, 1, 20} {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			meter := &stopper{cancel: cancel, left: items}
			_, err := Run(ctx, Options{Source: way.source, Target: filepath.Join(dir, way.target), TargetLayout: TargetLayout(way.target), Jobs: 1, Meter: meter})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s to %s, after %d items: %v", way.source, way.target, items, err)
			}
			wantNothing(t, dir)
			cancel()
		}
	}
}

// countMeter is a meter that a test looks at.
type countMeter struct{ total, done, items int64 }

func (m *countMeter) Start(total int64) { m.total = total }
func (m *countMeter) Add(n int64)       { m.done += n }
func (m *countMeter) Item()             { m.items++ }

func TestRun_Meter(t *testing.T) {
	text := filepath.Join(t.TempDir(), "x.sql")
	for _, o := range []Options{
		{Source: testdata + "/pg17/kitchen-lz4", Target: text},
		{Source: testdata + "/pg17/kitchen-lz4", Target: filepath.Join(t.TempDir(), "x")},
		{Source: text, Target: filepath.Join(t.TempDir(), "x")},
	} {
		m := &countMeter{}
		o.Jobs, o.Meter = 1, m
		convert(t, o)
		if m.total == 0 || m.done != m.total || m.items < 40 {
			t.Errorf("%s to %s: %+v", o.Source, o.Target, m)
		}
	}
}

func TestInspect(t *testing.T) {
	text := filepath.Join(t.TempDir(), "x.sql")
	convert(t, Options{Source: testdata + "/pg17/kitchen.dump", Target: text})
	packed := packedScript(t, text)
	for _, path := range append(archives(t), text, packed) {
		in, err := Inspect(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		d := in.Dump
		sum := 0
		for _, n := range d.Sections {
			sum += n
		}
		if sum != len(in.Entries) || d.Tables < 4 || d.LargeObjects < 2 || d.DataBytes == 0 || d.Encoding == "" || !strings.Contains(d.PgDump, "Debian") {
			t.Errorf("%s: %+v", path, d)
		}
	}
	for name, path := range damaged(t) {
		if strings.Contains(name, "data file, cut") {
			continue // only reading it tells
		}
		if _, err := Inspect(t.Context(), path); !errors.Is(err, dumpfmt.ErrFormat) && name != "custom format, cut off" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Inspect(t.Context(), t.TempDir()); !errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("empty folder: %v", err)
	}
}
