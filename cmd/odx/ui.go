package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// ui is the only place that prints. Data and --json go to stdout, everything
// else to stderr; every line about a problem begins with "odx: error:",
// "odx: warning:" or "odx: hint:".
type ui struct {
	stdout, stderr io.Writer
	terminal       bool // stderr is one
	width          func() int

	json, quiet, noProgress, progressJSON bool

	mu    sync.Mutex
	lines int // of progress on the screen, below the cursor
}

func newUI(stdout, stderr *os.File) *ui {
	return &ui{
		stdout: stdout, stderr: stderr,
		terminal: term.IsTerminal(int(stderr.Fd())),
		width: func() int {
			if w, _, err := term.GetSize(int(stderr.Fd())); err == nil && w > 0 {
				return w
			}
			return 80
		},
	}
}

// dataToTerminal tells whether standard output is a terminal.
func (u *ui) dataToTerminal() bool {
	f, ok := u.stdout.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// configure reads the output flags of a command.
func (u *ui) configure(c *cli.Context) {
	u.json, u.quiet = c.Bool("json"), c.Bool("quiet")
	u.noProgress, u.progressJSON = c.Bool("no-progress"), c.Bool("progress-json")
}

// say prints a line for people.
func (u *ui) say(format string, args ...any) {
	if !u.quiet {
		u.print(fmt.Sprintf(format, args...))
	}
}

func (u *ui) warn(text string) {
	if !u.quiet {
		u.problem("warning", text)
	}
}

// loss prints a warning that an exit status is about, also with --quiet: what cron
// sends is to say what is missing.
func (u *ui) loss(text string) { u.problem("warning", text) }

// error prints a line also with --quiet.
func (u *ui) error(text string) { u.problem("error", text) }

// problem indents what stands behind a line end: text that holds a name out of a
// dump cannot pass for a line of odx's own.
func (u *ui) problem(kind, text string) {
	u.print("odx: " + kind + ": " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n     "))
}

// print writes a line above the progress. What it tells of a dump or of a server
// may hold what a terminal obeys.
func (u *ui) print(line string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.eraseLocked()
	fmt.Fprintln(u.stderr, withoutControls(line))
}

// withoutControls replaces control characters but those of lines and columns. A
// byte that is not UTF-8 is taken for the character of LATIN1.
func withoutControls(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			r = rune(text[0])
		}
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			b.WriteByte('?')
		} else {
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// self is what odx itself used, without its children.
type self struct {
	PeakRSS int64   `json:"peak_rss"` // bytes
	CPU     float64 `json:"cpu_seconds"`
}

// outcome is the one object that --json prints.
type outcome struct {
	Status   string `json:"status"` // ok, losses, damaged, differ, blocked or failed
	ExitCode int    `json:"exit_code"`
	Error    string `json:"error,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Odx      self   `json:"odx"`
	Report   any    `json:"report,omitempty"`
}

// report shows what a finished command did, as JSON or in words. It gives
// errLosses if there are any.
func (u *ui) report(report any, losses bool, words func()) error {
	if losses {
		return u.reportAs(report, errLosses, words)
	}
	return u.reportAs(report, nil, words)
}

// reportAs is report of a command that ends with one of the errors that exit
// knows to be reported, or with none, and gives that error. Of such an ending the
// words say more than a code also with --quiet.
func (u *ui) reportAs(report any, ending error, words func()) error {
	if !u.json {
		if !u.quiet || ending != nil {
			words()
		}
		return ending
	}
	o := outcome{Status: "ok", Odx: usageOfSelf(), Report: report}
	for status, err := range reported {
		if errors.Is(ending, err) {
			o.Status, o.ExitCode = status, exitCode(context.Background(), err)
		}
	}
	if err := u.printJSON(o); err != nil {
		return err
	}
	return ending
}

// reported are the errors whose report was printed, by the status in it.
var reported = map[string]error{"losses": errLosses, "damaged": errDamaged, "differ": errDiffer, "blocked": errBlocked}

// withReport is an error that a command ended with after it had found out
// something, which --json has beside the error.
type withReport struct {
	error
	report any
}

func (w withReport) Unwrap() error { return w.error }

// isReported tells whether nothing is to be said of an error any more.
func isReported(err error) bool {
	for _, r := range reported {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

func (u *ui) printJSON(v any) error {
	enc := json.NewEncoder(u.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// exit prints the error, if any, and gives the exit code.
func (u *ui) exit(ctx context.Context, err error) int {
	code := exitCode(ctx, err)
	if err == nil || isReported(err) {
		return code
	}
	text, hint := explain(ctx, err)
	u.error(text)
	if hint != "" {
		u.problem("hint", hint)
	}
	if u.json {
		o := outcome{Status: "failed", ExitCode: code, Error: text, Hint: hint, Odx: usageOfSelf()}
		if w := (withReport{}); errors.As(err, &w) {
			o.Report = w.report
		}
		if err := u.printJSON(o); err != nil {
			u.error(err.Error())
		}
	}
	return code
}
