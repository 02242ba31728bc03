package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"odx/convert"
	"odx/dumpfmt"
)

var update = flag.Bool("update", false, "write the golden files anew, and fail")

// archives are small dumps of every kind.
const archives = "../../dumpfmt/pgarchive/testdata"

// withoutServer prepares a run of odx that has no server.
func withoutServer(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), runAsMain+"=1", "HOME=/nonexistent", "PGHOST=/nonexistent")
	return cmd
}

func runWithoutServer(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return finish(t, withoutServer(ctx, args...))
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConvert goes from archive to script to archive to script.
func TestConvert(t *testing.T) {
	for _, source := range []string{"pg13/cellar", "pg15/kitchen.dump", "pg17/kitchen-zstd", "pg18/cellar-inserts"} {
		dir := t.TempDir()
		a, folder, b := filepath.Join(dir, "a.sql"), filepath.Join(dir, "folder"), filepath.Join(dir, "b.sql")
		r := runWithoutServer(t, "convert", filepath.Join(archives, source), a, "--restrict-key", "kitchen")
		r.want(t, exitOK, "converted", "tables", a)
		if r.stdout != "" {
			t.Errorf("stdout: %s", r.stdout)
		}
		var report convert.Report
		r = runWithoutServer(t, "convert", "--json", a, "-j2", folder, "-Z", "gzip:3")
		r.want(t, exitOK)
		r.report(t, &report)
		if report.Compression != "gzip:3" || report.Tables < 4 || report.Source != a || report.TargetLayout != "directory-format archive" {
			t.Errorf("report %+v", report)
		}
		if r = runWithoutServer(t, "convert", folder, b, "--quiet", "--restrict-key=kitchen"); r.code != exitOK || r.stderr != "" {
			t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
		}
		if x, y := readAll(t, a), readAll(t, b); !bytes.Equal(x, y) || len(x) == 0 {
			t.Errorf("%s: %d bytes, then %d", source, len(x), len(y))
		}
		wantMode(t, a, 0o600)
		wantMode(t, folder, 0o700)
		wantMode(t, filepath.Join(folder, "toc.dat"), 0o600)
		wantOnly(t, dir, "a.sql", "folder", "b.sql")
	}
}

// TestConvert_Options has options seen in the script.
func TestConvert_Options(t *testing.T) {
	source := filepath.Join(archives, "pg15", "kitchen.dump")
	for _, tt := range []struct {
		args       []string
		has, lacks string
	}{
		{[]string{"--no-owner"}, "\nGRANT ", " OWNER TO "},
		{[]string{"-O", "-x"}, "\nCREATE TABLE", "\nGRANT "},
		{[]string{"--no-privileges"}, " OWNER TO ", "\nGRANT "},
		{[]string{"--restrict-key", "abc"}, "\\restrict abc\n", "\\restrict kitchen\n"},
	} {
		target := filepath.Join(t.TempDir(), "x.sql")
		runWithoutServer(t, append([]string{"convert", source, target}, tt.args...)...).want(t, exitOK)
		text := string(readAll(t, target))
		if !strings.Contains(text, tt.has) || strings.Contains(text, tt.lacks) {
			t.Errorf("%q: has no %q or has %q", tt.args, tt.has, tt.lacks)
		}
	}
}

func TestConvert_Refusals(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	source := filepath.Join(archives, "pg15", "cellar")
	exists := put("exists.sql", "")
	custom := readAll(t, source+".dump")
	cut := put("cut.dump", string(custom[:len(custom)-30]))
	edited := put("edited.sql", "--\n-- PostgreSQL database dump\n--\n\nSELECT 1;\n")
	other := put("other.sql", "SELECT 1;\n")
	zip := put("x.zip", "PK\x03\x04")
	out := filepath.Join(dir, "out.sql")
	for _, tt := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"target exists", []string{source, exists}, exitFailed, []string{"exists.sql", "another name"}},
		{"no folder for the target", []string{source, filepath.Join(dir, "no", "x.sql")}, exitFailed, []string{"no"}},
		{"no source", []string{filepath.Join(dir, "none"), out}, exitFailed, []string{"none", "no such file"}},
		{"source cut off", []string{cut, out}, exitFormat, []string{"cut.dump", "take another copy"}},
		{"source edited", []string{edited, filepath.Join(dir, "folder")}, exitFormat, []string{"edited.sql", "line"}},
		{"not a dump", []string{other, filepath.Join(dir, "folder")}, exitFormat, []string{"other.sql"}},
		{"script to script", []string{edited, out}, exitUsage, []string{"script already", "convert --help"}},
		{"zip", []string{zip, out}, exitUsage, []string{"Odoo zip"}},
		{"script to zip", []string{edited, filepath.Join(dir, "y.zip")}, exitUsage, []string{"zips of archives"}},
		{"standard output", []string{source, "-"}, exitUsage, []string{"standard output"}},
		{"packed script", []string{source, out + ".gz"}, exitUsage, []string{"out.sql.gz"}},
		{"compressed zip", []string{source, filepath.Join(dir, "y.zip"), "-Z", "zstd"}, exitUsage, []string{"--compress"}},
		{"filestore of a script", []string{source, out, "--filestore", dir}, exitUsage, []string{"--filestore"}},
		{"to a custom-format dump", []string{source, filepath.Join(dir, "y.dump")}, exitUsage, []string{"y.dump"}},
		{"unknown compression", []string{source, filepath.Join(dir, "folder"), "-Z", "brotli"}, exitUsage, []string{"brotli", "zstd"}},
		{"compressed script", []string{source, out, "-Z", "gzip"}, exitUsage, []string{"--compress"}},
		{"archive without owners", []string{source, filepath.Join(dir, "folder"), "--no-owner"}, exitUsage, []string{"pg_restore"}},
		{"bad key", []string{source, out, "--restrict-key", "a b"}, exitUsage, []string{"--restrict-key"}},
		{"jobs", []string{source, out, "-j0"}, exitUsage, []string{"--jobs"}},
		{"one argument", []string{source}, exitUsage, []string{"SOURCE TARGET"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runWithoutServer(t, append([]string{"convert"}, tt.args...)...).want(t, tt.code, append(tt.says, "odx: error: ")...)
			wantOnly(t, dir, "exists.sql", "cut.dump", "edited.sql", "other.sql", "x.zip")
		})
	}
	if len(readAll(t, exists)) != 0 {
		t.Error("the target that existed has changed")
	}
}

// bigArchive makes an archive with so many bytes of rows.
func bigArchive(t *testing.T, size int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "big")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(archives, "pg15", "cellar"))); err != nil {
		t.Fatal(err)
	}
	row := []byte("4711\tSO04711\tdraft\t2026-01-31 12:34:56.789\t\\N\t1234.56\tsome text\n")
	text := append(bytes.Repeat(row, size/len(row)), "\\.\n\n\n"...)
	if err := os.WriteFile(filepath.Join(dir, "3376.dat"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "3376.dat.gz")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestConvert_Interrupt stops odx at moments spread over its work.
func TestConvert_Interrupt(t *testing.T) {
	big := bigArchive(t, 40<<20)
	text := filepath.Join(t.TempDir(), "big.sql")
	runWithoutServer(t, "convert", big, text).want(t, exitOK)
	const moments = 3
	for _, way := range []struct{ source, target string }{{big, "x.sql"}, {big, "x"}, {text, "x"}} {
		dir := t.TempDir()
		target := filepath.Join(dir, way.target)
		began := time.Now()
		runWithoutServer(t, "convert", way.source, target).want(t, exitOK)
		whole := time.Since(began)
		interrupted := 0
		for i := range moments {
			remove(t, target)
			sig := []os.Signal{os.Interrupt, syscall.SIGTERM}[i%2]
			switch code := interruptConvert(t, way.source, target, sig, whole*time.Duration(i)/moments/2); code {
			case exitOK: // it was faster this time
				wantOnly(t, dir, way.target)
			case exitInterrupted:
				interrupted++
				wantOnly(t, dir)
			default:
				t.Errorf("%s to %s: exit code %d after %s", way.source, way.target, code, sig)
			}
		}
		if interrupted == 0 {
			t.Errorf("%s to %s: never interrupted", way.source, way.target)
		}
	}
}

// interruptConvert sends a signal some time after the temporary file or folder
// of the target is there, and gives the exit code.
func interruptConvert(t *testing.T, source, target string, sig os.Signal, after time.Duration) int {
	t.Helper()
	cmd := withoutServer(t.Context(), "convert", source, target)
	startConvert(t, cmd, filepath.Dir(target))
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(sig) })
	defer timer.Stop()
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// TestConvert_Killed kills odx outright: odx clean finds what stays.
func TestConvert_Killed(t *testing.T) {
	big := bigArchive(t, 40<<20)
	for _, name := range []string{"x.sql", "x"} {
		dir := t.TempDir()
		for tries := 1; interruptConvert(t, big, filepath.Join(dir, name), os.Kill, 0) == exitOK; tries++ {
			if tries == 10 {
				t.Fatal("it was done each time before it was killed")
			}
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		left := mustReadDir(t, dir)
		if len(left) != 1 || !strings.HasPrefix(left[0], dumpfmt.TempPrefix) {
			t.Errorf("%q was left", left)
		}
		cleanIn(t, dir, "--yes").want(t, exitOK, "removed f", left[0])
		wantOnly(t, dir)
	}
}

// makeFast makes a small backup in the fast layout.
func makeFast(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, dumpfmt.ArchiveDir), os.DirFS(filepath.Join(archives, "pg15", "cellar"))); err != nil {
		t.Fatal(err)
	}
	series, err := dumpfmt.ParseSeries("17.0.1.3")
	if err != nil {
		t.Fatal(err)
	}
	modules := []dumpfmt.Module{{Name: "base", Version: dumpfmt.NullString{String: "17.0.1.3", Valid: true}}}
	record := dumpfmt.Record{Format: dumpfmt.RecordFormat, OdxVersion: "1.2",
		Started: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Finished: time.Date(2026, 1, 31, 12, 1, 0, 0, time.UTC),
		Database: dumpfmt.DatabaseRecord{Name: "cellar", Owner: "odoo"}}
	text, err := record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		dumpfmt.ManifestFile:             dumpfmt.NewManifest("cellar", series, 150020, modules).Encode(),
		dumpfmt.RecordFile:               text,
		dumpfmt.FilestoreDir + "/ab/abc": []byte("content"),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInspect_Golden holds what inspect prints against testdata.
func TestInspect_Golden(t *testing.T) {
	dir := t.TempDir()
	fast, broken := filepath.Join(dir, "fast"), filepath.Join(dir, "broken")
	makeFast(t, fast)
	makeFast(t, broken)
	remove(t, filepath.Join(broken, dumpfmt.ArchiveDir, "3376.dat.gz"))
	script := filepath.Join(dir, "cellar.sql")
	runWithoutServer(t, "convert", filepath.Join(archives, "pg15", "cellar"), script, "--restrict-key", "kitchen").want(t, exitOK)
	for name, args := range map[string][]string{
		"archive.txt":  {filepath.Join(archives, "pg17", "cellar")},
		"archive.json": {filepath.Join(archives, "pg18", "cellar-inserts"), "--json"},
		"custom.txt":   {filepath.Join(archives, "pg13", "kitchen.dump"), "-q"},
		"script.txt":   {script},
		"fast.txt":     {fast, "--quiet"},
		"fast.json":    {fast, "--json"},
		"damaged.txt":  {broken},
	} {
		r := runWithoutServer(t, append([]string{"inspect"}, args...)...)
		got := r.stdout + r.stderr
		if strings.HasSuffix(name, ".json") {
			got = reportOnly(t, r.stdout)
		}
		compareGolden(t, name, strings.ReplaceAll(got, dir, "DIR"))
	}
}

// reportOnly takes out of the JSON what differs from run to run.
func reportOnly(t *testing.T, text string) string {
	t.Helper()
	var o struct {
		Report json.RawMessage `json:"report"`
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, o.Report, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "inspect", name)
	if *update {
		if old, err := os.ReadFile(path); err == nil && string(old) == got {
			return
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s is updated: look at it", path)
		return
	}
	if want := string(readAll(t, path)); got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestInspect_Refusals(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{t.TempDir()}, exitFormat, "no dump in this folder"},
		{[]string{filepath.Join(t.TempDir(), "none")}, exitFailed, "none"},
		{[]string{}, exitUsage, "SOURCE"},
		{[]string{"a", "b"}, exitUsage, "2 arguments"},
	} {
		runWithoutServer(t, append([]string{"inspect"}, tt.args...)...).want(t, tt.code, tt.says)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain é 文": "plain é 文", "a\nb\tc\x1b[31m\x00": "a?b?c?[31m?", "latin \xe9": "latin ?",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
