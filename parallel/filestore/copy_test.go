package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestCopy_Same copies a tree with any number of workers: the copy is the same,
// and the source is as it was.
func TestCopy_Same(t *testing.T) {
	source, files := makeStore(t)
	want := list(t, source)
	for _, jobs := range []int{0, 1, 2, 8} {
		t.Run(fmt.Sprint(jobs), func(t *testing.T) {
			target := filepath.Join(t.TempDir(), "copy")
			var counters Counters
			r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: jobs, Counters: &counters})
			must(t, err, r.Err())
			if r.Files != files || r.Links != 3 || r.Skipped+r.Unread+r.Present+r.Vanished+r.Changed != 0 {
				t.Errorf("%+v, want %d files", r, files)
			}
			if counters.Files.Load() != r.Files || counters.Bytes.Load() != r.Bytes {
				t.Errorf("counters say %d files, %d bytes; the result %+v", counters.Files.Load(), counters.Bytes.Load(), r)
			}
			wantTree(t, list(t, target), want)
			wantTree(t, list(t, source), want)
		})
	}
}

// TestCopy_Plain makes copies pass through the buffer.
func TestCopy_Plain(t *testing.T) {
	source, _ := makeStore(t)
	target := filepath.Join(t.TempDir(), "copy")
	c, root, err := newCopier(Options{Source: source, Target: target, Jobs: 1})
	must(t, err)
	defer c.links.Close()
	c.plain.Store(true)
	go func() {
		defer close(c.work)
		if err := c.walk(t.Context(), root, 0); err != nil {
			t.Error(err)
		}
	}()
	must(t, c.serve(t.Context()))
	wantTree(t, list(t, target), list(t, source))
}

func TestCopy_Modes(t *testing.T) {
	source, _ := makeStore(t)
	for _, tt := range []struct {
		name      string
		give      *Permissions
		file, dir os.FileMode
	}{
		{"none", nil, 0o600, 0o700 | os.ModeDir},
		{"given", &Permissions{UID: os.Getuid(), GID: os.Getgid(), FileMode: 0o640, DirMode: 0o750 | os.ModeSetgid},
			0o640, 0o750 | os.ModeSetgid | os.ModeDir},
	} {
		target := filepath.Join(t.TempDir(), "copy")
		_, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2, Permissions: tt.give})
		must(t, err)
		for name, want := range map[string]os.FileMode{"large": tt.file, "checklist/ab/abcdef": tt.file, ".": tt.dir,
			"checklist/ab": tt.dir, "empty folder": tt.dir} {
			info, err := os.Stat(filepath.Join(target, name))
			must(t, err)
			if info.Mode() != want {
				t.Errorf("%s: %s has mode %s, want %s", tt.name, name, info.Mode(), want)
			}
		}
	}
}

// TestCopy_LinksOut has links that lead out, each by another way. None is
// copied, all are named.
func TestCopy_LinksOut(t *testing.T) {
	source := filepath.Join(t.TempDir(), "store")
	put(t, source, "ab/file", "x")
	put(t, filepath.Dir(source), "secret", "s")
	for name, target := range map[string]string{
		"absolute": "/etc/passwd", "absolute inside": filepath.Join(source, "ab/file"), "up": "../secret",
		"ab/up": "../../secret", "over": "ab/../../secret", "by way": "trap/secret", "trap": "..",
	} {
		must(t, os.Symlink(target, filepath.Join(source, name)))
	}
	target := filepath.Join(t.TempDir(), "copy")
	r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2})
	must(t, err, r.Err())
	if r.Links != 0 || r.Skipped != 7 || len(r.Problems) != 7 {
		t.Errorf("%+v", r)
	}
	for i, p := range r.Problems {
		if !errors.Is(p.Err, ErrLeadsOut) || !p.Skipped() || i > 0 && p.Path < r.Problems[i-1].Path {
			t.Errorf("problem %v", p)
		}
	}
	if got := list(t, target); len(got) != 3 {
		t.Errorf("the copy holds %v", got)
	}
}

// TestCopy_Again interrupts a copy and repeats it: what was complete is kept,
// what was not is made anew.
func TestCopy_Again(t *testing.T) {
	source, files := makeStore(t)
	target := filepath.Join(t.TempDir(), "copy")
	_, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2})
	must(t, err)
	must(t, os.Truncate(filepath.Join(target, "large"), 5), os.Remove(filepath.Join(target, "empty")),
		os.Remove(filepath.Join(target, "inside")), os.Symlink("elsewhere", filepath.Join(target, "inside")),
		os.Remove(filepath.Join(target, "f00/f00ba4")), os.Symlink("/etc/passwd", filepath.Join(target, "f00/f00ba4")))
	r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2})
	must(t, err)
	if r.Present != files-3 || r.Files != files {
		t.Errorf("%+v, want %d present", r, files-3)
	}
	wantTree(t, list(t, target), list(t, source))
}

// TestCopy_Cancel ends the copy in the middle; it may be taken up again.
func TestCopy_Cancel(t *testing.T) {
	source, _ := makeStore(t)
	target := filepath.Join(t.TempDir(), "copy")
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Copy(ctx, Options{Source: source, Target: target, Jobs: 2}); !errors.Is(err, why) {
		t.Errorf("error %v, want the cause", err)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	var counters Counters
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for counters.Files.Load() < 20 && t.Context().Err() == nil {
			time.Sleep(time.Microsecond)
		}
		cancel(why)
	}()
	_, err := Copy(ctx, Options{Source: source, Target: target, Jobs: 2, Counters: &counters})
	<-ended
	if err != nil && !errors.Is(err, why) {
		t.Errorf("error %v, want the cause", err)
	}
	_, err = Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2})
	must(t, err)
	wantTree(t, list(t, target), list(t, source))
}

// TestCopy_Changing has files vanish, grow and shrink before their turn comes
// and while they are read.
func TestCopy_Changing(t *testing.T) {
	source := filepath.Join(t.TempDir(), "store")
	for _, name := range []string{"vanishes", "grows", "shrinks", "stays", "fifo"} {
		put(t, source, name, strings.Repeat("x", 1000))
	}
	target := filepath.Join(t.TempDir(), "copy")
	c, root, err := newCopier(Options{Source: source, Target: target})
	must(t, err)
	defer c.links.Close()
	w := worker{copier: c}
	must(t, os.Remove(filepath.Join(source, "vanishes")))
	must(t, w.file(t.Context(), root, "vanishes"), w.file(t.Context(), root, "stays"))
	for name, size := range map[string]int64{"grows": 2000, "shrinks": 500} {
		in, m, err := root.src.open(name)
		must(t, err)
		out, _, err := w.create(t.Context(), root, name, in, m)
		must(t, err, os.Truncate(filepath.Join(source, name), size))
		got, err := w.fill(t.Context(), root, name, in, out, m)
		must(t, err, in.close())
		if want := min(size, 1000); got != want {
			t.Errorf("%s: %d bytes, want %d", name, got, want)
		}
	}
	must(t, root.release(true))
	if r := c.result(); r.Vanished != 1 || r.Changed != 2 || r.Unread != 0 {
		t.Errorf("%+v", r)
	}
}

// TestCopy_WhileFilesVanish deletes files all the time.
func TestCopy_WhileFilesVanish(t *testing.T) {
	source, files := makeStore(t)
	var deleted atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := range 300 {
			if os.Remove(filepath.Join(source, storeName(fmt.Sprintf("attachment %d", i)))) == nil {
				deleted.Add(1)
			}
		}
	}()
	target := filepath.Join(t.TempDir(), "copy")
	r, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 2})
	<-ended
	must(t, err, r.Err())
	if deleted.Load() != 300 || r.Files < files-300 || r.Files > files {
		t.Errorf("%d files of %d, %d deleted", r.Files, files, deleted.Load())
	}
}

// TestCopy_Refusals has pairs of folders that must not be copied into each
// other, and some that may.
func TestCopy_Refusals(t *testing.T) {
	base := t.TempDir()
	source := filepath.Join(base, "store")
	put(t, source, "ab/file", "x")
	put(t, source, "store/other", "would come into the source itself")
	must(t, os.Symlink("store/ab", filepath.Join(base, "link")), os.Symlink("store", filepath.Join(base, "whole")))
	before := list(t, source)
	for name, target := range map[string]string{
		"itself": source, "by a link": filepath.Join(base, "whole"), "inside": filepath.Join(source, "copy"),
		"inside by a link": filepath.Join(base, "link", "copy"), "around": base, "no parent": filepath.Join(base, "no", "copy"),
	} {
		if _, err := Copy(t.Context(), Options{Source: source, Target: target, Jobs: 1}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	wantTree(t, list(t, source), before)
	if _, err := Copy(t.Context(), Options{Source: filepath.Join(base, "none"), Target: filepath.Join(base, "c")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no source: %v", err)
	}
	_, err := Copy(t.Context(), Options{Source: filepath.Join(base, "whole"), Target: filepath.Join(base, "store2")})
	must(t, err)
}

func TestCopy_TooDeep(t *testing.T) {
	source := filepath.Join(t.TempDir(), "store")
	put(t, source, strings.Repeat("d/", maxDepth+3)+"file", "x")
	r, err := Copy(t.Context(), Options{Source: source, Target: filepath.Join(t.TempDir(), "copy"), Jobs: 1})
	must(t, err)
	if r.Unread != 1 || r.Folders != maxDepth || !errors.Is(r.Err(), ErrDepth) {
		t.Errorf("%+v", r)
	}
}

func TestResult_Err(t *testing.T) {
	r := Result{Unread: 30}
	for i := range 25 {
		r.Problems = append(r.Problems, Problem{Path: fmt.Sprint(i), Err: os.ErrPermission})
	}
	if err := r.Err(); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "10 more") {
		t.Errorf("error %v", err)
	}
}

func TestFirsts(t *testing.T) {
	f := firsts[int]{n: 3, compare: func(a, b int) int { return a - b }}
	for i := range 100 {
		f.add((i * 37) % 100)
		if len(f.items) >= 6 {
			t.Fatalf("holds %d", len(f.items))
		}
	}
	if got := fmt.Sprint(f.list()); got != "[0 1 2]" {
		t.Error(got)
	}
}
