package pgtool

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// NotFoundError is returned when no program of a suitable version was found.
type NotFoundError struct {
	Name  string // "pg_dump"
	Need  int    // oldest major version that would do; 0 if any would
	Found []Tool // the unsuitable ones, newest first

	binDir string   // the only folder looked at; "" if the usual ones were
	broken []string // those that did not tell their version, and why
}

// Error says what was looked for and what is there.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	b.WriteString("no " + e.Name)
	if e.Need > 0 {
		fmt.Fprintf(&b, " of version %d or newer", e.Need)
	}
	if e.binDir != "" {
		b.WriteString(" in " + e.binDir)
	}
	var there []string
	for _, t := range e.Found {
		there = append(there, t.Path+" is "+t.Version.Text)
	}
	there = append(there, e.broken...)
	if len(there) > 0 {
		b.WriteString(" (" + strings.Join(there, "; ") + ")")
	}
	return b.String()
}

// Package returns the name of the Debian package that has the program, such as
// "postgresql-client-17".
func (e *NotFoundError) Package() string {
	name := "postgresql-client"
	switch e.Name {
	case "initdb", "postgres", "pg_ctl":
		name = "postgresql"
	}
	if e.Need > 0 {
		name += "-" + strconv.Itoa(e.Need)
	}
	return name
}

// ExitError is returned when a child ended by itself with something else than
// exit status 0. It holds neither arguments nor environment, which may have
// secrets in them.
type ExitError struct {
	Tool   string // path of the program
	Code   int    // exit status; -1 if a signal ended it
	Signal string // "killed", "terminated", ...; "" if none
	Stderr string // the first line that says error, and the last lines
	Usage  Usage
}

// Error names the program, how it ended, and the last lines that it wrote:
// from the first one that says "error" if there is one.
func (e *ExitError) Error() string {
	how := "exit status " + strconv.Itoa(e.Code)
	if e.Signal != "" {
		how = "ended by signal: " + e.Signal
	}
	text := filepath.Base(e.Tool) + ": " + how
	if said := e.reason(); said != "" {
		text += ": " + said
	}
	return text
}

// reason leaves out what a verbose child reported before it met an error.
func (e *ExitError) reason() string {
	lines := strings.Split(strings.TrimSpace(e.Stderr), "\n")
	if i := slices.IndexFunc(lines, saysError); i > 0 {
		lines = lines[i:]
	}
	return strings.Join(lines, "\n")
}

func saysError(line string) bool {
	for _, mark := range []string{"error: ", "ERROR: ", "FATAL: ", "PANIC: "} {
		if strings.Contains(line, mark) {
			return true
		}
	}
	return false
}
