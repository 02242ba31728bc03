package contest

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestWaste(t *testing.T) {
	dir := t.TempDir()
	w := waste{dir: filepath.Join(dir, "waste")}
	work := filepath.Join(dir, "work")
	for range 2 {
		if err := os.Mkdir(work, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.add(work), w.add(work)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadDir(w.dir); err != nil || len(kept) != 2 {
		t.Errorf("with room for it: %v, %v", kept, err)
	}
	w.free = math.MaxInt64 // there was more room before
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.reap(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the wait", err)
	}
	if _, err := os.Stat(w.dir); !errors.Is(err, os.ErrNotExist) || w.kept != 0 {
		t.Errorf("without room it is still there: %v", err)
	}
}
