package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCopy_Verification tells files that are what their names say from those
// that are not, however many workers copy them. The copy is the same.
func TestCopy_Verification(t *testing.T) {
	source, files := makeStore(t)
	bad := storeName("what was written")
	put(t, source, bad, "what was writt")
	put(t, source, "checklist/"+storeName("spooled"), "")
	for _, jobs := range []int{1, 2, 8} {
		v := NewVerification(0)
		target := filepath.Join(t.TempDir(), "copy")
		var counters Counters
		r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: jobs, Verification: v, Counters: &counters})
		must(t, err, r.Err())
		wantTree(t, list(t, target), list(t, source))
		n, paths := v.Wrong()
		if v.Right() != 300 || n != 1 || !slices.Equal(paths, []string{bad}) || r.Files != files+2 || counters.Bytes.Load() != r.Bytes {
			t.Errorf("%d right, %d wrong (%q), %+v", v.Right(), n, paths, r)
		}
	}
}

// TestLink links what the list names and what has not changed, and nothing else.
func TestLink(t *testing.T) {
	parent := t.TempDir()
	source, from, target := filepath.Join(parent, "source"), filepath.Join(parent, "from"), filepath.Join(parent, "target")
	same, digits := storeName("same"), storeName("three digits")[3:]
	three := digits[:3] + "/" + digits
	names := map[string]string{}
	both := func(what, rel string) string {
		for _, dir := range []string{source, from} {
			must(t, os.Chmod(put(t, dir, rel, "content"), 0o600))
		}
		names[what] = rel
		return filepath.Join(from, rel)
	}
	both("same", same)
	both("three digits", three)
	both("not in the list", storeName("not in the list"))
	both("wrong before", storeName("wrong before"))
	both("no SHA-1", "ab/letter")
	both("too deep", "ab/"+storeName("too deep"))
	both("uppermost", storeName("uppermost")[3:])
	both("other size in the list", storeName("other size in the list"))
	must(t, os.Chmod(both("mode", storeName("mode")), 0o644))
	size := both("size", storeName("size"))
	must(t, os.WriteFile(size, []byte("conten"), 0o600), os.Chtimes(size, longAgo, longAgo))
	must(t, os.Chtimes(both("time", storeName("time")), longAgo, longAgo.Add(time.Nanosecond*1000)))
	must(t, os.Remove(both("gone", storeName("gone"))))
	link := both("link", storeName("link"))
	must(t, os.Remove(link), os.Symlink(filepath.Join(from, same), link))
	must(t, os.Remove(both("folder", "ee/"+storeName("folder")[3:])), os.RemoveAll(filepath.Join(from, "ee")), os.Symlink("../elsewhere", filepath.Join(from, "ee")))
	must(t, os.Chmod(put(t, parent, "elsewhere/"+filepath.Base(names["folder"]), "content"), 0o600))

	var rows []string
	for what, rel := range names {
		size := 7
		if what == "other size in the list" {
			size = 8
		}
		if what != "not in the list" {
			rows = append(rows, fmt.Sprintf("%s\t%d\n", rel, size))
		}
	}
	slices.Sort(rows)
	for _, jobs := range []int{1, 4} {
		must(t, os.RemoveAll(target))
		linked, err := Link(t.Context(), strings.NewReader(strings.Join(rows, "")+"s3://elsewhere\t7\n"), LinkOptions{
			Source: source, From: from, Target: target, Jobs: jobs, Except: map[string]bool{names["wrong before"]: true},
		})
		must(t, err)
		if linked.Links != 2 || linked.NotLinked != 2 || linked.Why == "" { // mode and time
			t.Errorf("%+v", linked)
		}
		r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: jobs})
		must(t, err, r.Err())
		if r.Present != 2 {
			t.Errorf("%d files were present, want 2", r.Present)
		}
		wantTree(t, list(t, target), list(t, source))
		for what, rel := range names {
			is, err := os.Lstat(filepath.Join(target, rel))
			must(t, err)
			was, err := os.Lstat(filepath.Join(from, rel))
			linked := err == nil && os.SameFile(is, was)
			if want := what == "same" || what == "three digits"; linked != want {
				t.Errorf("%s: linked is %v", what, linked)
			}
		}
	}
}
