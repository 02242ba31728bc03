package convert

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/render"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
)

// TestRun_PgRestore has pg_restore read what conversions write.
func TestRun_PgRestore(t *testing.T) {
	for _, c := range compressions {
		t.Run(c, func(t *testing.T) {
			source := testdata + "/pg15/cellar"
			if m := compression(t, c).Method.String(); m == "lz4" || m == "zstd" {
				source = testdata + "/pg17/kitchen.dump" // read by releases that know these
			}
			a := openPath(t, source)
			tool := pgRestore(t, a.NeedsMajor())
			folder, text, rebuilt := filepath.Join(t.TempDir(), "x"), filepath.Join(t.TempDir(), "x.sql"), filepath.Join(t.TempDir(), "y")
			convert(t, Options{Source: source, Target: folder, Compression: compression(t, c)})
			convert(t, Options{Source: source, Target: text, RestrictKey: key})
			convert(t, Options{Source: text, Target: rebuilt, Compression: compression(t, c)})
			want := printed(t, tool, source)
			wantSame(t, "recoded", printed(t, tool, folder), want)
			wantSame(t, "rebuilt", printed(t, tool, rebuilt), want)
			if tool.Version.Major == 15 || tool.Version.Major == 17 {
				wantSame(t, "printed", script(t, source, render.Options{}), want)
			}
		})
	}
}

// pgRestore finds a pg_restore of that release, or of a newer one, or skips the
// test.
func pgRestore(t *testing.T, major int) pgtool.Tool {
	t.Helper()
	var newest pgtool.Tool
	for _, dir := range append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...) {
		finder := pgtool.Finder{BinDir: dir}
		if dir == "" {
			finder.Path = os.Getenv("PATH")
		}
		tools, err := finder.All(t.Context(), "pg_restore")
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			if tool.Version.Major == max(major, 15) {
				return tool
			}
			if tool.Version.Major > newest.Version.Major {
				newest = tool
			}
		}
	}
	if newest.Version.Major < major {
		t.Skipf("no pg_restore %d or newer", major)
	}
	return newest
}

// TestRun_Notes converts scripts that have more than an archive.
func TestRun_Notes(t *testing.T) {
	source := testdata + "/pg15/cellar"
	tool := pgRestore(t, openPath(t, source).NeedsMajor())
	for option, note := range map[string]string{"": "", "--verbose": "--verbose", "--create": "--create"} {
		var more []string
		if option != "" {
			more = append(more, option)
		}
		text := filepath.Join(t.TempDir(), "x.sql")
		if err := os.WriteFile(text, printed(t, tool, source, more...), 0o600); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(t.TempDir(), "x")
		r := convert(t, Options{Source: text, Target: folder})
		if notes := strings.Join(r.Notes, "; "); (notes == "") != (note == "") || !strings.Contains(notes, note) || r.RestrictKey != key {
			t.Errorf("%q: notes %q, key %q", option, notes, r.RestrictKey)
		}
		wantSame(t, option, printed(t, tool, folder), printed(t, tool, source))
	}
}

// TestRun_QuoteAll converts scripts in which all names are in quotes, and back.
func TestRun_QuoteAll(t *testing.T) {
	for _, dir := range append([]string{""}, filepath.SplitList(os.Getenv("ODX_TEST_PG"))...) {
		c, err := pgcluster.Start(t.Context(), pgcluster.Options{BinDir: dir})
		if missing := (*pgtool.NotFoundError)(nil); errors.As(err, &missing) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		})
		program := func(name string, args ...string) []byte {
			t.Helper()
			var out bytes.Buffer
			if _, err := pgtool.Run(t.Context(), pgtool.Command{Tool: filepath.Join(c.BinDir(), name), Args: args, Env: c.Env(), Stdout: &out}); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
		program("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", `
CREATE ROLE owner; CREATE ROLE "The owner"; CREATE SCHEMA "od d";
CREATE TABLE plain (id serial PRIMARY KEY); CREATE TABLE "od d"."select" (id integer) PARTITION BY RANGE (id);
ALTER TABLE plain OWNER TO owner; ALTER TABLE "od d"."select" OWNER TO "The owner";
CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f OWNER TO owner;
CREATE MATERIALIZED VIEW v AS SELECT * FROM plain; SELECT lo_create(4711); GRANT SELECT ON plain TO "The owner";`)
		for _, options := range [][]string{nil, {"--no-owner"}} {
			args := append(options, "--quote-all-identifiers", "postgres")
			if c.Major() > 13 {
				args = append(args, "--restrict-key="+key)
			}
			script := program("pg_dump", args...)
			text, folder, again := filepath.Join(t.TempDir(), "x.sql"), filepath.Join(t.TempDir(), "x"), filepath.Join(t.TempDir(), "again.sql")
			if err := os.WriteFile(text, script, 0o600); err != nil {
				t.Fatal(err)
			}
			r := convert(t, Options{Source: text, Target: folder})
			if notes := strings.Join(r.Notes, "; "); !strings.Contains(notes, "--quote-all-identifiers") {
				t.Errorf("notes %q", notes)
			}
			convert(t, Options{Source: folder, Target: again, QuoteAll: true, RestrictKey: key})
			wantSame(t, strings.Join(args, " "), readFile(t, again), script)
		}
	}
	_, err := Run(t.Context(), Options{Source: testdata + "/pg15/cellar", Target: filepath.Join(t.TempDir(), "x"),
		TargetLayout: dumpfmt.LayoutArchive, QuoteAll: true})
	if !errors.Is(err, ErrOptions) {
		t.Errorf("an archive with all names in quotes: %v", err)
	}
}

// printed gives pg_restore's script of an archive.
func printed(t *testing.T, tool pgtool.Tool, path string, more ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	args := append([]string{"-f", "-", "--restrict-key=" + key, path}, more...)
	_, err := pgtool.Run(t.Context(), pgtool.Command{Tool: tool.Path, Args: args,
		Env: os.Environ(), Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
