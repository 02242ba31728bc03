package advise

import (
	"cmp"
	"slices"

	"odx/parallel/dump"
)

// compressions lists what is tried with a pg_dump of that version.
func compressions(major int) []string {
	all := []string{dump.DefaultCompress, "gzip:6"}
	if major >= 16 {
		all = append(all, "lz4", "zstd:1", "zstd:3")
	}
	return all
}

const (
	// enough is by how much a dump with fewer jobs may be slower and still be
	// the better one: the other connections are the users'.
	enough = 1.05
	// worth is by how much a dump may be slower for being smaller.
	worth = 1.25
)

// bestJobs returns the fewest jobs that are about as fast as the fastest.
func bestJobs(trials []Trial) int {
	fastest := slices.MinFunc(trials, bySeconds)
	for _, t := range trials {
		if t.Seconds <= enough*fastest.Seconds {
			return t.Jobs
		}
	}
	return fastest.Jobs
}

func bySeconds(a, b Trial) int { return cmp.Compare(a.Seconds, b.Seconds) }

func bySize(a, b Trial) int { return cmp.Compare(a.ArchiveBytes, b.ArchiveBytes) }

// extend reckons what the whole takes. Single are the seconds of the sample with
// one job and the usual compression.
func (a *adviser) extend(single float64) {
	r := &a.report
	times := float64(r.Bytes) / float64(r.SampleBytes)
	alone := float64(r.Largest.Bytes) / float64(r.SampleBytes)
	one := max(0, single-r.Fixed)
	for _, trials := range [][]Trial{r.Jobs, r.Compress} {
		usual := 0.0
		for i := range trials {
			t := &trials[i]
			rows := max(0, t.Seconds-r.Fixed)
			if t.Compress == dump.DefaultCompress { // the first one in any case
				usual = rows
			}
			// Of one connection with another compression nothing is known: it is
			// slower or faster in the same measure as this many are.
			least := 0.0
			if t.WholeTables {
				least = alone * one
			}
			if usual > 0 {
				least *= rows / usual
			}
			t.FullSeconds = r.Fixed + max(times*rows, least)
			t.FullBytes = r.FixedBytes + int64(times*float64(t.ArchiveBytes-r.FixedBytes))
		}
	}
}

// advice chooses the smallest dump among those that are about as fast as the
// fastest one.
func (a *adviser) advice() Advice {
	r := &a.report
	fastest, smallest := slices.MinFunc(r.Compress, bySeconds), slices.MinFunc(r.Compress, bySize)
	near := slices.DeleteFunc(slices.Clone(r.Compress), func(t Trial) bool { return t.Seconds > worth*fastest.Seconds })
	best := slices.MinFunc(near, bySize)
	times := float64(r.Bytes) / float64(r.SampleBytes)
	return Advice{
		Jobs: best.Jobs, Compress: best.Compress, FullSeconds: best.FullSeconds, FullBytes: best.FullBytes,
		Fastest: fastest.Compress, Smallest: smallest.Compress,
		OneTable: best.FullSeconds > r.Fixed+enough*times*max(0, best.Seconds-r.Fixed),
	}
}
