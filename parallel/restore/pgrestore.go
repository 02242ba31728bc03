package restore

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgtool"
)

// pgRestore runs pg_restore for the entries of round i.
func (r *run) pgRestore(ctx context.Context, i int, now round, inDoubt bool, list string) error {
	child, err := r.Server.Child(r.target.temp, r.application(), r.settings)
	if err != nil {
		return err
	}
	dump := r.source.dump
	if now.isMended && r.mendedTOC != "" {
		dump = r.mendedTOC
	}
	args := []string{"--no-owner", "--verbose", "--no-password", "--dbname=" + child.DSN, "--use-list=" + list, dump}
	if now.load {
		args = append([]string{"--jobs=" + strconv.Itoa(r.Jobs)}, args...)
	}
	if r.role != "" && !now.connecting {
		args = append([]string{"--role=" + r.role}, args...)
	}
	if inDoubt {
		args = append([]string{"--clean", "--if-exists"}, args...)
	}
	if r.NoPrivileges {
		args = append([]string{"--no-privileges"}, args...)
	}
	if r.oneSpace {
		args = append([]string{"--no-tablespaces"}, args...)
	}
	out := &pgRestoreOutput{run: r, round: i, major: r.tool.Version.Major}
	ctx, out.stop = context.WithCancelCause(ctx)
	defer out.stop(nil)
	if !out.tolerant() {
		args = append([]string{"--exit-on-error"}, args...)
	}
	usage, err := pgtool.Run(ctx, pgtool.Command{
		Tool: r.tool.Path, Args: args, Env: pgtool.ChildEnv(r.Environ, child.Set, "PGCLIENTENCODING", "PGDATABASE"),
		Stderr: out.line,
	})
	r.report.Children.Add(usage)
	if err = out.verdict(err); err == nil && !now.load {
		for _, id := range now.entries { // with one job pg_restore does not say it
			r.finished(id)
		}
	}
	return err
}

// pgRestoreOutput reads what pg_restore --verbose says. It runs with LC_ALL=C,
// so the words are pg_restore's own in English; what the server says may be in
// any language and is not looked at.
type pgRestoreOutput struct {
	run   *run
	round int
	major int
	stop  context.CancelCauseFunc

	mu        sync.Mutex
	errors    int
	tolerated int
	message   string // of the last error
}

// newerSetting is the one statement of pg_restore that may fail: it sets a
// parameter of PostgreSQL 17 on older servers as well.
const newerSetting = "Command was: SET transaction_timeout = 0;"

// tolerant tells whether pg_restore must go on after an error.
func (o *pgRestoreOutput) tolerant() bool {
	return o.major >= 17 && o.run.target.admin.Version < 170000
}

// finishedItem finds the line also where another worker's "pg_restore: " came
// before it, or between its own and the rest.
var finishedItem = regexp.MustCompile(`^(?:pg_restore: )*finished item (\d+) `)

func (o *pgRestoreOutput) line(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// The parts of a line are written one by one, and those of several workers
	// get mixed: an error that is only looked for at the start would be missed.
	failed, accepted := strings.Count(line, "error: "), strings.Count(line, newerSetting)
	o.errors += failed
	o.tolerated += accepted
	switch {
	case failed > 0:
		_, o.message, _ = strings.Cut(line, "error: ")
	case accepted > 0:
	case strings.Contains(line, "Command was: ") && o.tolerant():
		o.stop(&pgtool.ExitError{Tool: "pg_restore", Code: 1, Stderr: o.message + "\n" + line})
	case strings.HasPrefix(line, "pg_restore: warning: ") && !strings.Contains(line, "errors ignored on restore"):
		o.run.warn("pg_restore: %s", strings.TrimPrefix(line, "pg_restore: warning: "))
	case strings.HasPrefix(line, startsParallel):
		o.note(definitionsMade)
	default:
		if m := finishedItem.FindStringSubmatch(line); m != nil {
			if id, err := strconv.ParseInt(m[1], 10, 32); err == nil {
				o.run.finished(pgarchive.DumpID(id))
				o.note(pgarchive.DumpID(id))
			}
		}
	}
}

// startsParallel is said when all that comes before the data is made.
const startsParallel = "pg_restore: entering main parallel loop"

// note has it written down that something is finished. pg_restore says so of what
// has failed, too: after an error nothing is believed.
func (o *pgRestoreOutput) note(id pgarchive.DumpID) {
	if j := o.run.keeping.journal; j != nil && o.errors == o.tolerated {
		j.add(o.round, id)
		o.run.step("noted")
	}
}

// verdict tells a restore with nothing but tolerated errors from a failed one.
func (o *pgRestoreOutput) verdict(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var exit *pgtool.ExitError
	if !errors.As(err, &exit) || !o.tolerant() {
		return err
	}
	if exit.Code == 1 && o.errors > 0 && o.errors == o.tolerated {
		o.run.warnOnce("pg_restore %d sets transaction_timeout, which this server does not know; nothing else failed", o.major)
		return nil
	}
	return err
}
