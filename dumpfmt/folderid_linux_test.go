package dumpfmt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFolderID removes a folder and makes others until one has its number, as file
// systems do soon: it is another all the same.
func TestFolderID(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	make := func(path string) string {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return FolderID(path)
	}
	first := make(at("first"))
	if err := os.Rename(at("first"), at("renamed")); err != nil {
		t.Fatal(err)
	}
	if got := FolderID(at("renamed")); got != first || first == "" {
		t.Fatalf("%q, and %q after it was renamed", first, got)
	}
	number, _, hasTime := strings.Cut(first, "-")
	if !hasTime {
		t.Logf("this file system does not know when a folder was made: %q", first)
		return
	}
	if err := os.Remove(at("renamed")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // file systems take the time of the kernel's last tick
	for range 1000 {
		again := make(at("again"))
		if again == first {
			t.Fatalf("another folder is %q too", first)
		}
		if strings.HasPrefix(again, number+"-") {
			return
		}
		if err := os.Remove(at("again")); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("no other folder got the number of the first one")
}
