package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// Severity says what a finding means for the command.
type Severity string

// Blocking stops the command before it begins; of a Warning it tells; a Note is
// for odx doctor only.
const (
	Blocking Severity = "blocking"
	Warning  Severity = "warning"
	Note     Severity = "note"
)

// Finding is one thing that was found out.
type Finding struct {
	Check    string   `json:"check"` // kind, such as "disk"
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`         // what it is
	Do       string   `json:"do,omitempty"` // what to do about it
	Err      error    `json:"-"`            // of a check that refuses by an error; nil else
}

func (f Finding) String() string { return string(f.Severity) + ": " + f.Check + ": " + f.Text }

// BlockedError is returned before any work when something would stop the
// command.
type BlockedError struct{ Findings []Finding } // at least one, all blocking

func (e *BlockedError) Error() string {
	texts := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		texts[i] = f.Text
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the errors of the checks that refused by one.
func (e *BlockedError) Unwrap() (errs []error) {
	for _, f := range e.Findings {
		if f.Err != nil {
			errs = append(errs, f.Err)
		}
	}
	return errs
}

// Blocked gives the blocking ones.
func Blocked(findings []Finding) (list []Finding) {
	for _, f := range findings {
		if f.Severity == Blocking {
			list = append(list, f)
		}
	}
	return list
}

// Heed hands warnings on, and makes an error of what blocks.
func Heed(findings []Finding, warn func(string, ...any)) error {
	for _, f := range findings {
		if f.Severity != Warning {
			continue
		}
		text := f.Text
		if f.Do != "" {
			text += " (" + f.Do + ")"
		}
		warn("%s", text)
	}
	if blocked := Blocked(findings); len(blocked) > 0 {
		return &BlockedError{Findings: blocked}
	}
	return nil
}

// Refusals makes findings of a check by an error, and of warnings that came with
// it.
func Refusals(check string, err error, warnings []string) (list []Finding) {
	if err != nil {
		list = append(list, Finding{Check: check, Severity: Blocking, Text: err.Error(), Err: err})
	}
	for _, w := range warnings {
		list = append(list, Finding{Check: check, Severity: Warning, Text: w})
	}
	return list
}

// gather reads rows of values.
func gather[T any](ctx context.Context, s *server.Session, what, sql string, args ...any) (list []T, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return list, nil
}
