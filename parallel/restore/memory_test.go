package restore

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"odx/parallel"
)

// longValues makes a script with two values of this length in bytes, as pg_dump
// writes them with these options.
func (s *site) longValues(value int, options ...string) string {
	s.t.Helper()
	s.drop("source")
	s.exec(s.admin, "CREATE DATABASE source TEMPLATE template0 ENCODING 'UTF8'")
	defer s.drop("source")
	s.exec(s.connect("source"), "CREATE TABLE long (t text); INSERT INTO long SELECT 'here' FROM generate_series(1, 2)")
	text, err := s.program("pg_dump", append(options, s.DSN("source"))...)
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.t.TempDir(), "dump.sql")
	f, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	w, block := bufio.NewWriter(f), bytes.Repeat([]byte("x"), 100_000)
	for i, part := range bytes.Split([]byte(text), []byte("here")) {
		for n := 0; i > 0 && n < value; n += len(block) {
			_, _ = w.Write(block) // Flush gives the error
		}
		_, _ = w.Write(part)
	}
	if err := w.Flush(); err != nil {
		s.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// TestRunScript_LongValues restores rows and INSERT statements of 200 MB within
// what the memory may be: 256 MiB, 32 MiB for each job, and one of them. A copy of
// one has no room in it.
func TestRunScript_LongValues(t *testing.T) {
	if testing.Short() {
		t.Skip("moves gigabytes")
	}
	s := newSite(t, "")
	for name, options := range map[string][]string{"rows": nil, "statements": {"--inserts"}} {
		t.Run(name, func(t *testing.T) { s.restoreLongValues(t, options...) })
	}
}

func (s *site) restoreLongValues(t *testing.T, options ...string) {
	const value = 200_000_000
	r := s.newScriptRun(s.longValues(value, options...))
	r.Jobs = 2
	var most uint64
	debug.FreeOSMemory() // what other tests left
	stop := parallel.Every(t.Context(), time.Millisecond, func() {
		sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(sample)
		most = max(most, sample[0].Value.Uint64()-sample[1].Value.Uint64())
	})
	_, err := r.do(t.Context())
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.one(s.connect("target"), "SELECT count(*) || ' ' || sum(length(t)) FROM long"); got != "2 400000000" {
		t.Errorf("rows and their length: %s", got)
	}
	s.drop("target")
	t.Logf("%d MiB of memory", most>>20)
	if bound := uint64(256<<20 + 2*(32<<20) + value); most > bound {
		t.Errorf("%d MiB of memory, and the bound is %d MiB", most>>20, bound>>20)
	}
}
