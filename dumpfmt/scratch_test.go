package dumpfmt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder for the time of a run is left alone while the run lasts.
func TestScratch(t *testing.T) {
	parent := t.TempDir()
	if err := os.Mkdir(filepath.Join(parent, "list"), 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := CreateScratch(parent, "list") // which is no target, and may exist
	if err != nil {
		t.Fatal(err)
	}
	if d.dir.lock == nil {
		t.Skip("folders cannot be locked here")
	}
	if left, _, err := Leftovers(parent); err != nil || len(left) != 0 {
		t.Errorf("in use, and yet left over: %v, %v", left, err)
	}
	d.dir.unlock() // as the kernel does when a process ends
	left, _, err := Leftovers(parent)
	if err != nil || len(left) != 1 {
		t.Fatalf("left over: %v, %v", left, err)
	}
	if said := left[0].Notice(); !strings.Contains(said, d.Path()) || !strings.HasSuffix(said, "odx clean --no-server --yes "+parent) {
		t.Errorf("people are told %q", said)
	}
	if err := d.Remove(); err != nil {
		t.Error(err)
	}
	wantNames(t, parent, "list")
}
