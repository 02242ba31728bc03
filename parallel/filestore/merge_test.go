package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCopy_Merge lays an older tree below a newer one: what both have is kept
// once, and of files that bear a SHA-1 the one that has it wins.
func TestCopy_Merge(t *testing.T) {
	older, want := t.TempDir(), map[string]string{}
	fresh := func(dir string) {
		for rel, content := range map[string]string{
			storeName("both"): "both", storeName("broken there"): "broken there", storeName("broken here"): "roken here",
			storeName("broken in both"): "x", "checklist/ab/spool": "", "odd/name": "new", storeName("new"): "new", "link": "a file",
		} {
			must(t, os.Chtimes(put(t, dir, rel, content), longAgo, longAgo.Add(time.Hour)))
		}
	}
	for rel, content := range map[string]string{
		storeName("both"): "both", storeName("broken there"): "roken there", storeName("broken here"): "broken here",
		storeName("broken in both"): "yy", "checklist/ab/spool": "", "odd/name": "old", storeName("old"): "old", "f00/f00ba4": "three digits",
	} {
		put(t, older, rel, content)
	}
	must(t, os.Symlink("odd/name", filepath.Join(older, "link")))
	for _, name := range []string{"both", "broken there", "broken here", "new", "old"} {
		want[storeName(name)] = name
	}
	want["checklist/ab/spool"], want["odd/name"], want["link"], want["f00/f00ba4"], want[storeName("broken in both")] = "", "new", "a file", "three digits", "x"
	before := list(t, older)
	for _, jobs := range []int{1, 4} {
		for _, hard := range []bool{false, true} {
			target := filepath.Join(t.TempDir(), "target")
			fresh(target)
			r, err := Copy(t.Context(), Options{Source: older, Target: target, Jobs: jobs, Merge: true, HardLink: hard})
			must(t, err, r.Err())
			differing := []string{storeName("broken there"), storeName("broken here"), storeName("broken in both"), "odd/name", "link"}
			slices.Sort(differing)
			if r.Files != 3 || r.Same != 2 || r.Differ != 5 || !slices.Equal(r.Differing, differing) {
				t.Errorf("%+v", r)
			}
			got := map[string]string{}
			must(t, fs.WalkDir(os.DirFS(target), ".", func(rel string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				text, err := os.ReadFile(filepath.Join(target, rel))
				got[rel] = string(text)
				return err
			}))
			wantTree(t, got, want)
			wantTree(t, list(t, older), before)

			r, err = Copy(t.Context(), Options{Source: older, Target: target, Jobs: jobs, Merge: true})
			must(t, err)
			if r.Files != 0 || r.Same != 5 || r.Differ != 4 {
				t.Errorf("again: %+v", r)
			}
		}
	}
}

// TestCopy_MergeRefused has a folder where the target has a file.
func TestCopy_MergeRefused(t *testing.T) {
	older, target := t.TempDir(), t.TempDir()
	put(t, older, "ab/file", "x")
	put(t, target, "ab", "a file")
	_, err := Copy(t.Context(), Options{Source: older, Target: target, Merge: true})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(target, "ab")) {
		t.Error(err)
	}
}

// TestCopy_HardLink links what has the owner and mode that it is to have, and
// copies the rest. What is done to the copy's folder does not reach the source.
func TestCopy_HardLink(t *testing.T) {
	source, files := makeStore(t)
	other := filepath.Join(source, storeName("attachment 7"))
	must(t, os.Chmod(other, 0o600))
	want := list(t, source)
	for _, jobs := range []int{1, 4} {
		target := filepath.Join(t.TempDir(), "copy")
		give := &Permissions{UID: os.Getuid(), GID: -1, FileMode: 0o644, DirMode: 0o750}
		var counters Counters
		o := Options{Source: source, Target: target, Jobs: jobs, HardLink: true, Permissions: give, Counters: &counters}
		r, err := Copy(t.Context(), o)
		must(t, err, r.Err())
		if r.Files != files || r.HardLinked != files-1 || r.NotLinked != 1 || counters.Bytes.Load() != r.Bytes || counters.Files.Load() != files {
			t.Errorf("%+v of %d files", r, files)
		}
		if len(r.WhyNotLinked) != 1 || r.WhyNotLinked[0].Path != other || !strings.Contains(r.WhyNotLinked[0].String(), "mode 0600, and is to have") {
			t.Errorf("why: %v", r.WhyNotLinked)
		}
		wantTree(t, list(t, target), want)
		if info, err := os.Stat(filepath.Join(target, storeName("attachment 7"))); err != nil || info.Mode() != 0o644 {
			t.Errorf("the copied file: %v, %v", info, err)
		}
		r, err = Copy(t.Context(), o)
		must(t, err)
		if r.Files != files || r.Present != files || r.HardLinked+r.NotLinked != 0 {
			t.Errorf("again: %+v", r)
		}
		must(t, os.RemoveAll(target))
		wantTree(t, list(t, source), want)
	}
}

// TestPermissions_Suit compares owner, group and mode.
func TestPermissions_Suit(t *testing.T) {
	me := os.Geteuid()
	for _, tt := range []struct {
		give Permissions
		have meta
		want bool
	}{
		{*alone, meta{uid: me, gid: 7, mode: 0o600}, true},
		{*alone, meta{uid: me, gid: 7, mode: 0o640}, false},
		{*alone, meta{uid: me + 1, gid: 7, mode: 0o600}, false},
		{Permissions{UID: 5, GID: 6, FileMode: 0o644}, meta{uid: 5, gid: 6, mode: 0o644}, true},
		{Permissions{UID: 5, GID: 6, FileMode: 0o644}, meta{uid: 5, gid: 7, mode: 0o644}, false},
		{Permissions{UID: 5, GID: 6, FileMode: 0o644}, meta{uid: 5, gid: 6, mode: 0o4644}, false},
		{Permissions{UID: 5, GID: -1, FileMode: 0o644}, meta{uid: 5, gid: 7, mode: 0o644}, true},
	} {
		if got := tt.give.suit(tt.have); got != tt.want {
			t.Errorf("%s, and the file has %+v: %v", &tt.give, tt.have, got)
		}
	}
	if got, want := (&Permissions{UID: -1, GID: 6}).String(), fmt.Sprintf("%d:6 and 0600", me); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCanLink looks at a filestore as a whole by one of its files.
func TestCanLink(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "data", "filestore")
	fits := Permissions{UID: -1, GID: -1, FileMode: 0o640}
	if CanLink(from, to, fits) {
		t.Error("nothing is there")
	}
	must(t, os.Chmod(put(t, from, "ab/file", "x"), 0o640))
	if !CanLink(from, to, fits) {
		t.Error("it fits")
	}
	if CanLink(from, to, *alone) {
		t.Error("it has another mode")
	}
}
