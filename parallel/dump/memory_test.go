package dump

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"odx/parallel"
)

// TestDirect_LongRows dumps rows of 200 MB on two connections, within what the
// memory may be: 64 MiB, and for each job 32 MiB. Not one row has room in it.
func TestDirect_LongRows(t *testing.T) {
	if testing.Short() {
		t.Skip("moves gigabytes")
	}
	const row = 200_000_000
	j := newJudge(t, "")
	for _, table := range []string{"long_a", "long_b"} {
		j.psql("postgres", "-c", "CREATE TABLE "+table+" AS SELECT g AS id, repeat(md5(g::text), 200000000 / 32) AS t FROM generate_series(1, 3) g")
	}
	r := j.dump("postgres", "gzip:1")
	r.Jobs = 2
	var most uint64
	debug.FreeOSMemory() // what other tests left
	stop := parallel.Every(t.Context(), time.Millisecond, func() {
		sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(sample)
		most = max(most, sample[0].Value.Uint64()-sample[1].Value.Uint64())
	})
	report, err := r.do(t.Context())
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if rows, text := report.Copied(); rows != 6 || text < 6*row {
		t.Errorf("%d rows of %d bytes", rows, text)
	}
	t.Logf("%d MiB of memory", most>>20)
	if bound := uint64(64<<20 + 2*(32<<20)); most > bound {
		t.Errorf("%d MiB of memory, and the bound is %d MiB", most>>20, bound>>20)
	}
}
