package restore

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
	"odx/parallel/pgtool"
)

// fixtures is the folder with scripts of each release, beside the repository.
const fixtures = "../../../shared/fixtures"

// program runs one of PostgreSQL's programs and gives what it prints.
func (s *site) program(name string, args ...string) (string, error) {
	var out bytes.Buffer
	_, err := pgtool.Run(s.t.Context(), pgtool.Command{Tool: filepath.Join(s.BinDir(), name), Args: args,
		Env: append(s.Env(), "PATH="+os.Getenv("PATH"), "PGTZ=UTC"), Stdout: &out})
	return out.String(), err
}

// sortedRows gives a script with the rows of each COPY block sorted.
func sortedRows(text string) string {
	lines := strings.SplitAfter(text, "\n")
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
	return strings.Join(lines, "")
}

// difference shows where two texts part; "" if they are the same.
func difference(got, want string) string {
	if got == want {
		return ""
	}
	return firstDifference(got, want)
}

// judge loads a script with psql into a database of that name, but for the one
// setting that older servers do not know, and what an older psql does not.
func (s *site) judge(name string, script []byte) error {
	s.t.Helper()
	s.dropIfThere(name)
	s.exec(s.admin, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'")
	path := filepath.Join(s.t.TempDir(), "judge.sql")
	if s.Major() < 17 {
		script = bytes.Replace(script, []byte("SET transaction_timeout = 0;\n"), nil, 1)
	}
	if s.Major() == 13 { // only its last releases know \restrict
		script = unrestricted(script)
	}
	if err := os.WriteFile(path, script, 0o600); err != nil {
		s.t.Fatal(err)
	}
	_, err := s.program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, "-f", path, s.DSN(name))
	return err
}

// unrestricted takes the first and the last of psql's commands out of a script.
func unrestricted(script []byte) []byte {
	before, after, found := bytes.Cut(script, []byte("\n\\restrict "))
	end := bytes.LastIndex(after, []byte("\n\\unrestrict "))
	if !found || end < 0 {
		return script
	}
	_, body, _ := bytes.Cut(after[:end], []byte("\n"))
	_, tail, _ := bytes.Cut(after[end+1:], []byte("\n"))
	return slices.Concat(before, []byte("\n"), body, []byte("\n"), tail)
}

// dropIfThere drops a database, also one with subscriptions.
func (s *site) dropIfThere(name string) {
	s.t.Helper()
	if s.one(s.admin, "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'") != "0" {
		s.dropAll(name)
	}
}

func readGzip(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// makeZip writes a zip as Odoo's, with a script and files of a filestore.
func makeZip(t *testing.T, script []byte, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	add := func(name string, data []byte) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("dump.sql", script)
	add("manifest.json", []byte("{}"))
	for name, text := range files {
		add("filestore/"+name, []byte(text))
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// newScriptRun prepares a restore of a script that keeps the database as it is.
func (s *site) newScriptRun(source string) *run {
	r := s.newRun(source)
	r.Copy, r.Analyze, r.Filestore, r.Jobs = false, false, "", 3
	return r
}

// TestRunScript_Fixtures restores the scripts of all releases that a server can
// load. The database is the one that psql makes of the same script, to the byte
// with Ordered. Every script that psql cannot load is refused, and nothing left.
func TestRunScript_Fixtures(t *testing.T) {
	if _, err := os.Stat(fixtures); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the shared fixtures are not there")
	}
	scripts, err := filepath.Glob(filepath.Join(fixtures, "pg*", "plain*.sql.gz"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(fixtures, "pg*", "cellar", "restore*.sql.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bin := range binDirs() {
		s := newSite(t, bin)
		t.Cleanup(func() { s.dropIfThere("judge"); s.dropIfThere("target") })
		s.makeKitchen()
		loaded := 0
		for _, path := range append(scripts, more...) {
			name, _ := filepath.Rel(fixtures, path)
			if strings.Contains(name, "create") {
				continue // makes its own database: see TestRunScript_Refusals
			}
			t.Run(fmt.Sprintf("%d/%s", s.Major(), name), func(t *testing.T) {
				s.t = t
				if s.sameAsPsql(path) {
					loaded++
				}
			})
		}
		s.t = t
		if loaded < 3 { // those of the oldest release
			t.Errorf("%d: %d scripts could be loaded", s.Major(), loaded)
		}
	}
}

// makeKitchen makes what the fixtures need outside of their databases.
func (s *site) makeKitchen() {
	s.t.Helper()
	roles, err := os.ReadFile(filepath.Join(fixtures, "roles.sql"))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.one(s.admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'kitchen_owner'") == "0" {
		s.exec(s.admin, string(roles))
	}
	for _, space := range []string{"cellar space", `Other "Space"`} {
		if s.one(s.admin, "SELECT count(*) FROM pg_tablespace WHERE spcname = '"+space+"'") != "0" {
			continue
		}
		dir := filepath.Join(s.Host(), fmt.Sprint(len(space))) // a folder of the server's user
		if _, err := s.admin.Exec(s.t.Context(), "COPY (SELECT) TO PROGRAM 'mkdir "+dir+"'"); err != nil {
			s.t.Fatal(err)
		}
		s.exec(s.admin, "CREATE TABLESPACE "+pgx.Identifier{space}.Sanitize()+" LOCATION '"+dir+"'")
	}
}

// sameAsPsql restores a script and compares it with what psql makes of it. It
// tells whether psql could load it.
func (s *site) sameAsPsql(path string) bool {
	t := s.t
	t.Helper()
	// Owners are those of the restore, so the judge is the script without them.
	without := strings.Replace(path, "plain.sql.gz", "plain-noowner.sql.gz", 1)
	judgeErr := s.judge("judge", withoutOwners(readGzip(t, without)))
	for _, ordered := range []bool{false, true} {
		s.dropIfThere("target")
		r := s.newScriptRun(path)
		r.Ordered = ordered
		if !ordered { // the same in a zip
			r.Source = makeZip(t, readGzip(t, path), nil)
		}
		_, err := r.do(t.Context())
		switch {
		case (err == nil) != (judgeErr == nil):
			t.Fatalf("ordered %t: %v; psql: %v", ordered, err, judgeErr)
		case err != nil:
			s.nothingLeft()
			continue
		}
		got, want := s.text("target"), s.text("judge")
		if !ordered {
			got, want = sortedRows(got), sortedRows(want)
		}
		if d := difference(got, want); d != "" {
			t.Errorf("ordered %t: %s", ordered, d)
		}
	}
	s.dropIfThere("target")
	return judgeErr == nil
}

// withoutOwners takes the statements about owners out of a small script.
func withoutOwners(script []byte) []byte {
	lines := bytes.SplitAfter(script, []byte("\n"))
	lines = slices.DeleteFunc(lines, func(line []byte) bool {
		return bytes.HasPrefix(line, []byte("ALTER ")) && bytes.Contains(line, []byte(" OWNER TO ")) && bytes.HasSuffix(line, []byte(";\n"))
	})
	return bytes.Join(lines, nil)
}

// wide has tables of several pieces, long rows, many columns, and rows in an
// order that only one COPY keeps.
const wide = `
CREATE TABLE big (id int, what text);
INSERT INTO big SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 40000) g ORDER BY md5(g::text);
CREATE TABLE longrow (id int, what text);
INSERT INTO longrow SELECT g, repeat(chr(64 + g), 13000000) FROM generate_series(1, 5) g;
INSERT INTO longrow SELECT g, 'short' FROM generate_series(6, 9) g;
CREATE TABLE nothing ();
INSERT INTO nothing SELECT FROM generate_series(1, 3);
CREATE TABLE empty (id int);
CREATE TABLE "odd "" table" (id int GENERATED ALWAYS AS IDENTITY, "a b" text, double int GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO "odd "" table" ("a b") SELECT E'x\\.\n\ty' FROM generate_series(1, 1000);
ALTER TABLE big ADD PRIMARY KEY (id);
SELECT lo_from_bytea(4711, convert_to(repeat('0123456789abcdef', 600000), 'UTF8')), lo_from_bytea(4712, ''), lo_from_bytea(4713, '\x00ff');
`

// TestRunScript_Wide restores rows and large objects that are longer than a
// piece, from COPY and from INSERT statements.
func TestRunScript_Wide(t *testing.T) {
	for _, bin := range binDirs() {
		s := newSite(t, bin)
		s.drop("source")
		s.exec(s.admin, "CREATE DATABASE source TEMPLATE template0 ENCODING 'UTF8'")
		t.Cleanup(func() { s.drop("source") })
		s.exec(s.connect("source"), wide)
		want := s.text("source")
		inserted := []string{"inserted", "--inserts", "--rows-per-insert=3"}
		if s.Major() < 14 { // takes no generated column in a statement with several rows
			inserted = inserted[:2]
		}
		for _, kind := range [][]string{{"copied"}, inserted} {
			path := filepath.Join(t.TempDir(), "dump.sql")
			if _, err := s.program("pg_dump", append(kind[1:], "--file="+path, s.DSN("source"))...); err != nil {
				t.Fatal(err)
			}
			for _, ordered := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d, %s, ordered %t", s.Major(), kind[0], ordered), func(t *testing.T) {
					r := s.newScriptRun(path)
					r.Ordered = ordered
					if _, err := r.do(t.Context()); err != nil {
						t.Fatal(err)
					}
					got, want := s.text("target"), want
					if !ordered {
						got, want = sortedRows(got), sortedRows(want)
					}
					if d := difference(got, want); d != "" {
						t.Error(d)
					}
					s.drop("target")
				})
			}
		}
	}
}

// script gives the script of a database with these statements.
func (s *site) script(sql ...string) []byte {
	s.t.Helper()
	s.drop("source")
	s.exec(s.admin, "CREATE DATABASE source TEMPLATE template0 ENCODING 'UTF8'")
	s.t.Cleanup(func() { s.drop("source") })
	c := s.connect("source")
	for _, statement := range sql {
		s.exec(c, statement)
	}
	text, err := s.program("pg_dump", "--no-owner", s.DSN("source"))
	if err != nil {
		s.t.Fatal(err)
	}
	return []byte(text)
}

const letterName = "ab/abcdefabcdefabcdefabcdefabcdefabcdefabcd"

// odooZip makes the zip of a small database of Odoo's with one attachment.
func (s *site) odooZip(files map[string]string, sql ...string) string {
	s.t.Helper()
	statements := append([]string{odooTables, "INSERT INTO ir_attachment (store_fname, file_size) VALUES ('" + letterName + "', 6)",
		"CREATE TABLE big AS SELECT g AS id, repeat(md5(g::text), 40) AS what FROM generate_series(1, 20000) g"}, sql...)
	return makeZip(s.t, s.script(statements...), files)
}

// TestRunScript_Zip restores a zip with its filestore, as another owner, and
// says what is missing.
func TestRunScript_Zip(t *testing.T) {
	s := newSite(t, "")
	if err := os.Chmod(s.data, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		files   map[string]string
		missing int64
		damaged int64
	}{
		{"all there", map[string]string{letterName: "letter", "checklist/ab/x": ""}, 0, 0},
		{"missing", map[string]string{"cd/other": "x"}, 1, 0},
		{"of another size", map[string]string{letterName: "let"}, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.t = t
			r := s.newRun(s.odooZip(tc.files))
			r.Jobs = 2
			report, err := r.do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if f := report.Files; f == nil || f.Missing != tc.missing || f.Damaged != tc.damaged || f.Files != int64(len(tc.files)) {
				t.Errorf("files %+v", f)
			}
			if report.Layout != dumpfmt.LayoutZip.String() || len(report.Reset) == 0 {
				t.Errorf("report %+v", report)
			}
			for name, want := range tc.files {
				path := filepath.Join(s.data, "target", name)
				got, err := os.ReadFile(path)
				if err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", name, got, err)
				}
				wantModes(t, path)
			}
			if got := s.one(s.connect("target"), "SELECT count(*) FROM big"); got != "20000" {
				t.Errorf("%s rows", got)
			}
			s.drop("target")
			if err := os.RemoveAll(filepath.Join(s.data, "target")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// wantModes makes sure that a file and its folder have the data folder's modes.
func wantModes(t *testing.T, path string) {
	t.Helper()
	for p, want := range map[string]fs.FileMode{path: 0o640, filepath.Dir(path): 0o750} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", p, info.Mode(), err, want)
		}
	}
}

// TestRunScript_FailsAtEachStep does the same to the restore of a zip.
func TestRunScript_FailsAtEachStep(t *testing.T) {
	s := newSite(t, "")
	backup := s.odooZip(map[string]string{letterName: "letter"})
	s.failAtEachStep(t, backup, append([]string{"objects made", "data loaded"}, steps...))
}

// TestRunScript_Damaged has sources that fail in their middle. The error says
// where, and nothing is left.
func TestRunScript_Damaged(t *testing.T) {
	s := newSite(t, "")
	good := s.odooZip(map[string]string{letterName: "letter"})
	script := s.script(odooTables, "CREATE TABLE big AS SELECT g AS id, md5(g::text) AS what FROM generate_series(1, 200000) g")
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(script); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	flip := func(data []byte, at int) []byte {
		data = bytes.Clone(data)
		data[at] ^= 0x10
		return data
	}
	insert := func(text string) []byte {
		return bytes.Replace(script, []byte("\n150000\t"), []byte("\n"+text+"150000\t"), 1)
	}
	stored := makeStored(t, bytes.Replace(script, []byte("\n150000\t"), []byte("\n150001\t"), 1), script)
	for _, tc := range []struct {
		name, source string
		wants        []string
		isFormat     bool
	}{
		{"zip with a flipped bit", put("x.zip", flip(data, len(data)/2)), []string{"dump.sql"}, true},
		{"zip with a bit flipped early", put("x.zip", flip(data, len(data)/8)), []string{"dump.sql"}, true},
		{"zip with a wrong CRC", stored, []string{"dump.sql", "CRC-32"}, true},
		{"zip that is cut off", put("x.zip", data[:len(data)/2]), nil, true},
		{"gzip that is cut off", put("x.sql.gz", packed.Bytes()[:packed.Len()/2]), []string{"x.sql.gz", "damaged"}, true},
		{"gzip with a flipped bit", put("x.sql.gz", flip(packed.Bytes(), packed.Len()/2)), nil, true},
		{"gzip with a wrong CRC", put("x.sql.gz", flip(packed.Bytes(), packed.Len()-6)), []string{"damaged"}, true},
		{"script that is cut off", put("x.sql", script[:len(script)/2]), []string{"x.sql"}, true},
		{"row with a column too many", put("x.sql", insert("1\t2\t3\n")), []string{`"public"."big"`, "extra data"}, false},
		{"row of another type", put("x.sql", insert("one\ttwo\n")), []string{`"public"."big"`, "integer"}, false},
		{"psql command", put("x.sql", append(bytes.Clone(script), "\\! false\n"...)), []string{"x.sql"}, true},
		{"psql command before the data", put("x.sql", bytes.Replace(script, []byte("CREATE TABLE"), []byte("\\! id\nCREATE TABLE"), 1)), []string{`\! id`}, true},
		{"connect", put("x.sql", bytes.Replace(script, []byte("--\n-- Data for Name"), []byte("\\connect postgres\n--\n-- Data for Name"), 1)), []string{`\connect`}, true},
		{"error before the data", put("x.sql", bytes.Replace(script, []byte("    what text"), []byte("    what texture"), 1)), []string{"texture"}, false},
		{"error after the data", put("x.sql", bytes.Replace(script, []byte("PRIMARY KEY (id)"), []byte("PRIMARY KEY (ib)"), 1)), []string{"ib"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := s.newRun(tc.source)
			r.Jobs = 2
			_, err := r.do(t.Context())
			if err == nil || errors.Is(err, dumpfmt.ErrFormat) != tc.isFormat {
				t.Errorf("error %v", err)
			}
			for _, want := range tc.wants {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			s.nothingLeft()
		})
	}
}

// makeStored makes a zip that stores one script under the CRC-32 of another.
func makeStored(t *testing.T, script, other []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stored.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	z := zip.NewWriter(&whole)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "dump.sql", Method: zip.Store})
	if err == nil {
		_, err = w.Write(other)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(bytes.Replace(whole.Bytes(), other, script, 1))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRunScript_Refusals meets what is refused before the server is touched, and
// targets that exist.
func TestRunScript_Refusals(t *testing.T) {
	s := newSite(t, "")
	if err := os.MkdirAll(filepath.Join(s.data, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	backup := s.odooZip(map[string]string{letterName: "letter"})
	text, err := s.program("pg_dump", "--create", s.DSN("source"))
	if err != nil {
		t.Fatal(err)
	}
	creating := filepath.Join(t.TempDir(), "create.sql")
	if err := os.WriteFile(creating, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.newRun(creating)
	if _, err := r.do(t.Context()); !errors.Is(err, dumpfmt.ErrUnsupported) || !strings.Contains(err.Error(), `\connect`) {
		t.Errorf("script that connects: %v", err)
	}
	r = s.newRun(backup)
	r.Database = "postgres"
	if _, err := r.do(t.Context()); !errors.Is(err, ErrExists) {
		t.Errorf("database that exists: %v", err)
	}
	r = s.newRun(backup)
	r.Filestore = filepath.Join(s.data, "taken")
	if _, err := r.do(t.Context()); !errors.Is(err, ErrExists) {
		t.Errorf("filestore that exists: %v", err)
	}
	if err := os.Remove(filepath.Join(s.data, "taken")); err != nil {
		t.Fatal(err)
	}
	s.nothingLeft()
}

// TestRunScript_OtherOwner restores as a role that is no superuser. Everything
// belongs to it.
func TestRunScript_OtherOwner(t *testing.T) {
	s := newSite(t, "")
	s.exec(s.admin, `DROP ROLE IF EXISTS maker2; DROP ROLE IF EXISTS odoo2; CREATE ROLE odoo2; CREATE ROLE maker2 LOGIN CREATEDB IN ROLE odoo2`)
	backup := s.odooZip(nil, "REVOKE ALL ON big FROM PUBLIC", "SELECT lo_from_bytea(4711, 'x')")
	r := s.newRun(backup)
	r.Server, r.Owner, r.Filestore = s.settings("maker2"), "odoo2", ""
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := s.connect("target")
	for _, sql := range []string{
		"SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) <> 'odoo2'",
		"SELECT count(*) FROM pg_largeobject_metadata WHERE pg_get_userbyid(lomowner) <> 'odoo2'",
	} {
		if got := s.one(c, sql); got != "0" {
			t.Errorf("%s: %s", sql, got)
		}
	}
	s.drop("target")
}

// TestLoadTarget has entries that must not be emptied.
func TestLoadTarget(t *testing.T) {
	s := newSite(t, "")
	script := s.script("CREATE TABLE parted (id int) PARTITION BY RANGE (id)", "CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (500)",
		"CREATE TABLE part2 PARTITION OF parted FOR VALUES FROM (500) TO (1000)", "INSERT INTO parted SELECT generate_series(0, 999)")
	text, err := s.program("pg_dump", "--load-via-partition-root", s.DSN("source"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range [][]byte{script, []byte(text)} {
		path := filepath.Join(t.TempDir(), "x.sql")
		if err := os.WriteFile(path, script, 0o600); err != nil {
			t.Fatal(err)
		}
		r := s.newScriptRun(path)
		r.Ordered = true
		if _, err := r.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.one(s.connect("target"), "SELECT count(*) || ' ' || count(DISTINCT id) FROM parted"); got != "1000 1000" {
			t.Errorf("%s rows", got)
		}
		s.drop("target")
	}
}
