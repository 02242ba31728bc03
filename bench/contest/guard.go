package contest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"odx/bench/measure"
)

// Check holds odx against a fixed peer. Both do about the same work on the same
// data, so that the ratio of their costs depends little on the machine.
//
// The limits of CPU are about 1.45 times what was measured when they were set: a
// slowdown by half is beyond them, and noise is not. Those of time are about
// twice that, because what else a machine does slows odx's many workers more
// than a peer with one: they catch waiting. Where odx has become faster they
// are to be lowered by the ratios that the guard prints.
type Check struct {
	Name string
	Odx  []Step
	Peer []Step
	CPU  float64 // most that clients and server together may take, by the peer's
	Wall float64 // the same for the time
}

// Checks returns what the guard holds on to.
func Checks() []Check {
	// odx waits for the disk.
	unzip := []Step{step("unzip", "-q", "{in:zip}", "-d", "{out}"), step("sync", "{out}/dump.sql")}
	return []Check{
		{
			Name: "odx dump against pg_dump -Fd -Z1 and cp", CPU: 1.5, Wall: 1.9,
			Odx: []Step{odxDump("{out}")}, Peer: pgDump("-Z1"),
		},
		{
			Name: "odx restore against pg_restore and cp", CPU: 1.55, Wall: 2.1,
			Odx: []Step{odxRestore("{in:fast}", "--analyze=false")},
			Peer: []Step{createDatabase(), step("pg_restore", "--no-owner", "-j", "{jobs}", "-d", "{new}", "{in:fast}/dump"),
				step("cp", "-a", "{in:fast}/filestore", "{out}")},
		},
		{
			Name: "odx convert to a zip against zip -1", CPU: 0.75, Wall: 0.8,
			Odx:  []Step{odxConvert("{in:fast}", "{out}.zip")},
			Peer: []Step{{Tool: "zip", Args: []string{"-q", "-1", "-r", "{out}.zip", "filestore"}, Dir: "{in:fast}"}, step("sync", "{out}.zip")},
		},
		{
			Name: "odx convert from Odoo's zip against unzip", CPU: 1.75, Wall: 1.6,
			Odx: []Step{odxConvert("{in:zip}", "{out}")}, Peer: unzip,
		},
		{
			Name: "odx convert from odx's zip against unzip", CPU: 1.4, Wall: 1.3,
			Odx: []Step{odxConvert("{in:odxzip}", "{out}")}, Peer: unzip,
		},
	}
}

// Verdict is what a check came to. Each side counts with its cheapest round:
// what else the machine does makes rounds dearer, and never cheaper.
type Verdict struct {
	Check     Check
	CPU, Wall float64 // odx's by the peer's
	Odx, Peer Cheapest
	Rounds    int
}

// Bad tells whether odx has become slower than it may.
func (v Verdict) Bad() bool { return v.CPU > v.Check.CPU || v.Wall > v.Check.Wall }

// String tells the ratios beside their limits.
func (v Verdict) String() string {
	mark := "ok"
	if v.Bad() {
		mark = "SLOW"
	}
	return fmt.Sprintf("%-4s %s: CPU ×%.2f (%.2f s and %.2f s, at most ×%.2f), time ×%.2f (%.2f s and %.2f s, at most ×%.2f), %d rounds",
		mark, v.Check.Name, v.CPU, v.Odx.CPU, v.Peer.CPU, v.Check.CPU, v.Wall, v.Odx.Wall, v.Peer.Wall, v.Check.Wall, v.Rounds)
}

// ErrSlow is returned when a check failed at every try.
var ErrSlow = errors.New("odx has become slower")

// Guard runs the checks, each in so many rounds of odx and peer, one after the
// other, and in as many more, as often as tries allow, where a ratio is too
// large: a slowdown stays, noise does not. It says each verdict.
func (s *Stage) Guard(ctx context.Context, checks []Check, jobs, rounds, tries int, say func(string)) error {
	var slow []string
	for _, c := range checks {
		v, err := s.check(ctx, c, jobs, rounds, tries, say)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if v.Bad() {
			slow = append(slow, v.String())
		}
	}
	if len(slow) > 0 {
		return fmt.Errorf("%w, in each of %d tries:\n%s", ErrSlow, tries, strings.Join(slow, "\n"))
	}
	return nil
}

// check runs one check until it is passed, or all tries are made.
func (s *Stage) check(ctx context.Context, c Check, jobs, rounds, tries int, say func(string)) (v Verdict, err error) {
	var odx, peer Cheapest
	for try := range tries {
		for range rounds {
			if err := odx.add(s.Run(ctx, Peer{Name: "odx", Steps: c.Odx}, jobs)); err != nil {
				return v, err
			}
			if err := peer.add(s.Run(ctx, Peer{Name: "peer", Steps: c.Peer}, jobs)); err != nil {
				return v, err
			}
		}
		v = Verdict{Check: c, CPU: odx.CPU / peer.CPU, Wall: odx.Wall / peer.Wall, Odx: odx, Peer: peer, Rounds: (try + 1) * rounds}
		say(v.String())
		if !v.Bad() {
			break
		}
	}
	return v, nil
}

// Cheapest are the least that one side's rounds took, in seconds.
type Cheapest struct{ CPU, Wall float64 }

func (c *Cheapest) add(u measure.Usage, err error) error {
	if c.Wall == 0 {
		c.CPU, c.Wall = u.CPU(), u.Wall
	}
	c.CPU, c.Wall = min(c.CPU, u.CPU()), min(c.Wall, u.Wall)
	return err
}
