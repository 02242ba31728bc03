package convert

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

func compare(t *testing.T, a, b string) *Comparison {
	t.Helper()
	c, err := Compare(t.Context(), CompareOptions{A: a, B: b, Jobs: 2})
	if err != nil {
		t.Fatalf("%s and %s: %v", a, b, err)
	}
	return c
}

// TestCompare_Same compares the same database and filestore in all layouts.
func TestCompare_Same(t *testing.T) {
	good := goodBackups(t)
	without := []string{"custom", "archive", "kitchen.sql", "kitchen.sql.gz"}
	for a, pathA := range good {
		for b, pathB := range good {
			if slices.Contains(without, a) != slices.Contains(without, b) || a > b {
				continue
			}
			c := compare(t, pathA, pathB)
			// Only the folder that is made by hand has a checklist.
			onlyChecklist := !slices.ContainsFunc(c.Differences, func(d Difference) bool { return !strings.HasPrefix(d.Name, "checklist/") })
			if !onlyChecklist || c.Tables != 46 || c.Entries < 300 {
				t.Errorf("%s and %s: %+v", a, b, c)
			}
		}
	}
}

// TestCompare_Differences changes one thing after the other, in a folder and in
// a zip, and compares with the zip.
func TestCompare_Differences(t *testing.T) {
	good := goodBackups(t)
	for name, change := range map[string]struct {
		member string
		change func([]byte) []byte
		want   Difference
	}{
		"a row":           {"dump.sql", replaced(t, "2\tweb\t", "2\twob\t"), Difference{"data", "public.ir_module_module", inBoth}},
		"a large object":  {"dump.sql", replaced(t, "lowrite(0, '\\x", "lowrite(0, '\\x00"), Difference{"data", "large object ", inBoth}},
		"a definition":    {"dump.sql", replaced(t, "favourite integer,", "favourite bigint,"), Difference{"definition", "TABLE pantry.shelf", inBoth}},
		"the manifest":    {"manifest.json", replaced(t, "kitchen", "garden"), Difference{"manifest", "manifest.json", inBoth}},
		"a file":          {"filestore/" + abcFile, replaced(t, "b", "B"), Difference{"file", abcFile, inBoth + ": 3 bytes in both"}},
		"a file's size":   {"filestore/" + abcFile, replaced(t, "b", "bb"), Difference{"file", abcFile, inBoth + ": 3 and 4 bytes"}},
		"one file more":   {"filestore/ab/cd", nil, Difference{"file", "ab/cd", onlyInB}},
		"one member more": {"readme", nil, Difference{"member", "readme", onlyInB}},
		"a missing file":  {"filestore/" + abcFile, func([]byte) []byte { return nil }, Difference{"file", abcFile, onlyInA}},
	} {
		members := kitchenMembers(t)
		i := slices.IndexFunc(members, func(m member) bool { return m.name == change.member })
		switch {
		case i < 0:
			members = append(members, member{change.member, []byte("new")})
		default:
			members[i].text = change.change(members[i].text)
			if members[i].text == nil {
				members = slices.Delete(members, i, i+1)
			}
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "x.zip")
		makeZip(t, path, members)
		folder := filepath.Join(dir, "x")
		convert(t, Options{Source: path, Target: folder, Compression: DefaultCompression})
		for _, other := range []string{path, folder} {
			for _, source := range []string{good["foreign.zip"], good["own"]} {
				c := compare(t, source, other)
				if c.Same || c.Count != 1 {
					t.Errorf("%s: %s and %s: %+v", name, source, other, c)
					continue
				}
				if d := c.Differences[0]; d.Item != change.want.Item || !strings.HasPrefix(d.Name, change.want.Name) || !strings.HasPrefix(d.What, change.want.What) {
					t.Errorf("%s: %+v, want %+v", name, d, change.want)
				}
			}
		}
		if c := compare(t, path, folder); !c.Same {
			t.Errorf("%s: zip and its folder: %+v", name, c)
		}
	}
}

// TestCompare_Damaged tells damage from a difference.
func TestCompare_Damaged(t *testing.T) {
	good := goodBackups(t)
	bad := copyFolder(t, good["own"])
	file := dataFileOf(t, bad, "res_users")
	if err := os.Truncate(file, int64(len(readFile(t, file))-4)); err != nil {
		t.Fatal(err)
	}
	packed := readFile(t, good["kitchen.sql.gz"])
	cut, changed := filepath.Join(t.TempDir(), "cut.sql.gz"), filepath.Join(t.TempDir(), "changed.sql.gz")
	put(t, cut, packed[:len(packed)/2])
	packed[len(packed)-6] ^= 1 // of the CRC-32
	put(t, changed, packed)
	for _, pair := range [][2]string{{good["foreign.zip"], bad}, {bad, good["foreign.zip"]}, {cut, bad}, {good["kitchen.sql"], changed}} {
		if _, err := Compare(t.Context(), CompareOptions{A: pair[0], B: pair[1]}); !errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("%v: %v", pair, err)
		}
	}
}

// TestByFolder orders paths as filepath.WalkDir does.
func TestByFolder(t *testing.T) {
	want := []string{"a", "a/b", "a/b/c", "a/c", "a-", "ab", "ab/a", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, byFolder)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestSideSink has data that are told apart by more than schema, dot and name, or
// that come in parts.
func TestSideSink(t *testing.T) {
	read := func(tables [][3]string) map[string]digested {
		s := &side{data: map[string]digested{}}
		for _, table := range tables {
			w, err := sideSink{s}.Table(&pgarchive.Entry{Namespace: pgarchive.Str(table[0]), Tag: table[1]}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, table[2]); errors.Join(err, w.Close()) != nil {
				t.Fatal(err)
			}
		}
		return s.data
	}
	for name, tables := range map[string][][3]string{
		"dots":      {{"a", "b.c", "one\n"}, {"a.b", "c", "two\n"}},
		"two parts": {{"public", "t", "one\n"}, {"public", "t", "two\n"}},
	} {
		want := read(tables)
		if !maps.Equal(read(tables), want) {
			t.Errorf("%s: not the same twice", name)
		}
		for i := range tables {
			changed := slices.Clone(tables)
			changed[i][2] = "xxx\n"
			if maps.Equal(read(changed), want) {
				t.Errorf("%s: a change in part %d is not seen", name, i)
			}
		}
	}
}

// TestCompare_ScriptWithOwners compares an archive with a script of it that has
// owners: they are in one form only.
func TestCompare_ScriptWithOwners(t *testing.T) {
	source := testdata + "/pg15/cellar"
	path := filepath.Join(t.TempDir(), "x.sql")
	convert(t, Options{Source: source, Target: path})
	if c := compare(t, source, path); !c.Same {
		t.Errorf("%d differences: %+v", c.Count, c.Differences)
	}
}
