package bench

import (
	"fmt"
	"strings"
)

// maxDifferences is how many differences are told in full.
const maxDifferences = 10

// DifferenceError is returned when two things that were compared are not equal.
type DifferenceError struct {
	What  string   // what was compared
	First []string // the first differences, one line or more each
	Count int      // how many there were before the comparison ended
}

// Error tells the first differences.
func (e *DifferenceError) Error() string {
	text := fmt.Sprintf("%s: %d differences:\n%s", e.What, e.Count, strings.Join(e.First, "\n"))
	if e.Count > len(e.First) {
		text += fmt.Sprintf("\nand %d more", e.Count-len(e.First))
	}
	return text
}

// differences collects what was found.
type differences struct {
	first []string
	count int
}

func (d *differences) add(format string, args ...any) {
	if d.count++; len(d.first) < maxDifferences {
		d.first = append(d.first, fmt.Sprintf(format, args...))
	}
}

func (d *differences) err(what string) error {
	if d.count == 0 {
		return nil
	}
	return &DifferenceError{What: what, First: d.first, Count: d.count}
}
