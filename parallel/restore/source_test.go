package restore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
)

// TestRun_InUse keeps what it reads from being removed, up to its end: the backup,
// and the one whose files it merges with.
func TestRun_InUse(t *testing.T) {
	s := newSite(t, "")
	backup, older := s.backup(), s.backup()
	discard := func(path string) error {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return dumpfmt.Discard(path, info)
	}
	r := s.newRun(backup)
	r.FilestoreFrom = older
	tries := 0
	r.hook = func(string) {
		tries++
		for _, path := range []string{backup, older} {
			if err := discard(path); !errors.Is(err, dumpfmt.ErrInUse) {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	report, err := r.do(t.Context())
	if err != nil || tries == 0 {
		t.Fatal(err, tries)
	}
	if m := report.Files.Merged; m == nil || m.Backup != 1 || m.Older != 0 || m.Same != 1 || report.Files.Files != 1 || report.Files.Missing != 0 {
		t.Errorf("%+v, %+v", report.Files, m)
	}
	for _, path := range []string{backup, older} {
		if err := discard(path); err != nil {
			t.Error(err)
		}
	}
}

// TestFindOlder tells a filestore from what is none.
func TestFindOlder(t *testing.T) {
	dir := t.TempDir()
	put := func(rel string) string {
		path := filepath.Join(dir, rel)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const sum = "2d711642b726b04401627ca9fbac32f5c8530fb1"
	for rel, want := range map[string]bool{
		"two/2d/" + sum: true, "three/2d7/" + sum: true, "checklist only/checklist/2d/" + sum: false,
		"of databases/db/2d/" + sum: false, "other name/ab/" + sum: false, "no digest/2d/2d": false, "flat/" + sum: false,
	} {
		put(rel)
		name, _, _ := strings.Cut(rel, "/")
		root := filepath.Join(dir, name)
		s := &source{layout: dumpfmt.LayoutZip}
		if err := s.findOlder(root); (err == nil) != want || err != nil && !errors.Is(err, ErrNoOlder) {
			t.Errorf("%s: %v", root, err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "nothing"), put("a file")} {
		if err := (&source{}).findOlder(path); !errors.Is(err, ErrNoOlder) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestFindBeside finds the files that lie beside a dump, if they are not those that
// they are to be merged with.
func TestFindBeside(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "filestore")
	path := filepath.Join(store, "2d", "2d711642b726b04401627ca9fbac32f5c8530fb1")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		layout dumpfmt.Layout
		older  string
		want   string
	}{
		{"folder", dumpfmt.LayoutArchive, "/elsewhere", store},
		{"packed", dumpfmt.LayoutPackedScript, "/elsewhere", store},
		{"has its own", dumpfmt.LayoutFast, "/elsewhere", ""},
		{"zip", dumpfmt.LayoutZip, "/elsewhere", ""},
		{"the same", dumpfmt.LayoutCustom, store, ""},
	} {
		s := &source{path: filepath.Join(dir, "upgraded.dump"), layout: tt.layout, older: tt.older}
		if s.findBeside(); s.filestore != tt.want {
			t.Errorf("%s: %q", tt.name, s.filestore)
		}
	}
}
