package main

import (
	"fmt"
	"slices"
	"strings"
)

// tortureOutcome is a trial's line in the log.
type tortureOutcome struct {
	N         int    `json:"n"`
	Seed      uint64 `json:"seed"`
	Operation string `json:"operation"`
	Fault     string `json:"fault"`
	Phase     string `json:"phase"`          // in which the fault came
	Result    string `json:"result"`         // whole, nothing, losses, altered, displaced or FAILED
	Code      int    `json:"code"`           // odx's exit code
	Left      bool   `json:"left,omitempty"` // temporary things, which were named and removed
}

// tortureFailed is the result of a trial after which something did not hold.
const tortureFailed = "FAILED"

// tabulate gives two tables in Markdown: what became of the runs by fault, and
// which phases the faults came in.
func tabulate(done []tortureOutcome) string {
	var b strings.Builder
	failed := 0
	for _, o := range done {
		if o.Result == tortureFailed {
			failed++
		}
	}
	fmt.Fprintf(&b, "%d trials, %d of them failed\n\n", len(done), failed)
	b.WriteString("| fault | trials | whole | nothing | files missing, and said so | files altered before they were read | between the two renames | temporary things left |\n|---|---|---|---|---|---|---|---|\n")
	_, of := faultGroups()
	for _, f := range tortureFaults {
		if of[f.name] == "" {
			continue // its row is written
		}
		delete(of, f.name)
		n := map[string]int{}
		for _, o := range done {
			if o.Fault != f.name {
				continue
			}
			n["all"]++
			n[o.Result]++
			if o.Left {
				n["left"]++
			}
		}
		if n["all"] > 0 {
			fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d | %d |\n", f.name, n["all"], n["whole"], n["nothing"], n["losses"], n["altered"], n["displaced"], n["left"])
		}
	}
	b.WriteString("\n")
	b.WriteString(phaseTable(done))
	return b.String()
}

// faultGroups are the columns of the table of phases.
func faultGroups() (groups []string, of map[string]string) {
	of = map[string]string{}
	for _, f := range tortureFaults {
		of[f.name] = f.group
		if !slices.Contains(groups, f.group) {
			groups = append(groups, f.group)
		}
	}
	return groups, of
}

// phaseTable counts, for each phase of each operation and each group of faults,
// how many runs ended whole and how many with nothing.
func phaseTable(done []tortureOutcome) string {
	groups, of := faultGroups()
	type cell struct{ whole, nothing, other int }
	cells := map[[3]string]*cell{}
	var rows [][2]string
	for _, op := range operations {
		for _, o := range done {
			if row := [2]string{o.Operation, o.Phase}; o.Operation == op.name && !slices.Contains(rows, row) {
				rows = append(rows, row)
			}
		}
	}
	for _, o := range done {
		key := [3]string{o.Operation, o.Phase, of[o.Fault]}
		if cells[key] == nil {
			cells[key] = &cell{}
		}
		switch o.Result {
		case "whole":
			cells[key].whole++
		case "nothing":
			cells[key].nothing++
		default:
			cells[key].other++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| operation | phase | %s |\n|---|---|%s\n", strings.Join(groups, " | "), strings.Repeat("---|", len(groups)))
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s |", row[0], row[1])
		for _, g := range groups {
			text := ""
			if c := cells[[3]string{row[0], row[1], g}]; c != nil {
				text = fmt.Sprintf("%d/%d/%d", c.whole, c.nothing, c.other)
			}
			fmt.Fprintf(&b, " %s |", text)
		}
		b.WriteString("\n")
	}
	return b.String()
}
