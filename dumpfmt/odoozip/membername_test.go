package odoozip

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// storeName is the name of a file in a filestore whose folder is named by some
// digits of its SHA-1.
func storeName(start string, number, digits int) string {
	sum := fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, number)))
	return start + sum[:digits] + "/" + sum
}

// TestMember_Name keeps names that are shortened and those that look like them,
// mixed, and finds each.
func TestMember_Name(t *testing.T) {
	sum := storeName("", 2, 0)[1:] // begins with letters
	names := []string{
		DumpName, "filestore/" + sum, "filestore/x/" + sum, "filestore/" + strings.ToUpper(sum[:2]) + "/" + sum,
		"filestore/" + sum[:2] + "/" + strings.ToUpper(sum), "filestore/" + sum[:1] + "/" + sum, "filestore/" + sum[:4] + "/" + sum,
		"filestore/ff" + "/" + sum, "filestore/checklist/" + sum[:2] + "/" + sum, sum, sum[:2] + "/" + sum, sum[:2] + "/" + sum + "x",
		"other/" + sum[:2] + "/" + sum[:39] + "é", strings.Repeat("long/", 60) + sum[:2] + "/" + sum,
	}
	for i := range 100 {
		names = append(names, storeName("filestore/", i, 2), storeName("filestore/", i+1000, 3), storeName("other/filestore/", i, 2))
	}
	var members []crafted
	for _, name := range names {
		members = append(members, crafted{name: name})
	}
	r := newReader(t, craft(t, members...))
	shortened := 0
	for i, name := range names {
		m := &r.Members[i]
		if m.Name() != name || m.nameLen() != len(name) || r.Find(name) != m {
			t.Errorf("member %d is %q with %d bytes, want %q; found is %p of %p", i, m.Name(), m.nameLen(), name, r.Find(name), m)
		}
		if m.start.digits > 0 {
			shortened++
		}
		if _, err := readMember(r, m); err != nil {
			t.Error(err)
		}
	}
	if shortened != 303 {
		t.Errorf("%d names are shortened", shortened)
	}
	for _, name := range []string{"", "a", "filestore/", "filestore/00", "filestore/zz", sum + "0", storeName("filestore/", 5000, 2)} {
		if m := r.Find(name); m != nil {
			t.Errorf("%q found as %q", name, m.Name())
		}
	}
	var got []string
	for m := range r.ByPath() {
		got = append(got, m.Name())
	}
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
	if !slices.Equal(got, names) {
		t.Errorf("by path %q, want %q", got, names)
	}
}

// TestReader_TurnedAround has a directory in another order than the file, with a
// name twice: the last in the directory counts, which is the first in the file.
func TestReader_TurnedAround(t *testing.T) {
	for _, top := range []string{"", "top/", "./"} {
		var members []crafted
		names := []string{"zzz.sql", "a/x.txt", "a/x.txt", "zzz.sql", "odx/b.j", "a/x.txt", DumpName[1:]}
		for i, name := range names {
			name = top + name
			if i == len(names)-1 {
				name = top + "d" + name[len(top):] // the only one of another length, first in the file
			}
			after := int64((len(names) - 2 - i) * (localLen + len(top) + 7))
			members = append(members, crafted{name: name, change: func(e *entry) {
				if e.offset = 0; after >= 0 {
					e.offset = uint64(after) + localLen + uint64(len(top)) + 8
				}
			}})
		}
		r := newReader(t, craft(t, members...))
		if r.Top != top || len(r.Members) != len(names) {
			t.Fatalf("%d members in %q", len(r.Members), r.Top)
		}
		for name, offset := range map[string]int64{DumpName: 0, "a/x.txt": int64(localLen + len(top) + 8), "zzz.sql": int64(localLen + len(top) + 8 + 2*(localLen+len(top)+7))} {
			if m := r.Find(name); m == nil || m.Offset != offset {
				t.Errorf("%q: %s is %+v, want the one at %d", top, name, m, offset)
			}
		}
		for i := range r.Members {
			if m := &r.Members[i]; r.limit(m) <= m.Offset || m.Hidden == (r.Find(m.Rel()) == m) {
				t.Errorf("%q: %+v ends at %d", top, m, r.limit(m))
			}
		}
	}
}
