package restore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
	"odx/parallel/server"
)

// doer says who may restore an entry.
type doer uint8

const (
	byOwner     doer = iota
	byEither         // a superuser may, the owner perhaps not
	bySuperuser      // only a superuser may
)

// reserved says of an archive's entries which of them the owner may not
// restore. PostgreSQL's own checks (src/backend/commands, 13 to 18) are what it
// follows.
type reserved struct {
	owner     string
	entries   map[pgarchive.DumpID]*pgarchive.Entry
	shells    map[tableKey]bool // types that the archive declares before it makes them
	tables    map[tableKey]bool
	untrusted map[string]bool // languages in which only a superuser may write functions
	settings  map[string]bool // settings that not everybody may change
	everybody map[string]bool // and those that everybody may

	ofNoted map[pgarchive.DumpID]doer // entries that notes are about, as far as asked for
}

// kindsByDoer has the kinds of which every entry needs the same.
var kindsByDoer = map[string]doer{
	"ACCESS METHOD": bySuperuser, "EVENT TRIGGER": bySuperuser, "FOREIGN DATA WRAPPER": bySuperuser,
	"OPERATOR CLASS": bySuperuser, "OPERATOR FAMILY": bySuperuser, "PROCEDURAL LANGUAGE": bySuperuser,
	"PUBLICATION TABLES IN SCHEMA": bySuperuser, "SHELL TYPE": bySuperuser, "SUBSCRIPTION": bySuperuser,
	"SUBSCRIPTION TABLE": bySuperuser, "TEXT SEARCH PARSER": bySuperuser, "TEXT SEARCH TEMPLATE": bySuperuser,

	// The wrapper is the superuser's, and it may refuse options to others.
	"SERVER": byEither, "USER MAPPING": byEither, "FOREIGN TABLE": byEither,
	// These belong to whom their types and functions belong to.
	"TRANSFORM": byEither,
}

// findReserved reads what the decision needs. The session is in the new
// database, which has its extensions: they bring languages.
func findReserved(ctx context.Context, s *server.Session, toc *pgarchive.TOC, owner string) (*reserved, error) {
	v := newReserved(toc, owner)
	for _, list := range []struct {
		into map[string]bool
		sql  string
	}{
		{v.untrusted, "SELECT lanname FROM pg_catalog.pg_language WHERE NOT lanpltrusted"},
		{v.settings, "SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings WHERE context <> 'user'"},
		{v.everybody, "SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings WHERE context = 'user'"},
	} {
		err := s.Do(func(c *pgx.Conn) error {
			rows, err := c.Query(ctx, list.sql)
			if err != nil {
				return err
			}
			names, err := pgx.CollectRows(rows, pgx.RowTo[string])
			for _, name := range names {
				list.into[name] = true
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read what only a superuser may do: %w", err)
		}
	}
	return v, nil
}

func newReserved(toc *pgarchive.TOC, owner string) *reserved {
	v := &reserved{owner: owner, entries: toc.ByID(), shells: map[tableKey]bool{}, tables: map[tableKey]bool{}, settings: map[string]bool{}, everybody: map[string]bool{},
		untrusted: map[string]bool{"c": true, "internal": true}, ofNoted: map[pgarchive.DumpID]doer{}}
	for i := range toc.Entries {
		switch e := &toc.Entries[i]; {
		case e.Desc == "SHELL TYPE":
			v.shells[tableKey{e.Namespace.String, e.Tag}] = true
		case e.Desc == pgarchive.DescTable:
			v.tables[tableKey{e.Namespace.String, e.Tag}] = true
		case e.Desc == "PROCEDURAL LANGUAGE" && !follows(e.Defn.String, []string{"TRUSTED"}):
			v.untrusted[e.Tag] = true
		}
	}
	return v
}

// doer tells who may restore the entry.
func (v *reserved) doer(e *pgarchive.Entry) doer {
	if d, ok := kindsByDoer[e.Desc]; ok {
		return d
	}
	switch e.Desc {
	case "FUNCTION", "PROCEDURE":
		return v.ofFunction(e.Defn.String)
	case "AGGREGATE":
		return superuserIf(follows(e.Defn.String, []string{"STYPE", "MSTYPE"}, "=", "internal"))
	case "CAST":
		return max(byEither, superuserIf(follows(e.Defn.String, []string{"WITHOUT"}, "FUNCTION")))
	case "TYPE":
		isBase := !follows(e.Defn.String, []string{"AS"}) // or a mere name
		return superuserIf(isBase || v.shells[tableKey{e.Namespace.String, e.Tag}])
	case "OPERATOR":
		return ofOperator(e.Defn.String)
	case "PUBLICATION":
		return superuserIf(matches(firstWords(e.Defn.String, 5), "", "", "", "FOR", "ALL"))
	case pgarchive.DescTableData, "STATISTICS DATA":
		return v.ofData(e)
	case "SEQUENCE SET":
		if len(e.Dependencies) == 0 { // of a script, which has the sequence then if it is no extension's
			return byEither
		}
		return v.ofData(e)
	case "FK CONSTRAINT":
		if table, ok := referenced(e.Defn.String); ok && !v.tables[table] {
			return byEither // an extension's, on which the owner may have no rights
		}
	case "DEFAULT ACL":
		if e.Owner.String != v.owner {
			return byEither
		}
	case "ACL", "COMMENT", "SECURITY LABEL":
		return v.ofNote(e)
	}
	return byOwner
}

func superuserIf(yes bool) doer {
	if yes {
		return bySuperuser
	}
	return byOwner
}

// ofFunction looks at a function's attributes, which stand between LANGUAGE
// and the body. Only pg_dump's keywords are in capitals without quotes.
func (v *reserved) ofFunction(defn string) doer {
	l := sqlscript.NewLexer([]byte(defn), true)
	for w, ok := nextWord(l); ok && w != "LANGUAGE"; w, ok = nextWord(l) {
	}
	language, isNamed := nextWord(l)
	if !isNamed {
		return byOwner
	}
	who := superuserIf(v.untrusted[plain(language)])
	w, ok := nextWord(l)
	for ok {
		next, more := nextWord(l)
		switch w {
		case "AS", "BEGIN", "RETURN":
			return who
		case "LEAKPROOF", "SUPPORT":
			who = bySuperuser
		case "SET":
			switch name := strings.ToLower(plain(next)); {
			case v.settings[name]:
				who = max(who, byEither)
			case strings.Contains(name, ".") && !v.everybody[name]: // of a library that is not loaded, or of nobody
				who = bySuperuser
			}
		}
		w, ok = next, more
	}
	return who
}

// ofOperator finds estimators that are not PostgreSQL's own: recent minor
// releases let only superusers name such.
func ofOperator(defn string) doer {
	for w := range runs(defn, 4) {
		if matches(w, "RESTRICT", "=", "", ".") || matches(w, "JOIN", "=", "", ".") {
			return byEither
		}
	}
	return byOwner
}

// ofData tells extensions' rows from others: their tables are not in the
// archive, and are the extension's owner's.
func (v *reserved) ofData(e *pgarchive.Entry) doer {
	if len(e.Dependencies) > 0 && v.entries[e.Dependencies[0]] == nil {
		return byEither
	}
	return byOwner
}

// referenced gives the table that a foreign key refers to.
func referenced(defn string) (table tableKey, ok bool) {
	for w := range runs(defn, 4) {
		if matches(w, "REFERENCES", "", ".", "") {
			return tableKey{plain(w[1]), plain(w[3])}, true
		}
	}
	return table, false
}

// ofNote is about what belongs to another entry. Where that is not in the
// archive, an extension made it, or initdb.
func (v *reserved) ofNote(e *pgarchive.Entry) doer {
	if e.Tag == "SCHEMA public" { // until PostgreSQL 14 it is not the database owner's
		return byEither
	}
	for _, id := range e.Dependencies {
		of := v.entries[id]
		if of == nil || isNote(of.Desc) {
			continue
		}
		who, isKnown := v.ofNoted[id]
		if !isKnown {
			who = v.doer(of)
			v.ofNoted[id] = who
		}
		return who
	}
	return byEither
}

func isNote(desc string) bool { return desc == "COMMENT" || desc == "SECURITY LABEL" || isACL(desc) }

func isACL(desc string) bool { return desc == "ACL" || desc == "DEFAULT ACL" }

// words gives the tokens of a statement but blanks and comments. Names in
// quotes keep them.
func words(statement string) []string { return slices.Collect(eachWord(statement)) }

// eachWord gives the same one by one: a definition of many megabytes may have a
// word in each byte.
func eachWord(statement string) iter.Seq[string] {
	return func(yield func(string) bool) {
		l := sqlscript.NewLexer([]byte(statement), true)
		for w, ok := nextWord(l); ok && yield(w); w, ok = nextWord(l) {
		}
	}
}

// nextWord gives "" after the last one.
func nextWord(l *sqlscript.Lexer) (w string, ok bool) {
	for t, ok := l.Next(); ok; t, ok = l.Next() {
		if t.Kind != sqlscript.Space && t.Kind != sqlscript.Remark {
			return string(t.Text), true
		}
	}
	return "", false
}

// firstWords gives at most n.
func firstWords(statement string, n int) (list []string) {
	for w := range eachWord(statement) {
		if len(list) == n {
			break
		}
		list = append(list, w)
	}
	return list
}

// runs gives every n words that follow each other, in one slice that is used again.
func runs(statement string, n int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		var now []string
		for w := range eachWord(statement) {
			if len(now) == n {
				now = now[:copy(now, now[1:])]
			}
			if now = append(now, w); len(now) == n && !yield(now) {
				return
			}
		}
	}
}

// follows tells whether a statement has one of first and right after it the rest.
func follows(statement string, first []string, rest ...string) bool {
	for w := range runs(statement, 1+len(rest)) {
		if slices.Contains(first, w[0]) && slices.Equal(w[1:], rest) {
			return true
		}
	}
	return false
}

// plain takes a name out of its quotes.
func plain(name string) string {
	if len(name) > 1 && (name[0] == '"' || name[0] == '\'') {
		q := name[:1]
		return strings.ReplaceAll(name[1:len(name)-1], q+q, q)
	}
	return name
}

// mappingsNeedServers adds the dependency of user mappings on their servers,
// which pg_dump leaves out.
func mappingsNeedServers(toc *pgarchive.TOC) {
	servers := map[string]pgarchive.DumpID{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.Desc == "SERVER" {
			servers[e.Tag] = e.ID
		}
		if e.Desc != "USER MAPPING" || len(e.Dependencies) > 0 {
			continue
		}
		// CREATE USER MAPPING FOR user SERVER name
		if w := firstWords(e.Defn.String, 7); len(w) > 6 && servers[plain(w[6])] > 0 {
			e.Dependencies = append(e.Dependencies, servers[plain(w[6])])
		}
	}
}
