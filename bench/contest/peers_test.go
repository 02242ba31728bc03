package contest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPeers(t *testing.T) {
	known := map[string]bool{}
	for _, name := range (&Stage{tools: &Tools{}}).placeholders(2, "") {
		known[name] = true
	}
	seen := map[string]bool{}
	first := map[string]string{}
	odxFirst := map[string]bool{}
	for _, p := range Peers() {
		if !slices.Contains(Jobs(), p.Job) || seen[p.Job+p.Name] || len(p.Steps) == 0 {
			t.Errorf("%s: %s: unknown job, not the only one of its name, or without steps", p.Job, p.Name)
		}
		seen[p.Job+p.Name] = true
		if first[p.Job] == "" {
			first[p.Job], odxFirst[p.Job] = p.Name, p.Odx
		}
		takesJobs := checkSteps(t, p.Name, p.Steps, known)
		if takesJobs != p.Parallel {
			t.Errorf("%s: its steps take jobs: %v, and it says %v", p.Name, takesJobs, p.Parallel)
		}
	}
	for _, job := range Jobs() {
		if !odxFirst[job] {
			t.Errorf("%s: the first one is %q, which is not odx's", job, first[job])
		}
	}
	for _, in := range inputs() {
		checkSteps(t, in.name, in.steps, known)
	}
	for _, c := range Checks() {
		checkSteps(t, c.Name, append(c.Odx, c.Peer...), known)
	}
}

var placeholder = regexp.MustCompile(`\{[a-z:]+\}`)

// checkSteps looks for placeholders that stand for nothing, and tells whether
// there are jobs among them.
func checkSteps(t *testing.T, name string, steps []Step, known map[string]bool) (jobs bool) {
	t.Helper()
	for _, st := range steps {
		for _, arg := range append(slices.Clone(st.Args), st.Dir) {
			if arg == odooScript {
				continue
			}
			for _, found := range placeholder.FindAllString(arg, -1) {
				if !known[found] {
					t.Errorf("%s: %s stands for nothing", name, found)
				}
				jobs = jobs || found == "{jobs}"
			}
		}
	}
	return jobs
}

func TestCommands(t *testing.T) {
	p := Peer{Steps: []Step{
		step("python3", "-c", odooScript, "dump"), {Tool: "zip", Args: []string{"a b", "c"}, Dir: "{tmp}"},
	}}
	got := strings.Join(Commands(p), "; ")
	if want := `python3 -c odoo.py dump; cd {tmp} && zip "a b" c`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLimits(t *testing.T) {
	l := Limits{
		RowBytes: 1000, CopyOut: []CopyOut{{Jobs: 1, Seconds: 4, ServerCPU: 3}, {Jobs: 2, Seconds: 2, ServerCPU: 3}, {Jobs: 4, Seconds: 2, ServerCPU: 3}},
		CopyFiles: 1, CopyFolder: 4, CopyZip: 3, Deflate: 200, Inflate: 1000,
	}
	for _, tt := range []struct {
		name string
		got  Bound
		want float64
		by   string
	}{
		{"one job", l.Dump(1, 2), 3 + 5, "COPY out and deflate on all cores"},
		{"two jobs", l.Dump(2, 2), (3 + 5) / 2.0, "COPY out and deflate on all cores"},
		{"more jobs than cores", l.Dump(4, 2), (3 + 5) / 2.0, "COPY out and deflate on all cores"},
		{"four cores", l.Dump(4, 100), 2, "COPY out"},
		{"slow server", Limits{RowBytes: 1, Deflate: 1e9, CopyOut: []CopyOut{{Jobs: 2, Seconds: 2, ServerCPU: 3}}}.Dump(2, 2), 2, "COPY out"},
		{"to zip", l.ToZip(), 3, "cp of the zip"},
		{"from zip, two cores", l.FromZip(2), (1 + 5) / 2.0, "inflate and deflate on all cores"},
		{"from zip, many cores", l.FromZip(100), 1, "inflate on one core"},
	} {
		if tt.got.Seconds != tt.want || tt.got.By != tt.by {
			t.Errorf("%s: got %+v, want %v by %s", tt.name, tt.got, tt.want, tt.by)
		}
	}
}
