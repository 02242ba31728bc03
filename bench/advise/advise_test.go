package advise

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"

	"odx/bench"
	"odx/parallel/dump"
	"odx/parallel/pgcluster"
	"odx/parallel/pgtool"
	"odx/parallel/server"
)

func TestChoose(t *testing.T) {
	const mb = 1_000_000
	tests := []struct {
		name   string
		sizes  []int64
		sample int64
		want   []int64
	}{
		{"all fit", []int64{3, 2, 1}, 100, []int64{3, 2, 1}},
		{"the largest are too large", []int64{900, 20, 15, 10, 1}, 80, []int64{20, 15, 10, 1}},
		{"until it is full", []int64{20, 20, 20, 20, 20, 5}, 80, []int64{20, 20, 20, 20}},
		{"none fits", []int64{900, 800}, 80, []int64{800}},
		{"empty ones do not count", []int64{7, 0, 0}, 80, []int64{7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &adviser{Options: Options{Sample: tt.sample * mb}}
			var tables []Table
			for i, n := range tt.sizes {
				tables = append(tables, Table{"public", "t" + strconv.Itoa(i), n * mb})
			}
			if err := a.choose(tables); err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, s := range a.report.Sample {
				got = append(got, s.Bytes/mb)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got tables of %d, want %d", got, tt.want)
			}
			if len(a.rest) != len(a.all)-len(got) {
				t.Errorf("%d tables in the sample and %d left out, of %d", len(got), len(a.rest), len(a.all))
			}
		})
	}
	if err := new(adviser).choose([]Table{{"public", "t", 0}}); !errors.Is(err, ErrNoRows) {
		t.Errorf("no rows: got %v", err)
	}
}

func TestBestJobs(t *testing.T) {
	for _, tt := range []struct {
		seconds []float64
		want    int
	}{
		{[]float64{10, 5, 2.5}, 4},
		{[]float64{10, 5, 4.9}, 2}, // hardly faster with four
		{[]float64{10, 12, 14}, 1},
		{[]float64{10}, 1},
	} {
		var trials []Trial
		for i, s := range tt.seconds {
			trials = append(trials, Trial{Jobs: 1 << i, Seconds: s})
		}
		if got := bestJobs(trials); got != tt.want {
			t.Errorf("%v: got %d jobs, want %d", tt.seconds, got, tt.want)
		}
	}
}

func TestExtend(t *testing.T) {
	gzip := dump.DefaultCompress
	tests := []struct {
		name     string
		largest  int64
		whole    bool
		full     float64 // of two jobs
		oneTable bool
	}{
		// A hundred times the sample, which takes 2 s without what is fixed.
		{"many tables", 10, true, 1 + 100*2, false},
		// One table of 90 samples, on one connection at 4 s each.
		{"one large table", 900, true, 1 + 90*4, true},
		// It is cut, and given out to both.
		{"one large table in stretches", 900, false, 1 + 100*2, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &adviser{report: Report{
				Bytes: 1000, SampleBytes: 10, Fixed: 1, FixedBytes: 1, Largest: Table{Bytes: tt.largest},
				Jobs:     []Trial{{Jobs: 1, Compress: gzip, Seconds: 5}, {Jobs: 2, Compress: gzip, Seconds: 3, ArchiveBytes: 4}},
				Compress: []Trial{{Jobs: 2, Compress: gzip, Seconds: 3, ArchiveBytes: 4}, {Jobs: 2, Compress: "gzip:6", Seconds: 9, ArchiveBytes: 3}},
			}}
			for _, trials := range [][]Trial{a.report.Jobs, a.report.Compress} {
				for i := range trials {
					trials[i].WholeTables = tt.whole
				}
			}
			a.extend(5)
			if got := a.report.Jobs[1]; got.FullSeconds != tt.full || got.FullBytes != 301 {
				t.Errorf("got %+v, want %v seconds and 301 bytes", got, tt.full)
			}
			// Four times as slow in all: with one connection as well.
			if got, want := a.report.Compress[1].FullSeconds, 1+4*(tt.full-1); got != want {
				t.Errorf("gzip:6: got %v seconds, want %v", got, want)
			}
			got := a.advice()
			if got.Compress != gzip || got.Fastest != gzip || got.Smallest != "gzip:6" || got.OneTable != tt.oneTable {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAdvice_SmallerIfAboutAsFast(t *testing.T) {
	a := &adviser{report: Report{Bytes: 1, SampleBytes: 1, Compress: []Trial{
		{Compress: "lz4", Seconds: 10, ArchiveBytes: 9}, {Compress: "zstd:1", Seconds: 12, ArchiveBytes: 6}, {Compress: "gzip:6", Seconds: 30, ArchiveBytes: 5},
	}}}
	if got := a.advice(); got.Compress != "zstd:1" || got.Fastest != "lz4" || got.Smallest != "gzip:6" {
		t.Errorf("got %+v", got)
	}
}

func TestPattern(t *testing.T) {
	if got, want := (Table{Schema: "public", Name: `a"b*.c`}).pattern(), `"public"."a""b*.c"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRun(t *testing.T) {
	c := startCluster(t)
	if _, err := bench.Generate(t.Context(), bench.Options{DSN: c.DSN("postgres"), Database: "x", Scale: 3_000_000, Tables: -1}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := Options{
		Server:   server.Settings{Params: server.Params{"host": c.Host(), "port": strconv.Itoa(c.Port()), "user": c.User()}},
		Database: "x", Dir: dir, Environ: os.Environ(), Finder: pgtool.Finder{BinDir: c.BinDir()},
		Sample: 1_500_000, Rounds: 1, MaxJobs: 2,
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Jobs) != 2 || len(r.Compress) != len(compressions(c.Major())) || r.Fixed <= 0 {
		t.Errorf("got %+v", r)
	}
	if r.SampleBytes > o.Sample || r.SampleBytes < o.Sample/4 || len(r.Sample) < 2 || r.Bytes < 2*r.SampleBytes {
		t.Errorf("sample of %d bytes in %d tables, of %d", r.SampleBytes, len(r.Sample), r.Bytes)
	}
	for _, trial := range append(r.Jobs, r.Compress...) {
		// Without its exclusions the archive would hold the whole database.
		if trial.Seconds <= 0 || trial.ArchiveBytes <= r.FixedBytes || trial.ArchiveBytes-r.FixedBytes > r.SampleBytes || trial.FullSeconds < r.Fixed || trial.FullBytes <= trial.ArchiveBytes {
			t.Errorf("got %+v", trial)
		}
	}
	if a := r.Advice; a.Jobs < 1 || a.Compress == "" || a.FullSeconds <= 0 {
		t.Errorf("got %+v", a)
	}
	wantEmpty(t, dir)

	ctx, cancel := context.WithCancelCause(t.Context())
	o.Say = func(string) { cancel(errors.New("stop")) }
	if _, err := Run(ctx, o); err == nil {
		t.Error("got no error from a run that was stopped")
	}
	wantEmpty(t, dir)
	o.Database = "postgres"
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrNoRows) {
		t.Errorf("empty database: got %v", err)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// startCluster starts a server, or skips the test where there is none.
func startCluster(t *testing.T) *pgcluster.Cluster {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{})
	if err != nil {
		if none := new(pgtool.NotFoundError); errors.As(err, &none) && os.Getenv("ODX_TEST_REQUIRE") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}
