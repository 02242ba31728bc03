package restore

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
	"odx/parallel/server"
)

// queryNames gives the one column of text that a query selects.
func queryNames(ctx context.Context, s *server.Session, sql string, args ...any) (names []string, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, err
}

// rolesOf lists the roles that have to exist for the archive's policies, user
// mappings and, if they are restored, its GRANTs. Those on the database itself may be
// refused one by one.
func rolesOf(toc *pgarchive.TOC, grants bool) []string {
	roles := []string{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		switch {
		case strings.HasPrefix(e.Tag, "DATABASE "):
		case e.Desc == "POLICY":
			roles = append(roles, findAudience(e.Defn.String).roles...)
		case e.Desc == "USER MAPPING", grants && isACL(e.Desc):
			for _, tokens := range cutStatements(e.Defn.String, true) {
				roles = append(roles, rolesNamed(words(text(tokens)))...)
			}
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// rolesNamed finds the roles in a statement of pg_dump about privileges. Only
// keywords are in capitals without quotes.
func rolesNamed(w []string) (roles []string) {
	for _, before := range [][]string{{"FOR", "ROLE"}, {"USER", "MAPPING", "FOR"}, {"SESSION", "AUTHORIZATION"}, {"TO"}, {"FROM"}} {
		for i := range w {
			next := i + len(before)
			if matches(w[i:], before...) && next < len(w) && isRole(w[next]) {
				roles = append(roles, plain(w[next]))
			}
		}
	}
	return roles
}

func isRole(word string) bool { return word != "PUBLIC" && word != "public" && word != ";" }

// audience is whom a policy is for: the list after TO, and the text around it.
type audience struct {
	before, after string
	names         []string // as they stand there
	roles         []string // of the names, without PUBLIC
}

// findAudience reads a CREATE POLICY. What it must not look into comes later:
// USING and WITH CHECK have expressions. Names is empty for a policy for all.
func findAudience(defn string) (a audience) {
	l := sqlscript.NewLexer([]byte(defn), true)
	var before, after strings.Builder
	into, inList := &before, false
	for t, ok := l.Next(); ok; t, ok = l.Next() {
		word := string(t.Text)
		isWord := t.Kind != sqlscript.Space && t.Kind != sqlscript.Remark
		switch {
		case into == &before && word == "TO":
			inList = true
		case inList && slices.Contains([]string{"USING", "WITH", ";"}, word):
			into, inList = &after, false
		case !inList && isWord && slices.Contains([]string{"USING", "WITH"}, word):
			into = &after
		case inList:
			if isWord && word != "," {
				a.names = append(a.names, word)
			}
			continue
		}
		if !inList {
			into.WriteString(word)
		}
	}
	a.before, a.after = before.String(), after.String()
	for _, name := range a.names {
		if isRole(name) {
			a.roles = append(a.roles, plain(name))
		}
	}
	return a
}
