package results

import (
	"math"
	"slices"

	"odx/bench/contest"
	"odx/bench/measure"
)

// Figure is what several rounds of the same run took.
type Figure struct {
	Data   string
	Job    string
	Peer   string
	Jobs   int
	Odx    bool
	Rounds int
	Median measure.Usage
	Spread float64 // of the wall time: slowest less fastest round, by the median
}

// Figures returns the medians of all runs, in the order in which they were
// first measured.
func (f *File) Figures() []Figure {
	type key struct {
		data, job, peer string
		jobs            int
	}
	groups := make(map[key][]measure.Usage)
	var order []key
	for _, r := range f.Runs {
		k := key{r.Data, r.Job, r.Peer, r.Jobs}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r.Usage)
	}
	odx := make(map[[2]string]bool)
	for _, p := range f.Peers {
		odx[[2]string{p.Job, p.Name}] = p.Odx
	}
	var all []Figure
	for _, k := range order {
		g := groups[k]
		wall := func(u measure.Usage) float64 { return u.Wall }
		walls := values(g, wall)
		all = append(all, Figure{
			Data: k.data, Job: k.job, Peer: k.peer, Jobs: k.jobs, Odx: odx[[2]string{k.job, k.peer}],
			Rounds: len(g), Median: medians(g), Spread: (slices.Max(walls) - slices.Min(walls)) / measure.Median(walls),
		})
	}
	return all
}

// values takes one figure of each.
func values[T any](all []T, of func(T) float64) []float64 {
	out := make([]float64, len(all))
	for i, one := range all {
		out[i] = of(one)
	}
	return out
}

// medians takes the median of each figure by itself.
func medians(all []measure.Usage) measure.Usage {
	m := func(of func(measure.Usage) float64) float64 { return measure.Median(values(all, of)) }
	n := func(of func(measure.Usage) int64) int64 {
		return int64(m(func(u measure.Usage) float64 { return float64(of(u)) }))
	}
	return measure.Usage{
		Wall:          m(func(u measure.Usage) float64 { return u.Wall }),
		ClientCPU:     m(func(u measure.Usage) float64 { return u.ClientCPU }),
		ServerCPU:     m(func(u measure.Usage) float64 { return u.ServerCPU }),
		Memory:        n(func(u measure.Usage) int64 { return u.Memory }),
		ClientWritten: n(func(u measure.Usage) int64 { return u.ClientWritten }),
		ServerWritten: n(func(u measure.Usage) int64 { return u.ServerWritten }),
		TempDisk:      n(func(u measure.Usage) int64 { return u.TempDisk }),
		Sync:          m(func(u measure.Usage) float64 { return u.Sync }),
	}
}

// limits returns the medians of a dataset's limits, each figure by itself; false
// if none were measured.
func (f *File) limits(data string) (contest.Limits, bool) {
	all := slices.DeleteFunc(slices.Clone(f.Limits), func(l contest.Limits) bool { return l.Data != data })
	if len(all) == 0 {
		return contest.Limits{}, false
	}
	m := func(of func(contest.Limits) float64) float64 { return measure.Median(values(all, of)) }
	l := contest.Limits{
		Data: data, RowBytes: all[0].RowBytes,
		CopyFiles:  m(func(l contest.Limits) float64 { return l.CopyFiles }),
		CopyFolder: m(func(l contest.Limits) float64 { return l.CopyFolder }),
		CopyZip:    m(func(l contest.Limits) float64 { return l.CopyZip }),
		Unzip:      m(func(l contest.Limits) float64 { return l.Unzip }),
		Deflate:    m(func(l contest.Limits) float64 { return l.Deflate }),
		Inflate:    m(func(l contest.Limits) float64 { return l.Inflate }),
		Write:      m(func(l contest.Limits) float64 { return l.Write }),
	}
	for _, c := range all[0].CopyOut {
		var same []contest.CopyOut
		for _, l := range all {
			same = append(same, l.CopyOut...)
		}
		same = slices.DeleteFunc(same, func(o contest.CopyOut) bool { return o.Jobs != c.Jobs })
		l.CopyOut = append(l.CopyOut, contest.CopyOut{
			Jobs:      c.Jobs,
			Seconds:   measure.Median(values(same, func(c contest.CopyOut) float64 { return c.Seconds })),
			ServerCPU: measure.Median(values(same, func(c contest.CopyOut) float64 { return c.ServerCPU })),
		})
	}
	return l, true
}

// Growth is how figures grow with the size: as size to the power of Exponent.
// 1 is in step with it, 0 not at all.
type Growth struct {
	Exponent float64
	Points   int // sizes that were measured; below two there is no exponent
}

// Fit finds the growth by least squares over the logarithms.
func Fit(sizes, values []float64) Growth {
	var n, sx, sy, sxx, sxy float64
	for i := range sizes {
		if sizes[i] <= 0 || values[i] <= 0 {
			continue
		}
		x, y := math.Log(sizes[i]), math.Log(values[i])
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	g := Growth{Points: int(n)}
	if d := n*sxx - sx*sx; n >= 2 && d > 0 {
		g.Exponent = (n*sxy - sx*sy) / d
	}
	return g
}

// Series are the figures of one peer at one number of jobs over all sizes of a
// profile, smallest first.
type Series struct {
	Job    string
	Peer   string
	Jobs   int
	Odx    bool
	Sizes  []float64 // bytes of rows and files
	Points []Figure
}

// Series returns the figures by peer and jobs, of the real-life datasets.
func (f *File) Series() []Series {
	var all []Series
	for _, fig := range f.Figures() {
		d := f.data(fig.Data)
		if d.Profile != "real-life" {
			continue
		}
		i := slices.IndexFunc(all, func(s Series) bool { return s.Job == fig.Job && s.Peer == fig.Peer && s.Jobs == fig.Jobs })
		if i < 0 {
			i = len(all)
			all = append(all, Series{Job: fig.Job, Peer: fig.Peer, Jobs: fig.Jobs, Odx: fig.Odx})
		}
		s := &all[i]
		at, _ := slices.BinarySearch(s.Sizes, float64(d.Bytes()))
		s.Sizes = slices.Insert(s.Sizes, at, float64(d.Bytes()))
		s.Points = slices.Insert(s.Points, at, fig)
	}
	return all
}

// Grow fits one figure of the series.
func (s Series) Grow(of func(measure.Usage) float64) Growth {
	var v []float64
	for _, p := range s.Points {
		v = append(v, of(p.Median))
	}
	return Fit(s.Sizes, v)
}
