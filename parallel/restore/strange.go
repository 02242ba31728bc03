package restore

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// refuseStrange looks for statements that no pg_dump writes into such an entry:
// those that reach another database, a role, the server's settings or a file.
// Only what is written as a statement is found. What a function does when it is
// called is not: against that only a role helps that may do nothing.
func refuseStrange(toc *pgarchive.TOC) error {
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if err := strange(e); err != nil {
			return &dumpfmt.FormatError{Path: "toc.dat", Offset: -1, Field: "entry " + entryName(e), Err: err}
		}
	}
	return nil
}

func strange(e *pgarchive.Entry) error {
	if e.CopyStmt.Valid && e.CopyStmt.String != "" && !isCopyFromStdin(e.CopyStmt.String) {
		return fmt.Errorf("rows are loaded by COPY ... FROM stdin, and this has %.100q", e.CopyStmt.String)
	}
	if e.Desc == "DATABASE" || e.Desc == "DATABASE PROPERTIES" {
		return nil // read, and never run
	}
	for statement := range beginnings(e.Defn.String) {
		switch {
		case isACL(e.Desc):
			if !isPrivilege(statement) {
				return errors.New("privileges with another statement")
			}
		case isStrange(statement):
			return fmt.Errorf("pg_dump writes no statement such as %s %s", statement[0], second(statement))
		case e.Desc == "COMMENT" && statement[0] != "COMMENT":
			return errors.New("a comment with another statement")
		}
	}
	return nil
}

// isCopyFromStdin tells whether the text is one COPY that reads what is sent to
// it.
func isCopyFromStdin(text string) bool {
	var first string
	var last [3]string
	n, froms, ends := 0, 0, 0
	for w := range eachWord(text) {
		if n++; n == 1 {
			first = w
		}
		if isWord(w, "FROM") {
			froms++
		}
		if w == ";" {
			ends++
		}
		last = [3]string{last[1], last[2], w}
	}
	return n > 4 && isWord(first, "COPY") && froms == 1 && ends == 1 &&
		isWord(last[0], "FROM") && isWord(last[1], "STDIN") && last[2] == ";"
}

// beginnings cuts a definition at semicolons and gives what is looked at of each
// statement: its first words, and an ON if one follows. All of the words could
// take many times the memory of the definition, so one slice serves for all
// statements. The body of a function without quotes is cut as well: what begins in
// it cannot be strange.
func beginnings(defn string) iter.Seq[[]string] {
	const first = 5
	return func(yield func([]string) bool) {
		var now []string
		for w := range eachWord(defn) {
			switch {
			case w != ";":
				if len(now) < first || w == "ON" && len(now) == first {
					now = append(now, w)
				}
			case len(now) > 0:
				if !yield(now) {
					return
				}
				now = now[:0]
			}
		}
		if len(now) > 0 {
			yield(now)
		}
	}
}

// isPrivilege tells whether a statement is one that pg_dump writes about
// privileges: it is about those of an object, or says which role gives them. GRANT
// of a role to another, which has no ON, is about roles.
func isPrivilege(statement []string) bool {
	switch {
	case matches(statement, "SET", "SESSION", "AUTHORIZATION", ""):
		return len(statement) == 4
	case matches(statement, "RESET", "SESSION", "AUTHORIZATION"):
		return len(statement) == 3
	case matches(statement, "GRANT"), matches(statement, "REVOKE"):
		return slices.Contains(statement, "ON")
	}
	return matches(statement, "ALTER", "DEFAULT", "PRIVILEGES")
}

// isStrange tells whether a statement is about more than the database, or runs
// code at once.
func isStrange(statement []string) bool {
	first := statement[0]
	is := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return isWord(second(statement), w) })
	}
	switch {
	case isAnyWord(first, "COPY", "DO", "CALL", "LOAD", "REASSIGN", "CHECKPOINT", "GRANT", "REVOKE"):
		return true
	case isAnyWord(first, "RESET", "SET"):
		return is("ROLE", "SESSION", "LOCAL", "ALL")
	case isWord(first, "CREATE"), isWord(first, "ALTER"), isWord(first, "DROP"):
		if is("USER") {
			return len(statement) < 3 || !isWord(statement[2], "MAPPING")
		}
		return is("DATABASE", "ROLE", "GROUP", "TABLESPACE", "SYSTEM", "OWNED")
	}
	return false
}

// isWord compares a keyword, in letters of either case.
func isWord(got, want string) bool { return strings.EqualFold(got, want) }

func isAnyWord(got string, want ...string) bool {
	return slices.ContainsFunc(want, func(w string) bool { return isWord(got, w) })
}

func second(statement []string) string {
	if len(statement) < 2 {
		return ""
	}
	return statement[1]
}

// refuseTwoParts finds a table whose rows are in two entries, as edited scripts have
// them. A parallel pg_restore empties the table before each.
func (r *run) refuseTwoParts() error {
	if r.Jobs == 1 || r.source.script != nil {
		return nil
	}
	seen := map[tableKey]bool{}
	for i := range r.source.toc.Entries {
		e := &r.source.toc.Entries[i]
		if e.Desc != pgarchive.DescTableData || e.Defn.Valid && e.Defn.String != "" { // through the root of partitions: not emptied
			continue
		}
		key := tableKey{e.Namespace.String, e.Tag}
		if seen[key] {
			return fmt.Errorf("%w: the rows of %s.%s are in two parts, of which pg_restore would lose one: restore with --jobs 1", dumpfmt.ErrUnsupported, key.schema, key.name)
		}
		seen[key] = true
	}
	return nil
}
