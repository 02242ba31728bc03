//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// somebody is a user and a group that no file of a test belongs to.
const somebody = 65534

// asSomebody runs a test once more, as another user where this is root, who
// may do everything, and gives true in that process. Else it gives false when
// that is over.
func asSomebody(t *testing.T, dirs ...string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	for _, dir := range append(dirs, filepath.Dir(t.TempDir())) {
		for ; dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
			must(t, os.Chmod(dir, 0o755))
		}
	}
	// The test program itself lies where only root can go.
	program := filepath.Join(t.TempDir(), "test")
	self, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(self)
	must(t, err, os.WriteFile(program, data, 0o755), os.Chmod(filepath.Dir(program), 0o755))
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "ODX_TEST_SOURCE="+strings.Join(dirs, ":"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: somebody, Gid: somebody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as user %d: %v\n%s", somebody, err, out)
	}
	return false
}

// TestCopy_Unreadable copies as a user who may not read all.
func TestCopy_Unreadable(t *testing.T) {
	source := os.Getenv("ODX_TEST_SOURCE")
	if source == "" {
		source = filepath.Join(t.TempDir(), "store")
		put(t, source, "ab/file", "x")
		must(t, os.Chmod(put(t, source, "ab/secret", "x"), 0), os.Chmod(filepath.Dir(put(t, source, "cd/file", "x")), 0))
		defer os.Chmod(filepath.Join(source, "cd"), 0o700)
	}
	if !asSomebody(t, source) {
		return
	}
	target := filepath.Join(t.TempDir(), "copy")
	r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2})
	must(t, err)
	if r.Files != 1 || r.Unread != 2 || !errors.Is(r.Err(), fs.ErrPermission) {
		t.Errorf("%+v", r)
	}
	for i, want := range []string{"ab/secret", "cd"} {
		if got := r.Problems[i].Path; got != filepath.Join(source, want) {
			t.Errorf("problem %d is about %s, want %s", i, got, want)
		}
	}
	// What cannot be given away is found out before.
	for _, p := range []Permissions{{UID: 0, GID: -1}, {UID: -1, GID: 0}} {
		if os.Geteuid() == 0 || slices.Contains(mustGroups(t), p.GID) {
			continue
		}
		if err := canGive(p); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("canGive(%+v): %v", p, err)
		}
		if err := TryGive(t.TempDir(), p); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("TryGive(%+v): %v", p, err)
		}
	}
	must(t, canGive(Permissions{UID: os.Geteuid(), GID: os.Getegid()}), canGive(Permissions{UID: -1, GID: -1}))
}

func mustGroups(t *testing.T) []int {
	t.Helper()
	groups, err := os.Getgroups()
	must(t, err)
	return append(groups, os.Getegid())
}

// TestCopy_NoFiles has what is no file: it is named, and nothing waits for it.
func TestCopy_NoFiles(t *testing.T) {
	source := filepath.Join(t.TempDir(), "store")
	put(t, source, "ab/file", "x")
	must(t, syscall.Mkfifo(filepath.Join(source, "fifo"), 0o600))
	r, err := Copy(t.Context(), Options{Source: source, Target: filepath.Join(t.TempDir(), "copy"), Jobs: 1})
	must(t, err, r.Err())
	if r.Skipped != 1 || r.Files != 1 || !errors.Is(r.Problems[0].Err, ErrNotFile) {
		t.Errorf("%+v", r)
	}
	// One that comes in the place of a file when that has been listed.
	c, root, err := newCopier(Options{Source: source, Target: filepath.Join(t.TempDir(), "copy")})
	must(t, err)
	defer c.links.Close()
	w := worker{copier: c}
	must(t, w.file(t.Context(), root, "fifo"), root.release(true))
	if r := c.result(); r.Skipped != 1 || r.Files != 0 {
		t.Errorf("%+v", r)
	}
}

// TestCopy_Owner gives files, folders and links to another user, as root, and
// to the own one otherwise.
func TestCopy_Owner(t *testing.T) {
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = somebody, somebody
	}
	source, _ := makeStore(t)
	target := filepath.Join(t.TempDir(), "copy")
	_, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2,
		Permissions: &Permissions{UID: uid, GID: gid, FileMode: 0o640, DirMode: 0o750}})
	must(t, err)
	must(t, filepath.WalkDir(target, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if u, g := ownerOf(info); u != uid || g != gid {
			return fmt.Errorf("%s belongs to %d:%d", path, u, g)
		}
		return nil
	}))
	wantTree(t, list(t, target), list(t, source))
}

func TestOwnerOf(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o750|os.ModeSetgid))
	if os.Geteuid() == 0 {
		must(t, os.Chown(dir, somebody, somebody), os.Chmod(dir, 0o750|os.ModeSetgid))
	}
	want := Permissions{FileMode: 0o640, DirMode: 0o750 | os.ModeSetgid}
	info, err := os.Stat(dir)
	must(t, err)
	want.UID, want.GID = ownerOf(info)
	got, err := OwnerOf(filepath.Join(dir, "filestore", "db"))
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	made, err := MakeParents(filepath.Join(dir, "filestore", "x"), got)
	must(t, TryGive(dir, got), err)
	if want := []string{filepath.Join(dir, "filestore"), filepath.Join(dir, "filestore", "x")}; !slices.Equal(made, want) {
		t.Errorf("made %q, want %q", made, want)
	}
	for _, name := range []string{"filestore", "filestore/x"} {
		if made, err := OwnerOf(filepath.Join(dir, name)); err != nil || made != want {
			t.Errorf("%s: %+v, %v, want %+v", name, made, err, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("TryGive left something: %v, %v", entries, err)
	}
	file := put(t, dir, "file", "x")
	if _, err := OwnerOf(filepath.Join(file, "x")); err == nil {
		t.Error("the owner below a file was found")
	}
	if _, err := MakeParents(filepath.Join(file, "x"), got); err == nil {
		t.Error("a folder was made below a file")
	}
	if again, err := MakeParents(filepath.Join(dir, "filestore", "x"), got); err != nil || len(again) != 0 {
		t.Errorf("made %q again, %v", again, err)
	}
	testRemoveParents(t, dir, made)
}

// testRemoveParents removes folders that were made, but none that is in use.
func testRemoveParents(t *testing.T, dir string, made []string) {
	theirs := put(t, dir, "filestore/theirs", "x")
	must(t, RemoveParents(made))
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(made[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", made[1], err)
	}
	must(t, os.Remove(theirs), RemoveParents(made))
	if _, err := os.Stat(made[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", made[0], err)
	}
}

// TestSettle runs as a user who may give nothing away: what comes by itself need not be
// given, and root's empty data folder is the user's who may write in it.
func TestSettle(t *testing.T) {
	dir := os.Getenv("ODX_TEST_SOURCE")
	if dir == "" {
		if os.Geteuid() != 0 {
			t.Skip("only root can make folders of others")
		}
		dir = filepath.Join(t.TempDir(), "data")
		for name, owner := range map[string]int{"group": somebody, "open": 0, "others": 1} {
			folder := filepath.Join(dir, name)
			must(t, os.MkdirAll(folder, 0o700), os.Chown(folder, owner, 1), os.Chmod(folder, 0o777|os.ModeSetgid))
		}
		must(t, os.Chmod(dir, 0o755))
	}
	if !asSomebody(t, dir) {
		return
	}
	for _, tt := range []struct {
		path string
		ok   bool
	}{
		{"group", true},          // of a group that the user is not in, which the folder gives
		{"open", false},          // root's, with files of others
		{"open/filestore", true}, // not yet there
		{"others/filestore", false},
	} {
		path := filepath.Join(dir, tt.path)
		p, err := OwnerOf(path)
		must(t, err)
		settled, err := Settle(path, p)
		want := Permissions{UID: -1, GID: -1, FileMode: p.FileMode, DirMode: p.DirMode}
		if tt.path == "open/filestore" {
			want = *alone
		}
		if tt.ok && (err != nil || settled != want) {
			t.Errorf("%s: %+v, %v", tt.path, settled, err)
		}
		if !tt.ok && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %+v, %v", tt.path, settled, err)
		}
	}
	for _, name := range []string{"group", "open", "others"} {
		if left, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
	}
}
