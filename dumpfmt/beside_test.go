package dumpfmt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadBeside follows links within the backup's folder only, and reads what is
// a file of bounded size.
func TestReadBeside(t *testing.T) {
	outside, backup := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(outside, "secret"): "secret", filepath.Join(backup, "real"): "content", filepath.Join(outside, "kept", "x"): "secret",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"inside": "real", "out": filepath.Join(outside, "secret"), "up": "../" + filepath.Base(outside) + "/secret",
		"nowhere": "none", "endless": "/dev/zero", "kept": filepath.Join(outside, "kept"), "folder": ".",
	} {
		if err := os.Symlink(to, filepath.Join(backup, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]error{
		"real": nil, "inside": nil, "none": fs.ErrNotExist, "nowhere": fs.ErrNotExist,
		"out": ErrFormat, "up": ErrFormat, "endless": ErrFormat, "kept/x": ErrFormat, "folder": ErrFormat,
	} {
		data, err := ReadBeside(backup, name, 7)
		if !errors.Is(err, want) || want == nil && string(data) != "content" {
			t.Errorf("%s: %q, error %v, want %v", name, data, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret\"") {
			t.Errorf("%s: the error shows content: %v", name, err)
		}
	}
	if _, err := ReadBeside(backup, "real", 6); !errors.Is(err, ErrFormat) {
		t.Errorf("beyond the limit: %v", err)
	}
}

// TestFindStore follows a user's link to a filestore on another disk, and no link
// to anything else.
func TestFindStore(t *testing.T) {
	make := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	file := make("ab")
	if err := os.WriteFile(filepath.Join(file, "ac"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		to     string // "" for none
		link   bool
		refuse bool
	}{
		"a filestore":   {make("ab", "0f1", "checklist"), true, false},
		"an empty one":  {make(), true, false},
		"keys":          {make(".ssh"), false, true},
		"a file":        {file, false, true},
		"inside":        {"inner", false, false},
		"nothing there": {"none", false, false},
	} {
		backup := make("inner")
		if err := os.Symlink(tt.to, filepath.Join(backup, FilestoreDir)); err != nil {
			t.Fatal(err)
		}
		got, err := FindStore(backup)
		if errors.Is(err, ErrFormat) != tt.refuse || (err != nil) != tt.refuse || (got.Link != "") != tt.link {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if there := got.Path != ""; there == (tt.refuse || tt.to == "none") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, err := FindStore(make(FilestoreDir)); err != nil || got.Link != "" || got.Path == "" {
		t.Errorf("a folder: %+v, %v", got, err)
	}
}
