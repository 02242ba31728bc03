package contest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/bench/measure"
	"odx/parallel/pgtool"
)

// openStage builds odx and makes a small database for it.
func openStage(t *testing.T) (*Stage, *Tools) {
	t.Helper()
	odx := filepath.Join(t.TempDir(), "odx")
	// go test puts its own go first on PATH.
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", odx, "odx/cmd/odx").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tools, err := FindTools(t.Context(), odx, "", os.Getenv("PATH"))
	if err != nil {
		if none := new(pgtool.NotFoundError); errors.As(err, &none) && os.Getenv("ODX_TEST_REQUIRE") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	s, err := Open(t.Context(), tools, os.TempDir(), Dataset{Bytes: 2_000_000, FileBytes: 1_000_000, Seed: 1, Tables: -1, Jobs: 2, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", s.dir, err)
		}
	})
	return s, tools
}

// TestRun has every peer that can take part here do its job.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	s, tools := openStage(t)
	if tools.Versions["odx"] == "" || tools.Versions["python3"] == "" || !strings.Contains(tools.Versions["zip"], "Zip") {
		t.Errorf("versions: %q", tools.Versions)
	}
	for _, p := range Peers() {
		if can, err := s.compresses(t.Context(), p.Compress); err != nil {
			t.Fatal(err)
		} else if !can && tools.Major < 16 {
			continue
		}
		u, err := s.Run(t.Context(), p, 2)
		if err != nil {
			t.Error(err)
			continue
		}
		usesServer := p.Job == JobDump || p.Job == JobRestore
		if u.Wall <= 0 || u.ClientCPU <= 0 || usesServer && u.ServerCPU <= 0 {
			t.Errorf("%s: got %+v", p.Name, u)
		}
		wantClean(t, s)
	}
	l, err := s.Limits(t.Context(), []int{1, 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if l.Deflate <= 0 || l.Inflate <= 0 || l.Write <= 0 || len(l.CopyOut) != 2 || l.CopyFiles <= 0 || l.CopyFolder <= 0 || l.CopyZip <= 0 || l.Unzip <= 0 {
		t.Errorf("limits: %+v", l)
	}
	t.Run("failure", func(t *testing.T) { testFailure(t, s) })
	t.Run("guard", func(t *testing.T) { testGuard(t, s) })
}

// wantClean fails the test if a run has left anything.
func wantClean(t *testing.T, s *Stage) {
	t.Helper()
	entries, err := os.ReadDir(s.work())
	if err != nil || len(entries) != 1 || entries[0].Name() != "tmp" {
		t.Errorf("left in the work folder: %v, %v", entries, err)
	}
	conn, err := pgx.Connect(t.Context(), s.cluster.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var names []string
	if err := conn.QueryRow(t.Context(), "SELECT array_agg(datname::text ORDER BY datname) FROM pg_database WHERE NOT datistemplate").Scan(&names); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, []string{"postgres", sourceDB}) {
		t.Errorf("databases left: %q", names)
	}
}

func testFailure(t *testing.T, s *Stage) {
	failing := Peer{Name: "a peer", Steps: []Step{createDatabase(), step("cp", "{tmp}/none", "{out}")}}
	if _, err := s.Run(t.Context(), failing, 1); err == nil || !strings.Contains(err.Error(), "a peer: cp: exit status 1") {
		t.Errorf("got %v, want an error that names peer and program", err)
	}
	wantClean(t, s)
	if _, err := s.Run(t.Context(), Peer{Name: "a peer", Steps: []Step{step("no-such-program")}}, 1); err == nil || !strings.Contains(err.Error(), "no program no-such-program") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.Run(ctx, Peer{Name: "a peer", Steps: []Step{createDatabase(), step("sleep", "60")}}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	wantClean(t, s)
}

// testGuard injects slowdowns.
func testGuard(t *testing.T, s *Stage) {
	sleep := func(seconds string) []Step { return []Step{step("sleep", seconds)} }
	spin := func(n string) []Step {
		return []Step{step("python3", "-c", "for i in range("+n+"): pass")}
	}
	var said []string
	guard := func(c Check) error {
		said = nil
		return s.Guard(t.Context(), []Check{c}, 1, 1, 2, func(line string) { said = append(said, line) })
	}
	slow := Check{Name: "sleeps too long", Odx: sleep("2"), Peer: sleep("0.2"), CPU: 1000, Wall: 1.4}
	if err := guard(slow); !errors.Is(err, ErrSlow) || !strings.Contains(err.Error(), "sleeps too long") || len(said) != 2 {
		t.Errorf("got %v after %q", err, said)
	}
	busy := Check{Name: "works too long", Odx: spin("30000000"), Peer: spin("1000000"), CPU: 1.4, Wall: 1000}
	if err := guard(busy); !errors.Is(err, ErrSlow) || len(said) != 2 {
		t.Errorf("got %v after %q", err, said)
	}
	fine := Check{Name: "is faster", Odx: sleep("0.2"), Peer: sleep("2"), CPU: 1000, Wall: 1.4}
	if err := guard(fine); err != nil || len(said) != 1 {
		t.Errorf("got %v after %q", err, said)
	}
	if err := guard(Check{Name: "fails", Odx: []Step{step("cp")}, Peer: sleep("0")}); err == nil || errors.Is(err, ErrSlow) {
		t.Errorf("got %v, want what cp says", err)
	}
}

// memo is a book in memory.
type memo struct {
	runs   map[string]bool
	limits []Limits
	data   int
}

func (m *memo) key(data, job, peer string, jobs, round int) string {
	return strings.Join([]string{data, job, peer, string(rune('0' + jobs)), string(rune('0' + round))}, "|")
}
func (m *memo) Has(data, job, peer string, jobs, round int) bool {
	return m.runs[m.key(data, job, peer, jobs, round)]
}
func (m *memo) HasLimits(_ string, round int) bool {
	return slices.ContainsFunc(m.limits, func(l Limits) bool { return l.Round == round })
}
func (m *memo) AddData(Data) error       { m.data++; return nil }
func (m *memo) AddLimits(l Limits) error { m.limits = append(m.limits, l); return nil }
func (m *memo) AddRun(d Data, p Peer, jobs, round int, u measure.Usage) error {
	m.runs[m.key(d.Name, p.Job, p.Name, jobs, round)] = true
	return nil
}

func TestPlan(t *testing.T) {
	plan := Plan{Rounds: 2, Jobs: []int{1, 4}, Datasets: []Dataset{{Bytes: 5e6}}, Say: func(string) {}}
	entries := plan.entries()
	perRound := 0
	for _, p := range Peers() {
		if perRound++; p.Parallel && !p.Aside {
			perRound++
		}
	}
	if len(entries) != perRound {
		t.Errorf("%d entries, want %d", len(entries), perRound)
	}
	for _, e := range entries {
		if e.peer.Parallel && !slices.Contains(plan.Jobs, e.jobs) {
			t.Errorf("%s with %d jobs, which nobody asked for", e.peer, e.jobs)
		}
	}
	plan.Short = true
	short := len(plan.entries())
	if short == 0 || short >= len(entries) {
		t.Errorf("short: %d of %d entries", short, len(entries))
	}
	plan.Only = []string{"dump: odx", JobToZip}
	for _, e := range plan.entries() {
		if e.peer.Job != JobToZip && (e.peer.Job != JobDump || !e.peer.Odx) {
			t.Errorf("%s takes part", e.peer)
		}
	}
	if len(plan.entries()) == 0 || plan.Unknown() != "" {
		t.Errorf("%d entries, unknown %q", len(plan.entries()), plan.Unknown())
	}
	plan.Only = []string{JobDump, "cpio"}
	if plan.Unknown() != "cpio" {
		t.Errorf("unknown: %q", plan.Unknown())
	}
	plan.Only = nil
	book := &memo{runs: map[string]bool{}}
	name := plan.Datasets[0].Name()
	for round := range plan.Rounds {
		for _, e := range plan.entries() {
			book.runs[book.key(name, e.peer.Job, e.peer.Name, e.jobs, round)] = true
			if plan.isDone(plan.Datasets[0], book) {
				t.Fatal("done too early")
			}
		}
		book.limits = append(book.limits, Limits{Data: name, Round: round})
	}
	// All was measured before: nothing is made any more.
	if err := Run(t.Context(), nil, plan, book); err != nil || book.data != 0 {
		t.Errorf("got %v, %d datasets", err, book.data)
	}
	plan.Until = time.Now().Add(-time.Second)
	if err := plan.isLate(); !errors.Is(err, ErrTime) {
		t.Errorf("got %v", err)
	}
}
