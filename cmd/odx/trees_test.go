package main

import (
	"crypto/sha1"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// contents reads all files of a folder, by their paths in it.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(rel string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, rel))
		found[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantContents(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := contents(t, dir)
	for rel, text := range want {
		if is, ok := got[rel]; !ok || is != text {
			t.Errorf("%s: there is %t, %d bytes, want %d", rel, ok, len(is), len(text))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}

// describeTree gives mode, owner's inode, time and content of all in a folder.
func describeTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(rel string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		found[rel] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(filepath.Join(dir, rel))
			found[rel] += fmt.Sprintf(" %x", sha1.Sum(text))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantSameTree(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	if !maps.Equal(describeTree(t, dir), before) {
		t.Errorf("%s was altered", dir)
	}
}

// sharedFiles counts the files that two folders share.
func sharedFiles(t *testing.T, a, b string) (n int64) {
	t.Helper()
	for rel := range contents(t, a) {
		one, err := os.Lstat(filepath.Join(a, rel))
		if err != nil {
			t.Fatal(err)
		}
		if two, err := os.Lstat(filepath.Join(b, rel)); err == nil && os.SameFile(one, two) {
			n++
		}
	}
	return n
}
