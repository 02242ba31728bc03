package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"odx/dumpfmt/pgarchive"
)

// Omission is something of the dump that the new database does not have.
type Omission struct {
	Entry     string `json:"entry"`               // kind and name of the TOC entry
	Statement string `json:"statement,omitempty"` // if it is only one of the entry's
	Reason    string `json:"reason"`
}

func (o *Omission) String() string {
	if o.Statement != "" {
		return o.Statement
	}
	return o.Entry
}

func entryName(e *pgarchive.Entry) string { return e.Desc + " " + e.Tag }

// mender takes out of an archive what names roles that do not exist, or that
// nobody may act for who takes part. What else the entries do is kept: without
// its REVOKE a function would be everybody's, and without the other roles of its
// policy a table would show them more, or less.
type mender struct {
	known   knownRoles
	changed map[pgarchive.DumpID]bool // entries with another definition than the archive's
	left    map[pgarchive.DumpID]bool // entries of which nothing is kept
	lost    []Omission
}

// mendRoles mends the entries that are to be restored, and takes off the list
// those of which nothing is left.
func (r *run) mendRoles(ctx context.Context, p *plan) error {
	toc := r.source.toc
	known, err := lookUp(ctx, r.target.admin, r.target.owner, rolesOf(toc, !r.NoPrivileges))
	if err != nil {
		return err
	}
	m := &mender{known: known, changed: map[pgarchive.DumpID]bool{}, left: p.left}
	m.mend(toc)
	r.mended = m.changed
	r.report.LeftOut = append(r.report.LeftOut, m.lost...)
	return nil
}

func (m *mender) mend(toc *pgarchive.TOC) {
	gone := map[pgarchive.DumpID]bool{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if m.left[e.ID] || strings.HasPrefix(e.Tag, "DATABASE ") {
			continue
		}
		kept, isWhole := "", true
		switch {
		case e.Desc == "POLICY":
			kept, isWhole = m.ofPolicy(e)
		case isACL(e.Desc):
			kept, isWhole = m.ofPrivileges(e)
		case e.Desc == "USER MAPPING":
			isWhole = !m.refuses(e, words(e.Defn.String))
		case dependsOn(e, gone): // a comment
			isWhole = false
			m.lose(e, "", fmt.Sprintf("%s is left out", strings.TrimPrefix(e.Tag, "POLICY ")))
		}
		switch {
		case isWhole:
		case kept == "":
			m.left[e.ID], gone[e.ID] = true, true
		default:
			e.Defn, m.changed[e.ID] = pgarchive.Str(kept), true
		}
	}
}

func (m *mender) lose(e *pgarchive.Entry, statement, reason string) {
	m.lost = append(m.lost, Omission{Entry: entryName(e), Statement: statement, Reason: reason})
}

// refuses tells whether a statement names a role that it cannot, and notes it.
func (m *mender) refuses(e *pgarchive.Entry, w []string) bool {
	statement := strings.Join(w, " ")
	if e.Desc == "USER MAPPING" { // its options may have a password
		statement = ""
	}
	for _, role := range rolesNamed(w) {
		if !m.known[role].Exists {
			m.lose(e, statement, notThere(role))
			return true
		}
	}
	if i := slices.Index(w, "FOR"); e.Desc == "DEFAULT ACL" && i >= 0 && matches(w[i:], "FOR", "ROLE", "") {
		if role := plain(w[i+2]); !m.known[role].ActFor {
			m.lose(e, statement, notOurs(role))
			return true
		}
	}
	return false
}

func notThere(role string) string { return fmt.Sprintf("role %q does not exist", role) }
func notOurs(role string) string {
	return fmt.Sprintf("nobody who takes part may act for role %q", role)
}

// ofPrivileges mends GRANTs and REVOKEs, statement by statement. Those between
// SET SESSION AUTHORIZATION and RESET are a role's own.
func (m *mender) ofPrivileges(e *pgarchive.Entry) (kept string, isWhole bool) {
	var b strings.Builder
	reason, isWhole := "", true
	for _, tokens := range cutStatements(e.Defn.String, true) {
		w := words(text(tokens))
		isSkipped := reason != ""
		switch {
		case matches(w, "SET", "SESSION", "AUTHORIZATION", ""):
			reason = ""
			if role := plain(w[3]); !m.known[role].Exists {
				reason = notThere(role)
			} else if !m.known[role].Become {
				reason = notOurs(role)
			}
			isSkipped = reason != ""
		case matches(w, "RESET", "SESSION", "AUTHORIZATION"):
			reason = ""
		case isSkipped:
			m.lose(e, strings.Join(w, " "), reason)
		default:
			isSkipped = m.refuses(e, w)
		}
		if isSkipped {
			isWhole = false
			continue
		}
		b.WriteString(text(tokens) + ";\n")
	}
	return b.String(), isWhole
}

// ofPolicy takes roles out of the list of those that a policy is for.
func (m *mender) ofPolicy(e *pgarchive.Entry) (kept string, isWhole bool) {
	a := findAudience(e.Defn.String)
	var names []string
	for _, name := range a.names {
		if !isRole(name) || m.known[plain(name)].Exists {
			names = append(names, name)
			continue
		}
		m.lose(e, "", notThere(plain(name)))
	}
	switch {
	case len(names) == len(a.names):
		return "", true
	case len(names) == 0:
		return "", false
	}
	return a.before + "TO " + strings.Join(names, ", ") + " " + a.after, false
}

// sayLeftOut warns of what is left out, in one line for each reason.
func (r *run) sayLeftOut() {
	count, first := map[string]int{}, []*Omission{}
	for i := range r.report.LeftOut {
		o := &r.report.LeftOut[i]
		if o.Reason == onlySuperuser { // each is named
			continue
		}
		if count[o.Reason]++; count[o.Reason] == 1 {
			first = append(first, o)
		}
	}
	for _, o := range first {
		r.warnOnce("left out, %s: %s%s", o.Reason, o, andMore(count[o.Reason]-1))
	}
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more, which --json lists", n)
}

// apart takes what was mended out of the rounds, into rounds of their own after
// them: pg_restore is given another table of contents for these, which has no
// data beside it. GRANTs of one round stay together, in their order.
func apart(list []round, toc *pgarchive.TOC, mended map[pgarchive.DumpID]bool) (out []round) {
	byID := toc.ByID()
	for _, now := range list {
		withGrants := slices.ContainsFunc(now.entries, func(id pgarchive.DumpID) bool { return mended[id] && isACL(byID[id].Desc) })
		moved := map[pgarchive.DumpID]bool{}
		var rest, later []pgarchive.DumpID
		for _, id := range now.entries {
			e := byID[id]
			if mended[id] || withGrants && isACL(e.Desc) || isNote(e.Desc) && dependsOn(e, moved) {
				moved[id] = true
				later = append(later, id)
				continue
			}
			rest = append(rest, id)
		}
		if len(rest) > 0 {
			now.entries = rest
			out = append(out, now)
		}
		if len(later) > 0 {
			out = append(out, round{entries: later, connecting: now.connecting, last: now.last, isMended: true})
		}
	}
	return out
}
