package results

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"odx/bench/contest"
	"odx/bench/measure"
)

// Markdown returns everything as tables, largest dataset first.
func (f *File) Markdown() []byte {
	var b bytes.Buffer
	f.writeSetting(&b)
	for _, d := range f.profiles() {
		fmt.Fprintf(&b, "\n## %s: %s of rows and %s of files\n", d.Name, size(d.Generated.CopyBytes), size(d.Generated.FileBytes))
		for _, job := range contest.Jobs() {
			f.writeJob(&b, d, job)
		}
	}
	f.writeLosses(&b)
	f.writeLimits(&b)
	f.writeGrowth(&b)
	f.writeCommands(&b)
	return b.Bytes()
}

func (f *File) writeSetting(b *bytes.Buffer) {
	m := f.Setting.Machine
	fmt.Fprintf(b, "Machine: %s, %d cores, %s of memory, %s, %s.\n\n", m.CPU, m.Cores, size(m.Memory), m.System, m.Disk)
	for _, name := range slices.Sorted(maps.Keys(f.Setting.Versions)) {
		fmt.Fprintf(b, "- %s: %s\n", name, f.Setting.Versions[name])
	}
	fmt.Fprint(b, "\n| data | seed | tables | foreign keys | indexes and keys | rows | COPY text | on the server | files | their size | made at, text and database |\n"+
		"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, d := range f.Data {
		g := d.Generated
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d | %s | %s | %d | %s | %.0f and %.0f MB/s |\n", d.Name, d.Seed, g.Tables, g.ForeignKeys,
			g.Indexes+g.Keys, g.Rows, size(g.CopyBytes), size(d.Database), g.Files, size(g.FileBytes), d.MBPerSec, d.MBPerSec*float64(d.Database)/float64(g.CopyBytes))
	}
}

// profiles returns the largest dataset of each profile, real life first.
func (f *File) profiles() []contest.Data {
	var all []contest.Data
	for _, d := range f.Data {
		i := slices.IndexFunc(all, func(o contest.Data) bool { return o.Profile == d.Profile })
		switch {
		case i < 0:
			all = append(all, d)
		case d.Bytes() > all[i].Bytes():
			all[i] = d
		}
	}
	return all
}

// mainJobs returns the number of jobs that comparisons are shown for: one for
// each core, or the most that was measured below that.
func (f *File) mainJobs(data string) int {
	best := 0
	for _, r := range f.Runs {
		if r.Data == data && r.Jobs <= max(f.Setting.Machine.Cores, 1) {
			best = max(best, r.Jobs)
		}
	}
	return best
}

// comparison returns the figures of one job at one number of jobs, those of
// peers that take none included.
func (f *File) comparison(data, job string) []Figure {
	jobs := f.mainJobs(data)
	return slices.DeleteFunc(f.Figures(), func(g Figure) bool {
		return g.Data != data || g.Job != job || (g.Jobs != jobs && g.Jobs != 0)
	})
}

func (f *File) writeJob(b *bytes.Buffer, d contest.Data, job string) {
	figures := f.comparison(d.Name, job)
	if len(figures) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s, %d jobs, %s\n\n", strings.ToUpper(job[:1])+job[1:], f.mainJobs(d.Name), rounds(figures))
	fmt.Fprint(b, "| | time | spread | of odx's | client CPU | server CPU | peak memory | client wrote | server wrote | temporary disk | sync after |\n"+
		"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	first := figures[0].Median.Wall
	for _, g := range figures {
		u, name := g.Median, g.Peer
		if g.Odx {
			name = "**" + name + "**"
		}
		fmt.Fprintf(b, "| %s | %.2f s | %.0f %% | ×%.2f | %.2f s | %.2f s | %s | %s | %s | %s | %.2f s |\n", name, u.Wall, 100*g.Spread,
			u.Wall/first, u.ClientCPU, u.ServerCPU, size(u.Memory), size(u.ClientWritten), size(u.ServerWritten), size(u.TempDisk), u.Sync)
	}
}

// writeLosses lists the peers that were faster than odx.
func (f *File) writeLosses(b *bytes.Buffer) {
	var lines []string
	for _, d := range f.Data {
		for _, job := range contest.Jobs() {
			figures := f.comparison(d.Name, job)
			for _, g := range figures {
				if !g.Odx && g.Median.Wall < figures[0].Median.Wall {
					lines = append(lines, fmt.Sprintf("- %s, %s: %s takes %.2f s, %s %.2f s", d.Name, job, g.Peer, g.Median.Wall,
						figures[0].Peer, figures[0].Median.Wall))
				}
			}
		}
	}
	fmt.Fprintf(b, "\n## Where odx is slower\n\n%s\n", cmp.Or(strings.Join(lines, "\n"), "Nowhere in these runs."))
}

func rounds(figures []Figure) string {
	least := figures[0].Rounds
	for _, g := range figures {
		least = min(least, g.Rounds)
	}
	if least == 1 {
		return "one round"
	}
	return fmt.Sprintf("medians of %d rounds", least)
}

// bound returns what bounds a figure from below.
func (f *File) bound(g Figure) (contest.Bound, bool) {
	cores := max(f.Setting.Machine.Cores, 1)
	l, ok := f.limits(g.Data)
	if !ok {
		return contest.Bound{}, false
	}
	switch g.Job {
	case contest.JobDump:
		isGzip := !strings.Contains(g.Peer, " -Z") // what the limit is of
		return l.Dump(g.Jobs, cores), isGzip
	case contest.JobRestore:
		return contest.Bound{Seconds: g.Median.ServerCPU / float64(min(max(g.Jobs, 1), cores)), By: "the server's own CPU on all cores"}, true
	case contest.JobToZip:
		return l.ToZip(), true
	case contest.JobFromZip:
		return l.FromZip(cores), true
	}
	return contest.Bound{}, false
}

func (f *File) writeLimits(b *bytes.Buffer) {
	if len(f.Limits) == 0 {
		return
	}
	fmt.Fprint(b, "\n## Limits\n\nWhat the machine does when it does nothing else, measured in each round.\n\n"+
		"| data | COPY out, thrown away | cp -a of the filestore | cp -a of the dump | cp of its zip | unzip -p of dump.sql | deflate, one core | inflate, one core | disk write |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, d := range f.Data {
		l, ok := f.limits(d.Name)
		if !ok {
			continue
		}
		var out []string
		for _, c := range l.CopyOut {
			out = append(out, fmt.Sprintf("%d: %.2f s", c.Jobs, c.Seconds))
		}
		fmt.Fprintf(b, "| %s | jobs %s | %.2f s | %.2f s | %.2f s | %.2f s | %s/s | %s/s | %s/s |\n", l.Data, strings.Join(out, ", "),
			l.CopyFiles, l.CopyFolder, l.CopyZip, l.Unzip, size(int64(l.Deflate)), size(int64(l.Inflate)), size(int64(l.Write)))
	}
	fmt.Fprint(b, "\n| odx | data | jobs | time | limit | by | limit/time |\n|---|---|--:|--:|--:|---|--:|\n")
	for _, g := range f.Figures() {
		limit, ok := f.bound(g)
		if !ok || !g.Odx || g.Jobs != f.mainJobs(g.Data) || limit.Seconds == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s: %s | %s | %d | %.2f s | %.2f s | %s | %.0f %% |\n", g.Job, g.Peer, g.Data, g.Jobs, g.Median.Wall, limit.Seconds, limit.By,
			100*limit.Seconds/g.Median.Wall)
	}
}

func (f *File) writeGrowth(b *bytes.Buffer) {
	all := slices.DeleteFunc(f.Series(), func(s Series) bool { return len(s.Points) < 2 })
	if len(all) == 0 {
		return
	}
	fmt.Fprint(b, "\n## Growth with the size\n\nSeconds for a GB of rows and files, and peak memory, from the smallest to the largest size; "+
		"both grow as the size to the power in the columns beside them.\n\n| | jobs | seconds/GB | time grows as | peak memory | memory grows as |\n|---|--:|--:|--:|--:|--:|\n")
	for _, s := range all {
		var times, memory []string
		for i, p := range s.Points {
			times = append(times, fmt.Sprintf("%.1f", p.Median.Wall/s.Sizes[i]*1e9))
			memory = append(memory, size(p.Median.Memory))
		}
		wall := s.Grow(func(u measure.Usage) float64 { return u.Wall })
		mem := s.Grow(func(u measure.Usage) float64 { return float64(u.Memory) })
		jobs := fmt.Sprint(s.Jobs)
		if s.Jobs == 0 {
			jobs = ""
		}
		fmt.Fprintf(b, "| %s: %s | %s | %s | size^%.2f | %s | size^%.2f |\n", s.Job, s.Peer, jobs, strings.Join(times, ", "),
			wall.Exponent, strings.Join(memory, ", "), mem.Exponent)
	}
}

func (f *File) writeCommands(b *bytes.Buffer) {
	fmt.Fprint(b, "\n## Commands\n\n")
	for _, job := range contest.Jobs() {
		for _, p := range f.Peers {
			if p.Job == job {
				fmt.Fprintf(b, "- %s: %s: `%s`\n", p.Job, p.Name, strings.Join(p.Commands, "`; `"))
			}
		}
	}
}

// size gives a size for people.
func size(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		if f < 1000 {
			if f < 10 && unit != "B" {
				return fmt.Sprintf("%.1f %s", f, unit)
			}
			return fmt.Sprintf("%.0f %s", f, unit)
		}
		f /= 1000
	}
	return fmt.Sprintf("%.0f PB", f)
}
