package convert

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"odx/dumpfmt/odoozip"
)

// TestZipWriter_Live packs files of a filestore in which Odoo works: what went, or
// is being written, is left out; of a filestore at rest neither can be.
func TestZipWriter_Live(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w := &zipWriter{c: &conversion{Options: Options{Consume: true}}}
	for _, tt := range []struct {
		name string
		size int64
		skip bool
	}{{"a", 3, false}, {"a", 2, true}, {"none", 3, true}} {
		f, err := w.open(root, tt.name, "filestore/"+tt.name, tt.size)
		if errors.Is(err, odoozip.ErrSkip) != tt.skip || !tt.skip && err != nil {
			t.Errorf("%+v: %v", tt, err)
		}
		if f != nil {
			_ = f.Close()
		}
	}
	if len(w.vanished) != 2 {
		t.Errorf("%+v", w.vanished)
	}
	w.c.Consume = false
	if _, err := w.open(root, "none", "filestore/none", 3); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("at rest: %v", err)
	}
}
