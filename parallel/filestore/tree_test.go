package filestore

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// long ago, with nanoseconds, which have to come through.
var longAgo = time.Date(2011, 3, 4, 5, 6, 7, 89012345, time.UTC)

// put writes a file below dir, with the folders that it needs, and dates it
// back.
func put(t testing.TB, dir, rel, content string) string {
	t.Helper()
	path := filepath.Join(dir, rel)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644),
		os.Chtimes(path, longAgo, longAgo))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// must fails the test on any of the errors.
func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// storeName is the store_fname that Odoo gives to content.
func storeName(content string) string {
	sum := sha1.Sum([]byte(content))
	name := hex.EncodeToString(sum[:])
	return name[:2] + "/" + name
}

// list describes what lies below dir: kind, content or target, and time.
func list(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		what := fmt.Sprint(info.Mode().Type(), " ", info.ModTime().UnixNano())
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %x", sha1.Sum(content))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			what = "link to " + target // the portable code leaves its time
		}
		found[rel] = what
		return nil
	}))
	return found
}

// wantTree fails the test unless two lists are the same.
func wantTree(t testing.TB, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%q is %q, want %q", name, got[name], want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%q should not be there", name)
		}
	}
}

// makeStore makes a filestore with about all that may lie in one, and gives
// its number of files.
func makeStore(t testing.TB) (dir string, files int64) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	add := func(rel, content string) { put(t, dir, rel, content); files++ }
	for i := range 300 {
		content := fmt.Sprintf("attachment %d", i)
		add(storeName(content), content)
	}
	add("checklist/ab/abcdef", "")
	add("f00/f00ba4", "three digits")
	add("empty", "")
	add("large", string(make([]byte, 3*bufSize+17)))
	for _, name := range []string{"a b", "*?", "-rf", "n\nl", "bad\xff\xfeutf", "日本", `back\slash`, "..x", string(make255())} {
		add("odd/"+name, name)
	}
	deep := "deep"
	for range 40 {
		deep = filepath.Join(deep, "d")
	}
	add(filepath.Join(deep, "bottom"), "deep down")
	must(t, os.Link(filepath.Join(dir, "large"), filepath.Join(dir, "odd", "hard link")))
	files++
	must(t, os.Mkdir(filepath.Join(dir, "empty folder"), 0o755))
	must(t, os.Symlink("odd/a b", filepath.Join(dir, "inside")))
	must(t, os.Symlink("../large", filepath.Join(dir, "odd", "up")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			return os.Chtimes(path, longAgo, longAgo)
		}
		return err
	}))
	return dir, files
}

func make255() []byte {
	name := make([]byte, 255)
	for i := range name {
		name[i] = 'x'
	}
	return name
}
