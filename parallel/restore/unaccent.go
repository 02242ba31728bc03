package restore

import (
	"fmt"
	"regexp"
	"strings"

	"odx/dumpfmt/pgarchive"
)

// notImmutable is why an index is left out.
const notImmutable = "the role may not make unaccent(text) IMMUTABLE, which an index needs"

// unaccentCall finds calls of the function of the extension, which is in the schema
// given, and not those of somebody's own wrapper around it in another one, which
// may well be IMMUTABLE. pg_dump qualifies what it prints.
func unaccentCall(schema string) *regexp.Regexp {
	name := regexp.QuoteMeta(schema)
	return regexp.MustCompile(`(?:^|[^."\w])(?:(?:` + name + `|"` + name + `")\.)?"?unaccent"?\s*\(`)
}

// leaveUnaccent takes indexes off the list that call unaccent where it is not
// IMMUTABLE. Odoo makes them without it then. It is an error if what calls
// it does more than to find rows faster.
func (r *run) leaveUnaccent(toc *pgarchive.TOC, p *plan) error {
	if r.notImmutable == nil {
		return nil
	}
	call := unaccentCall("")
	for _, x := range p.extensions {
		if x.name == "unaccent" {
			call = unaccentCall(x.schema)
		}
	}
	gone := map[pgarchive.DumpID]bool{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		isGone := dependsOn(e, gone)
		if calls := needsImmutable(e, call); !isGone && !calls || p.left[e.ID] {
			continue
		}
		if !isGone && e.Desc != "INDEX" || strings.HasPrefix(e.Defn.String, "CREATE UNIQUE") {
			return &ExtensionError{Name: "unaccent", Err: fmt.Errorf(
				"%s calls unaccent(text), which must be IMMUTABLE, and the role may not make it so: %w", entryName(e), r.notImmutable)}
		}
		gone[e.ID], p.left[e.ID] = true, true
		r.report.LeftOut = append(r.report.LeftOut, Omission{Entry: entryName(e), Reason: notImmutable})
	}
	return nil
}

// needsImmutable tells whether the entry calls unaccent where only IMMUTABLE
// functions may be called.
func needsImmutable(e *pgarchive.Entry, call *regexp.Regexp) bool {
	if !call.MatchString(e.Defn.String) {
		return false
	}
	switch e.Desc {
	case "INDEX", "CONSTRAINT":
		return true
	case pgarchive.DescTable:
		return strings.Contains(e.Defn.String, "GENERATED ALWAYS AS (") || strings.Contains(e.Defn.String, "PARTITION BY")
	}
	return false
}
