package contest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"odx/bench/measure"
	"odx/parallel/pgtool"
)

// Run runs a peer's steps and measures them. What they made is removed again.
func (s *Stage) Run(ctx context.Context, p Peer, jobs int) (_ measure.Usage, err error) {
	if err := s.prepare(ctx, p.Steps); err != nil {
		return measure.Usage{}, err
	}
	if err := errors.Join(s.clear(ctx), s.waste.reap(ctx)); err != nil {
		return measure.Usage{}, err
	}
	defer func() { err = errors.Join(err, s.clear(context.WithoutCancel(ctx))) }()
	if err := s.warm(ctx, p.Steps); err != nil {
		return measure.Usage{}, err
	}
	disk := s.work()
	if s.unsafe {
		disk = ""
	}
	m, err := measure.Start(s.cluster.PID(), disk)
	if err != nil {
		return measure.Usage{}, err
	}
	runErr := s.steps(ctx, p.Steps, jobs, filepath.Join(s.work(), "out"))
	u, err := m.Stop()
	if err := errors.Join(runErr, err); err != nil {
		return measure.Usage{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	return u, nil
}

// steps runs steps one after the other.
func (s *Stage) steps(ctx context.Context, steps []Step, jobs int, out string) error {
	fill := strings.NewReplacer(s.placeholders(jobs, out)...)
	for _, st := range steps {
		if err := s.step(ctx, st, fill); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) step(ctx context.Context, st Step, fill *strings.Replacer) (err error) {
	c := pgtool.Command{Env: s.environment(), Dir: s.work()}
	if c.Tool, err = s.tools.find(st.Tool); err != nil {
		return err
	}
	for _, arg := range st.Args {
		c.Args = append(c.Args, fill.Replace(arg))
	}
	if st.Dir != "" {
		c.Dir = fill.Replace(st.Dir)
	}
	_, err = pgtool.Run(ctx, c)
	return err
}

// prepare makes the inputs that steps name and that are not there yet.
func (s *Stage) prepare(ctx context.Context, steps []Step) error {
	for _, in := range inputs() {
		if s.made[in.name] || !names(steps, "{in:"+in.name+"}") {
			continue
		}
		if err := s.prepare(ctx, in.steps); err != nil {
			return err
		}
		if err := s.clear(ctx); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(s.input(in.name)), 0o700); err != nil {
			return err
		}
		if err := s.steps(ctx, in.steps, runtime.NumCPU(), s.input(in.name)); err != nil {
			return fmt.Errorf("make input %s: %w", in.name, err)
		}
		s.made[in.name] = true
	}
	return nil
}

func names(steps []Step, placeholder string) bool {
	for _, st := range steps {
		if strings.Contains(strings.Join(append(st.Args[:len(st.Args):len(st.Args)], st.Dir), " "), placeholder) {
			return true
		}
	}
	return false
}

// endSessions ends what a run that was broken off has begun on the server, and
// waits for its end: a database that is being created still cannot be dropped.
const endSessions = `SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
	WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`

// clear removes what a run has made and leaves an empty work folder.
func (s *Stage) clear(ctx context.Context) error {
	if err := s.exec(ctx, "postgres", endSessions, "DROP DATABASE IF EXISTS "+newDB+" WITH (FORCE)", "CHECKPOINT"); err != nil {
		return err
	}
	if err := s.waste.add(s.work()); err != nil {
		return err
	}
	return os.MkdirAll(s.tmp(), 0o700)
}

// Commands returns the steps of a peer as lines for people, with the
// placeholders as they are and Odoo's script as a name.
func Commands(p Peer) []string {
	var all []string
	for _, st := range p.Steps {
		words := []string{st.Tool}
		for _, arg := range st.Args {
			switch {
			case arg == odooScript:
				arg = "odoo.py"
			case strings.ContainsAny(arg, " "):
				arg = `"` + arg + `"`
			}
			words = append(words, arg)
		}
		line := strings.Join(words, " ")
		if st.Dir != "" {
			line = "cd " + st.Dir + " && " + line
		}
		all = append(all, line)
	}
	return all
}
