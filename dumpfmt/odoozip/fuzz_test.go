package odoozip

import (
	"bytes"
	"io"
	"testing"

	"odx/dumpfmt/fuzzing"
)

// maxFuzz is the size up to which inputs are tried: larger ones only take
// longer.
const maxFuzz = 1 << 16

// FuzzReader: what is accepted can be written again, member by member.
func FuzzReader(f *testing.F) {
	seeds := small(f)
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, zip := range seeds {
		f.Add(zip)
	}
	f.Fuzz(func(t *testing.T, zip []byte) {
		defer fuzzing.Bounded(t, len(zip))()
		if len(zip) > maxFuzz {
			return
		}
		readBroken(t, zip)
		r, err := NewReader(bytes.NewReader(zip), int64(len(zip)), "")
		if err != nil {
			return
		}
		var files []file
		for i := range r.Members {
			m := &r.Members[i]
			text, err := readMember(r, m)
			if err != nil || m.Name() == dotDir {
				return
			}
			files = append(files, file{cleanName(m.Name()), text})
		}
		again := write(t, files, Options{PieceSize: 1000}, true)
		checkFiles(t, newReader(t, again), files)
	})
}

// FuzzName: a name that passes stays below the folder that it is put into, on
// this system.
func FuzzName(f *testing.F) {
	for _, name := range []string{"dump.sql", "filestore/00/00aa", "a/", "../a", "a/../b", "/a", `..\a`, "c:a", "a//b", ".", "a\x00b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		defer fuzzing.Bounded(t, len(name))()
		if CheckName(name) != nil {
			return
		}
		checkSafe(t, name)
		w := newWriter(t, io.Discard, Options{})
		if KindOf(name) != KindDirectory {
			add(t, w, file{name: name}, true)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := newReader(t, craft(t, crafted{name: name}))
		if r.Members[0].Name() != name {
			t.Fatalf("read as %q", r.Members[0].Name())
		}
	})
}
