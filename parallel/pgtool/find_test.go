//go:build unix

package pgtool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odx/parallel/pgtool"
)

// fakes makes a program in each of the given folders of root, by version.
func fakes(t *testing.T, root, name string, versions map[string]string) {
	t.Helper()
	for dir, version := range versions {
		writeProgram(t, filepath.Join(root, dir, name), fmt.Sprintf("echo '%s (PostgreSQL) %s'", name, version))
	}
}

func writeProgram(t *testing.T, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func versions(tools []pgtool.Tool) []string {
	var all []string
	for _, tool := range tools {
		all = append(all, tool.Version.Text)
	}
	return all
}

func TestFinder_All(t *testing.T) {
	root := t.TempDir()
	fakes(t, root, "pg_dump", map[string]string{"9.6/bin": "9.6.24", "15/bin": "15.2", "17/bin": "17.1", "local": "15.18", "rel": "20.1"})
	// What is on PATH: pg_wrapper, another way to 17, a folder, a file that is
	// no program, one that does not run, one that prints something else.
	path := filepath.Join(root, "path")
	writeProgram(t, filepath.Join(root, "share/pg_wrapper"), "echo 'pg_dump (PostgreSQL) 99.1'")
	for _, dir := range []string{"a", "b", "c/pg_dump", "d", "e", "f"} {
		if err := os.MkdirAll(filepath.Join(path, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"a": "../../share/pg_wrapper", "b": "../../17/bin/pg_dump", "d": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(path, link, "pg_dump")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(path, "e/pg_dump"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, filepath.Join(path, "f/pg_dump"), "echo pg_dump 42")
	writeProgram(t, filepath.Join(path, "g/pg_dump"), "echo 'pg_dump (PostgreSQL) 42.1'; exit 1")
	t.Chdir(root)

	var dirs []string
	for _, dir := range []string{"path/a", "path/b", "path/c", "path/d", "path/e", "path/f", "path/g", "local"} {
		dirs = append(dirs, filepath.Join(root, dir))
	}
	f := pgtool.Finder{
		Path:  strings.Join(append(dirs, "", ".", "rel", dirs[0]), ":"),
		Roots: []string{filepath.Join(root, "*/bin"), filepath.Join(root, "nowhere/*")},
	}
	got, err := f.All(t.Context(), "pg_dump")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"17.1", "15.18", "15.2", "9.6.24"}; !slices.Equal(versions(got), want) {
		t.Errorf("got %v, want %v", versions(got), want)
	}
	if got, want := got[0].Path, filepath.Join(path, "b/pg_dump"); got != want {
		t.Errorf("first one is %s, want %s", got, want)
	}

	f.BinDir = "15/bin"
	got, err = f.All(t.Context(), "pg_dump")
	if err != nil || len(got) != 1 || got[0].Path != filepath.Join(root, "15/bin/pg_dump") {
		t.Errorf("with BinDir got %v, %v", got, err)
	}
	if got, err := f.All(t.Context(), "pg_restore"); err != nil || len(got) != 0 {
		t.Errorf("with nothing there got %v, %v", got, err)
	}
	f = pgtool.Finder{Roots: []string{"["}}
	if got, err := f.All(t.Context(), "pg_dump"); !errors.Is(err, filepath.ErrBadPattern) {
		t.Errorf("with a bad pattern got %v, %v", got, err)
	}
}

func TestFinder_All_Cancelled(t *testing.T) {
	root := t.TempDir()
	writeProgram(t, filepath.Join(root, "pg_dump"), "touch "+root+"/started; exec sleep 60")
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		waitFor(t, "start of the program", func() bool {
			_, err := os.Stat(filepath.Join(root, "started"))
			return err == nil
		})
		cancel(cause)
	}()
	got, err := pgtool.Finder{BinDir: root, Path: os.Getenv("PATH")}.All(ctx, "pg_dump")
	if !errors.Is(err, cause) {
		t.Errorf("got %v, %v, want %v", got, err, cause)
	}
}

func TestFinder_PgDump(t *testing.T) {
	root := t.TempDir()
	fakes(t, root, "pg_dump", map[string]string{"13": "13.16", "15": "15.18", "17": "17.12"})
	f := pgtool.Finder{Roots: []string{root + "/*"}}
	for server, want := range map[int]string{13: "17.12", 16: "17.12", 17: "17.12"} {
		got, err := f.PgDump(t.Context(), server)
		if err != nil || got.Version.Text != want || got.Name != "pg_dump" {
			t.Errorf("PgDump(%d) = %v, %v, want %s", server, got, err, want)
		}
	}
	_, err := f.PgDump(t.Context(), 18)
	var missing *pgtool.NotFoundError
	if !errors.As(err, &missing) || missing.Package() != "postgresql-client-18" || len(missing.Found) != 3 {
		t.Errorf("PgDump(18): %v", err)
	}
	if want := root + "/17/pg_dump is 17.12"; !strings.Contains(err.Error(), want) {
		t.Errorf("message %q does not say %q", err, want)
	}
}

func TestFinder_PgRestore(t *testing.T) {
	root := t.TempDir()
	fakes(t, root, "pg_restore", map[string]string{"13": "13.16", "15": "15.18", "15old": "15.2", "17": "17.12", "18": "18.6"})
	f := pgtool.Finder{Roots: []string{root + "/*"}}
	for _, tt := range []struct {
		need, server int
		want         string
	}{
		{13, 15, "15.18"}, // that of the server
		{13, 16, "15.18"}, // none of the server's version: the next older one
		{16, 15, "17.12"}, // too old ones do not read the archive
		{14, 13, "15.18"}, // of the oldest that will do, the newest minor version
		{0, 12, "13.16"},
		{13, 99, "18.6"},
		{19, 18, ""},
	} {
		got, err := f.PgRestore(t.Context(), tt.need, tt.server)
		var missing *pgtool.NotFoundError
		if tt.want == "" {
			if !errors.As(err, &missing) || missing.Need != tt.need {
				t.Errorf("PgRestore(%d, %d) = %v, %v", tt.need, tt.server, got, err)
			}
		} else if err != nil || got.Version.Text != tt.want {
			t.Errorf("PgRestore(%d, %d) = %v, %v, want %s", tt.need, tt.server, got, err, tt.want)
		}
	}
}

func TestFinder_Newest_Broken(t *testing.T) {
	root := t.TempDir()
	writeProgram(t, filepath.Join(root, "initdb"), "echo 'libpq.so.5: cannot open' >&2; exit 127")
	_, err := pgtool.Finder{BinDir: root}.Newest(t.Context(), "initdb")
	want := fmt.Sprintf("no initdb in %s (%s/initdb does not tell its version: initdb: exit status 127: "+
		"libpq.so.5: cannot open)", root, root)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// The programs of this machine: Debian's pg_wrapper may not be among them.
func TestFinder_Real(t *testing.T) {
	f := pgtool.Finder{Path: os.Getenv("PATH")}
	tool, err := f.PgDump(t.Context(), 13)
	if err != nil {
		t.Fatal(err)
	}
	if target, err := filepath.EvalSymlinks(tool.Path); err != nil || filepath.Base(target) != "pg_dump" {
		t.Errorf("%s is %s, %v", tool.Path, target, err)
	}
	restore, err := f.PgRestore(t.Context(), 13, tool.Version.Major)
	if err != nil || restore.Version != tool.Version {
		t.Errorf("got %v, %v, want version %v", restore, err, tool.Version)
	}
}
