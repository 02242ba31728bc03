package restore

import (
	"context"
	"fmt"
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
	untrusted map[string]bool   // languages in which only a superuser may write functions
	settings  map[string]bool   // settings that not everybody may change
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
	v := &reserved{owner: owner, entries: toc.ByID(), shells: map[tableKey]bool{}, settings: map[string]bool{},
		untrusted: map[string]bool{"c": true, "internal": true}}
	for i := range toc.Entries {
		switch e := &toc.Entries[i]; {
		case e.Desc == "SHELL TYPE":
			v.shells[tableKey{e.Namespace.String, e.Tag}] = true
		case e.Desc == "PROCEDURAL LANGUAGE" && !slices.Contains(words(e.Defn.String), "TRUSTED"):
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
		return v.ofFunction(words(e.Defn.String))
	case "AGGREGATE":
		return superuserIf(follows(words(e.Defn.String), []string{"STYPE", "MSTYPE"}, "=", "internal"))
	case "CAST":
		return max(byEither, superuserIf(follows(words(e.Defn.String), []string{"WITHOUT"}, "FUNCTION")))
	case "TYPE":
		isBase := !slices.Contains(words(e.Defn.String), "AS") // or a mere name
		return superuserIf(isBase || v.shells[tableKey{e.Namespace.String, e.Tag}])
	case "OPERATOR":
		return ofOperator(words(e.Defn.String))
	case "PUBLICATION":
		w := words(e.Defn.String)
		return superuserIf(len(w) > 4 && w[3] == "FOR" && w[4] == "ALL")
	case pgarchive.DescTableData, "SEQUENCE SET", "STATISTICS DATA":
		return v.ofData(e)
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
func (v *reserved) ofFunction(words []string) doer {
	i := slices.Index(words, "LANGUAGE")
	if i < 0 || i+1 >= len(words) {
		return byOwner
	}
	who := superuserIf(v.untrusted[plain(words[i+1])])
	for i += 2; i < len(words); i++ {
		switch words[i] {
		case "AS", "BEGIN", "RETURN":
			return who
		case "LEAKPROOF", "SUPPORT":
			who = bySuperuser
		case "SET":
			if i+1 < len(words) && v.settings[strings.ToLower(plain(words[i+1]))] {
				who = max(who, byEither)
			}
		}
	}
	return who
}

// ofOperator finds estimators that are not PostgreSQL's own: recent minor
// releases let only superusers name such.
func ofOperator(words []string) doer {
	for i, w := range words {
		if (w == "RESTRICT" || w == "JOIN") && i+3 < len(words) && words[i+1] == "=" && words[i+3] == "." {
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

// ofNote is about what belongs to another entry. Where that is not in the
// archive, an extension made it, or initdb.
func (v *reserved) ofNote(e *pgarchive.Entry) doer {
	if e.Tag == "SCHEMA public" { // until PostgreSQL 14 it is not the database owner's
		return byEither
	}
	for _, id := range e.Dependencies {
		if of := v.entries[id]; of != nil && !isNote(of.Desc) {
			return v.doer(of)
		}
	}
	return byEither
}

func isNote(desc string) bool { return desc == "COMMENT" || desc == "SECURITY LABEL" || isACL(desc) }

func isACL(desc string) bool { return desc == "ACL" || desc == "DEFAULT ACL" }

// words gives the tokens of a statement but blanks and comments. Names in
// quotes keep them.
func words(statement string) (list []string) {
	l := sqlscript.NewLexer([]byte(statement), true)
	for t, ok := l.Next(); ok; t, ok = l.Next() {
		if t.Kind != sqlscript.Space && t.Kind != sqlscript.Remark {
			list = append(list, string(t.Text))
		}
	}
	return list
}

// follows tells whether the words have one of first and right after it the
// rest.
func follows(words, first []string, rest ...string) bool {
	for i, w := range words {
		if slices.Contains(first, w) && len(words) > i+len(rest) && slices.Equal(words[i+1:i+1+len(rest)], rest) {
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
		if w := words(e.Defn.String); len(w) > 6 && servers[plain(w[6])] > 0 {
			e.Dependencies = append(e.Dependencies, servers[plain(w[6])])
		}
	}
}
