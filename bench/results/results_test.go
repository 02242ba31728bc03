package results

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/bench"
	"odx/bench/contest"
	"odx/bench/measure"
)

// sample returns a file with two sizes, three rounds and limits.
func sample() *File {
	f := &File{Setting: Setting{
		Machine:  Machine{CPU: "a processor", Cores: 2, Memory: 8e9, System: "Linux", Disk: "ext4"},
		Versions: map[string]string{"odx": "odx 1", "PostgreSQL": "17"},
	}}
	for i, mb := range []int64{100, 200} {
		d := contest.Data{Name: []string{"real-life-100MB", "real-life-200MB"}[i], Profile: "real-life",
			Generated: bench.Result{CopyBytes: mb * 1e6, FileBytes: mb * 1e6 / 2}}
		f.AddData(d)
		for round := range 3 {
			for _, p := range contest.Peers() {
				jobs := 0
				if p.Parallel {
					jobs = 2
				}
				f.AddPeer(p)
				seconds := float64(mb) / 10
				if !p.Odx {
					seconds *= 3
				}
				f.Runs = append(f.Runs, Run{Data: d.Name, Job: p.Job, Peer: p.Name, Jobs: jobs, Round: round, Usage: measure.Usage{
					Wall: seconds + float64(round), ClientCPU: seconds, ServerCPU: seconds / 2, Memory: 50e6, ClientWritten: mb * 1e6,
				}})
			}
		}
		for round, slower := range []float64{1, 0.5, 4} { // the median is 1
			f.Limits = append(f.Limits, contest.Limits{
				Data: d.Name, Round: round, RowBytes: mb * 1e6,
				CopyOut:   []contest.CopyOut{{Jobs: 2, Seconds: slower, ServerCPU: 2 * slower}, {Jobs: 4, Seconds: 9, ServerCPU: 9}},
				CopyFiles: slower / 2, CopyFolder: slower, CopyZip: slower, Unzip: slower,
				Deflate: 100e6 / slower, Inflate: 500e6 / slower, Write: 1e9 / slower,
			})
		}
	}
	return f
}

func TestFit(t *testing.T) {
	sizes := []float64{1, 2, 4, 8}
	for _, want := range []float64{0, 0.5, 1, 2} {
		var v []float64
		for _, s := range sizes {
			v = append(v, 7*math.Pow(s, want))
		}
		if got := Fit(sizes, v); math.Abs(got.Exponent-want) > 1e-9 || got.Points != 4 {
			t.Errorf("got %+v, want exponent %v", got, want)
		}
	}
	if got := Fit([]float64{1}, []float64{1}); got.Points != 1 || got.Exponent != 0 {
		t.Errorf("one point: got %+v", got)
	}
	if got := Fit([]float64{1, 2, 4}, []float64{0, 3, 6}); got.Points != 2 || math.Abs(got.Exponent-1) > 1e-9 {
		t.Errorf("a value of 0 has no logarithm: got %+v", got)
	}
}

func TestFigures(t *testing.T) {
	f := sample()
	figures := f.Figures()
	if len(figures) != 2*len(contest.Peers()) {
		t.Fatalf("got %d figures", len(figures))
	}
	g := figures[0]
	if !g.Odx || g.Rounds != 3 || g.Median.Wall != 11 || math.Abs(g.Spread-2.0/11) > 1e-9 {
		t.Errorf("got %+v", g)
	}
	for _, s := range f.Series() {
		if len(s.Points) != 2 || s.Sizes[0] != 150e6 || s.Sizes[1] != 300e6 {
			t.Errorf("got %+v", s)
		}
		if g := s.Grow(func(u measure.Usage) float64 { return u.ClientCPU }); math.Abs(g.Exponent-1) > 1e-9 {
			t.Errorf("%s grows as %+v", s.Peer, g)
		}
	}
}

func TestMarkdown(t *testing.T) {
	text := string(sample().Markdown())
	for _, want := range []string{
		"Machine: a processor, 2 cores", "- PostgreSQL: 17", "## real-life-200MB", "### Dump, 2 jobs, medians of 3 rounds",
		"| **odx dump** | 21.00 s | 10 % | ×1.00 | 20.00 s | 10.00 s | 50 MB | 200 MB | 0 B | 0 B | 0.00 s |",
		"| Odoo (zip) | 61.00 s | 3 % | ×2.90 |", "size^0.93",
		"- restore: Odoo (zip): `createdb", "`python3 -c odoo.py dump {bin}/pg_dump {db} {filestore} {out}.zip`",
		// The server's 2 s and the deflate of 200 MB, spread over two cores.
		"| dump: odx dump | real-life-200MB | 2 | 21.00 s | 2.00 s | COPY out and deflate on all cores | 10 % |",
		"| real-life-200MB | jobs 2: 1.00 s, 4: 9.00 s | 0.50 s | 1.00 s | 1.00 s | 1.00 s | 100 MB/s | 500 MB/s | 1.0 GB/s |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	if want := "## Where odx is slower\n\nNowhere in these runs."; !strings.Contains(text, want) {
		t.Errorf("the text lacks %q", want)
	}
	slow := sample()
	for i := range slow.Runs {
		if slow.Runs[i].Peer == "odx restore" {
			slow.Runs[i].Usage.Wall = 100
		}
	}
	if want := "- real-life-200MB, restore: Odoo (zip) takes 61.00 s, odx restore 100.00 s"; !strings.Contains(string(slow.Markdown()), want) {
		t.Errorf("the text lacks %q", want)
	}
	if strings.Contains(text, "## real-life-100MB") {
		t.Error("peers are compared at another size than the largest")
	}
}

func TestPlots(t *testing.T) {
	dir := t.TempDir()
	names, err := sample().Plots(dir)
	if err != nil || len(names) != 4 {
		t.Fatalf("got %q, %v", names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".png") {
			if img, err := png.Decode(bytes.NewReader(data)); err != nil || img.Bounds().Dx() < 500 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if text := string(data); !strings.Contains(text, "</svg>") || !strings.Contains(text, "odx restore") && !strings.Contains(text, "odx dump") {
			t.Errorf("%s is no picture of odx: %.100s", name, text)
		}
	}
	if names, err := new(File).Plots(dir); err != nil || len(names) != 0 {
		t.Errorf("nothing measured: got %q, %v", names, err)
	}
}

func TestBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	setting := sample().Setting
	f, err := Open(path, setting)
	if err != nil {
		t.Fatal(err)
	}
	b := Book{File: f, Path: path}
	d, p := contest.Data{Name: "x", Profile: "real-life"}, contest.Peers()[0]
	if err := b.AddData(d); err != nil {
		t.Fatal(err)
	}
	if err := b.AddRun(d, p, 2, 1, measure.Usage{Wall: 3}); err != nil {
		t.Fatal(err)
	}
	if err := b.AddLimits(contest.Limits{Data: "x"}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, setting)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Has("x", p.Job, p.Name, 2, 1) || again.Has("x", p.Job, p.Name, 2, 0) || again.Has("x", p.Job, p.Name, 4, 1) || !again.HasLimits("x", 0) || again.HasLimits("x", 1) || again.HasLimits("y", 0) {
		t.Errorf("read back: %+v", again)
	}
	setting.Versions = map[string]string{"odx": "odx 2"}
	if _, err := Open(path, setting); err == nil || !strings.Contains(err.Error(), "other programs") {
		t.Errorf("another odx: got %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, setting); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a cut file: got %v", err)
	}
}
