package dumpfmt

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestWritebackFile writes what is more than a stretch in each way, across the
// bounds of stretches.
func TestWritebackFile(t *testing.T) {
	dir := t.TempDir()
	want := make([]byte, 3*writebackStretch+12345)
	rand.NewChaCha8([32]byte{1}).Read(want)
	part := filepath.Join(dir, "part")
	if err := os.WriteFile(part, want[writebackStretch-100:2*writebackStretch], 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := os.Open(part)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	f, err := CreateNew(filepath.Join(dir, "whole"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range [][]byte{want[:5], want[5 : writebackStretch-100]} {
		if _, err := f.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.ReadFrom(source); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(want[2*writebackStretch:]); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("content differs, %v", err)
	}
	if f.written != int64(len(want)) || f.written-f.begun >= writebackStretch {
		t.Errorf("written %d, begun up to %d", f.written, f.begun)
	}
}
