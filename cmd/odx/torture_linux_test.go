package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestTorture is the campaign of faults: operations of odx, and in each of them
// one fault at a moment drawn at random. After every one of these trials it is
// checked, by other programs than odx, that nothing half-made is left, that odx
// said what became of it, and that the same command succeeds afterwards.
//
// The seed and a trial's number decide everything but the machine's own timing:
// with ODX_TEST_TORTURE_SEED and ODX_TEST_TORTURE_FIRST set to those of a
// failure and ODX_TEST_TORTURE to 1, that trial alone is repeated.
// ODX_TEST_TORTURE_LOG names a file that gets a line for each trial; a later run
// goes on after the last one of it, and the table tells of them all.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("a campaign of faults takes a minute")
	}
	plan := readTorturePlan(t)
	t.Logf("seed %d, trials %d to %d", plan.seed, plan.first, plan.first+plan.runs-1)
	c := newCampaign(t, plan)
	for n := plan.first; n < plan.first+plan.runs && !plan.isOver(); n++ {
		tr := c.draw(n)
		t.Run(fmt.Sprintf("%d %s %s", n, tr.op.name, tr.fault.name), func(t *testing.T) {
			defer func() { plan.record(t, tr.outcome) }()
			tr.run(t)
		})
		c.sweep(t)
	}
	t.Logf("\n%s", tabulate(plan.done))
}

// torturePlan says which trials are to be made, and has those that were.
type torturePlan struct {
	seed        uint64
	first, runs int
	until       time.Time // zero: no end
	log         string
	done        []tortureOutcome
}

// shortTorture is how many trials are enough for every day: all faults, each once
// or twice. A long campaign measures the operations more often first.
const (
	shortTorture = 24
	shortRounds  = 1
	longRounds   = 3
)

func (p *torturePlan) rounds() int {
	if p.runs > shortTorture {
		return longRounds
	}
	return shortRounds
}

func readTorturePlan(t *testing.T) *torturePlan {
	t.Helper()
	number := func(name string, otherwise uint64) uint64 {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	p := &torturePlan{
		seed: number("ODX_TEST_TORTURE_SEED", 1), runs: int(number("ODX_TEST_TORTURE", shortTorture)),
		log: os.Getenv("ODX_TEST_TORTURE_LOG"),
	}
	p.readLog(t)
	p.first = int(number("ODX_TEST_TORTURE_FIRST", uint64(len(p.done))))
	if p.log != "" {
		p.runs = max(p.runs-p.first, 0)
	}
	if text := os.Getenv("ODX_TEST_TORTURE_FOR"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		p.until = time.Now().Add(d)
	}
	return p
}

func (p *torturePlan) isOver() bool { return !p.until.IsZero() && time.Now().After(p.until) }

func (p *torturePlan) readLog(t *testing.T) {
	t.Helper()
	if p.log == "" {
		return
	}
	f, err := os.OpenFile(p.log, os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for dec := json.NewDecoder(f); dec.More(); {
		var o tortureOutcome
		if err := dec.Decode(&o); err != nil {
			t.Fatalf("%s: %v", p.log, err)
		}
		p.done = append(p.done, o)
	}
}

// record keeps what became of a trial, also of one that failed.
func (p *torturePlan) record(t *testing.T, o tortureOutcome) {
	t.Helper()
	if t.Failed() {
		o.Result = tortureFailed
	}
	p.done = append(p.done, o)
	if p.log == "" {
		return
	}
	f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.NewEncoder(f).Encode(o); err != nil {
		t.Fatal(err)
	}
}

// draw decides on a trial. The faults take turns, so that few trials have them
// all.
func (c *campaign) draw(n int) *trial {
	tr := &trial{campaign: c, n: n, rng: rand.New(rand.NewPCG(c.seed, uint64(n)))}
	tr.fault = &tortureFaults[n%len(tortureFaults)]
	var fit []*operation
	for i := range operations {
		if tr.fault.fits == nil || tr.fault.fits(&operations[i]) {
			fit = append(fit, &operations[i])
		}
	}
	tr.op = fit[tr.rng.IntN(len(fit))]
	tr.src, tr.dir = filepath.Join(c.root, tr.op.source), filepath.Join(c.root, "run")
	tr.moment = c.drawMoment(tr.rng, tr.op)
	return tr
}

// drawMoment gives half of the moments evenly to the time that the operation
// takes, and half evenly to its phases, so that short ones are met too.
func (c *campaign) drawMoment(rng *rand.Rand, op *operation) moment {
	spans := c.spans[op.name]
	if rng.IntN(2) == 0 {
		return moment{spans[rng.IntN(len(spans))].phase, rng.Float64()}
	}
	var whole time.Duration
	for _, s := range spans {
		whole += s.length
	}
	at := time.Duration(rng.Int64N(int64(whole)))
	for _, s := range spans {
		if at < s.length {
			return moment{s.phase, float64(at) / float64(s.length)}
		}
		at -= s.length
	}
	return moment{spans[len(spans)-1].phase, 1}
}
