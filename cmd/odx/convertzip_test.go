package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/bench"
	"odx/dumpfmt"
	"odx/parallel/pgcluster"
)

// TestConvert_RealZip takes the zip that a real Odoo 19 made to a folder and
// back. odx restores the folder; the judge is psql, which loads the dump.sql of
// the zip that came back as Odoo does.
func TestConvert_RealZip(t *testing.T) {
	if _, err := os.Stat(realZip); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the real Odoo 19 backup is not there")
	}
	// PostgreSQL 17 dumped it: older programs do not read such an archive.
	ran := 0
	for _, bin := range serverBins() {
		c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: bin})
		if err != nil {
			t.Fatal(err)
		}
		if c.Major() >= 17 {
			ran++
			t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) { testConvertRealZip(t, c) })
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	if ran == 0 {
		t.Skip("no PostgreSQL 17 or newer: name its programs' folder in ODX_TEST_PG")
	}
}

func testConvertRealZip(t *testing.T, c *pgcluster.Cluster) {
	w := &world{Cluster: c, data: t.TempDir()}
	dir := t.TempDir()
	folder, back := filepath.Join(dir, "folder"), filepath.Join(dir, "back.zip")
	w.odx(t, "convert", realZip, folder).want(t, exitOK)
	w.odx(t, "convert", folder, back).want(t, exitOK)
	w.odx(t, "convert", back, filepath.Join(dir, "again")).want(t, exitOK)
	if err := bench.CompareTrees(folder, filepath.Join(dir, "again")); err != nil {
		t.Error(err)
	}
	script := unpackZip(t, back, w.filestore("judge"))
	w.exec(t, "postgres", `CREATE DATABASE judge TEMPLATE template0 LC_COLLATE 'C'`)
	w.tool(t, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--file="+script, w.DSN("judge"))
	w.odx(t, "restore", folder, "restored", "--move", "--data-dir", w.data, "--pg-bin", w.BinDir()).want(t, exitOK)
	if err := bench.CompareTrees(w.filestore("judge"), w.filestore("restored")); err != nil {
		t.Error(err)
	}
	w.exec(t, "judge", "GRANT CREATE ON SCHEMA public TO PUBLIC") // as Odoo's restore does, and the report says
	wantSameScripts(t, sortRows(t, w.script(t, "judge")), sortRows(t, w.script(t, "restored")))
}

// sortRows writes a script again with the rows of each COPY block sorted: psql
// fills gaps that pg_restore does not leave, so the order on disk differs.
func sortRows(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	start := -1
	for i, line := range lines {
		switch {
		case start < 0 && strings.HasPrefix(line, "COPY ") && strings.HasSuffix(line, " FROM stdin;\n"):
			start = i + 1
		case start >= 0 && line == "\\.\n":
			slices.Sort(lines[start:i])
			start = -1
		}
	}
	sorted := path + ".sorted"
	if err := os.WriteFile(sorted, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return sorted
}

// TestConvert_ZipRefusals meets zips that cannot be converted: nothing is left,
// and the error names the member.
func TestConvert_ZipRefusals(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	source := filepath.Join(archives, "pg15", "cellar")
	runWithoutServer(t, "convert", source, at("good.zip")).want(t, exitOK)
	good := readAll(t, at("good.zip"))
	put := func(name string, data []byte) string {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	// Of a zip with odx's own members only what is needed is read.
	runWithoutServer(t, "convert", source, at("plain.zip"), "--no-sidecar").want(t, exitOK)
	flipped := readAll(t, at("plain.zip"))
	flipped[200] ^= 1 // in the data of dump.sql
	put("dump.sql", []byte("SELECT 1;\n"))
	zipped := func(name string, args ...string) string {
		cmd := exec.Command("zip", append([]string{"-q", name}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("zip: %v\n%s", err, out)
		}
		return at(name)
	}
	for _, tt := range []struct {
		name, path string
		says       []string
	}{
		{"cut off", put("cut.zip", good[:len(good)/2]), []string{"cut.zip"}},
		{"damaged", put("flipped.zip", flipped), []string{"dump.sql"}},
		{"not Odoo's", zipped("other.zip", "cut.zip"), []string{"no dump.sql"}},
		{"another program's script", zipped("script.zip", "dump.sql"), []string{"dump.sql", "offset 0"}},
		{"with a password", zipped("secret.zip", "-P", "secret", "dump.sql"), []string{"dump.sql", "encrypted"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runWithoutServer(t, "convert", tt.path, at("folder")).want(t, exitFormat, append(tt.says, "odx: error: ")...)
			runWithoutServer(t, "convert", tt.path, at("folder"), "--check").want(t, exitFormat, tt.says...)
			wantOnly(t, dir, "good.zip", "plain.zip", "cut.zip", "flipped.zip", "other.zip", "script.zip", "secret.zip", "dump.sql")
		})
	}
}

// TestConvert_ZipCheck has the proof printed.
func TestConvert_ZipCheck(t *testing.T) {
	dir := t.TempDir()
	zip, folder := filepath.Join(dir, "x.zip"), filepath.Join(dir, "folder")
	r := runWithoutServer(t, "convert", filepath.Join(archives, "pg15", "cellar"), zip, "--check")
	r.want(t, exitOK, "are the same on both sides", "SHA-256")
	r = runWithoutServer(t, "convert", zip, folder, "--check")
	r.want(t, exitOK, "are the same on both sides", "SHA-256")
	runWithoutServer(t, "convert", folder, filepath.Join(dir, "x.sql"), "--check").want(t, exitUsage, "from and to a zip")
}

// TestConvert_NamesLeftovers has what a killed conversion has left beside the
// target.
func TestConvert_NamesLeftovers(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "odx-tmp-x.zip-0123456789")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runWithoutServer(t, "convert", filepath.Join(archives, "pg15", "cellar"), filepath.Join(dir, "x.zip")).
		want(t, exitOK, "left over", left, "odx clean --no-server --yes "+dir)
	wantOnly(t, dir, "x.zip", filepath.Base(left))
}

// TestConvert_FilesMissing converts a backup that has lost a file since it was made.
func TestConvert_FilesMissing(t *testing.T) {
	dir := t.TempDir()
	backup := filepath.Join(dir, "backup")
	if err := errors.Join(os.CopyFS(filepath.Join(backup, dumpfmt.ArchiveDir), os.DirFS(filepath.Join(archives, "pg15/cellar"))),
		os.MkdirAll(filepath.Join(backup, dumpfmt.FilestoreDir, "ab"), 0o700),
		os.WriteFile(filepath.Join(backup, dumpfmt.RecordFile), []byte(`{"odx_format": 1, "filestore": {"files": 1}}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"", "--json", "--quiet"} {
		target := filepath.Join(dir, "x"+format+".zip")
		r := runWithoutServer(t, strings.Fields("convert "+format+" "+backup+" "+target)...)
		r.want(t, exitLosses, "odx.json says that it had 1")
		if format == "--json" && !strings.Contains(r.stdout, `"exit_code": 3`) {
			t.Errorf("stdout: %s", r.stdout)
		}
		readAll(t, target)
	}
}
