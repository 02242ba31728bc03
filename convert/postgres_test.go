package convert

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"odx/dumpfmt/render"
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

var dataFileLine = regexp.MustCompile(`(?m)^-- File: .*\n`)

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
		// Here pg_restore says more than pg_dump, whose scripts these are to be.
		script := dataFileLine.ReplaceAll(printed(t, tool, source, more...), nil)
		if err := os.WriteFile(text, script, 0o600); err != nil {
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
