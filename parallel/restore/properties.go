package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/sqlscript"
	"odx/parallel/server"
)

// properties are what an archive says of the database itself. pg_restore
// leaves them out unless it creates the database, under its old name.
type properties struct {
	settings []statement // ALTER DATABASE ... SET, ALTER ROLE ... IN DATABASE ... SET
	grants   []statement
	others   []statement // connection limit, comment
	unknown  []string    // statements that are not restored
}

// statement is one statement of an archive about its database, whose name is
// left open.
type statement struct{ before, after string }

func (s statement) of(database string) string { return s.before + quote(database) + s.after }

// readProperties reads them from the archive. Only statements of the kinds that
// pg_dump writes are taken, each by itself.
func readProperties(toc *pgarchive.TOC) (p properties) {
	conforming := true
	for i := range toc.Entries {
		switch e := &toc.Entries[i]; {
		case e.Desc == "STDSTRINGS":
			conforming = !strings.Contains(e.Defn.String, "off")
		case e.Desc == "DATABASE":
			if name := tablespaceOf(e.Defn.String); name != "" {
				p.unknown = append(p.unknown, "TABLESPACE "+name)
			}
		case e.Desc == "DATABASE PROPERTIES", isNote(e.Desc) && strings.HasPrefix(e.Tag, "DATABASE "):
			p.add(e.Defn.String, conforming)
		}
	}
	return p
}

// tablespaceOf gives the tablespace that a CREATE DATABASE names, as it stands
// there; "" for none.
func tablespaceOf(defn string) string {
	for w := range runs(defn, 3) {
		if matches(w, "TABLESPACE", "=") {
			return w[2]
		}
	}
	return ""
}

// add sorts the statements of an entry.
func (p *properties) add(defn string, conforming bool) {
	foreign := false // GRANTs of another role than the owner
	for _, tokens := range cutStatements(defn, conforming) {
		s, w, into := p.place(tokens)
		switch {
		case len(w) > 1 && w[1] == "SESSION": // (RE)SET SESSION AUTHORIZATION
			foreign = w[0] == "SET"
		case into == nil || foreign || !conforming:
			p.unknown = append(p.unknown, strings.Join(w, " "))
		default:
			*into = append(*into, s)
		}
	}
}

// place tells where a statement belongs: into is nil if it is of no known kind.
func (p *properties) place(tokens []sqlscript.Token) (s statement, w []string, into *[]statement) {
	var at []int // of the words among the tokens
	for i, t := range tokens {
		if t.Kind != sqlscript.Space && t.Kind != sqlscript.Remark {
			at = append(at, i)
			w = append(w, string(t.Text))
		}
	}
	name := 0
	switch on := slices.Index(w, "DATABASE"); {
	case tokens[len(tokens)-1].Kind == sqlscript.Unended:
		return s, w, nil
	case matches(w, "ALTER", "DATABASE", "", "SET"):
		name, into = 2, &p.settings
	case matches(w, "ALTER", "ROLE", "", "IN", "DATABASE", "", "SET"):
		name, into = 5, &p.settings
	case matches(w, "ALTER", "DATABASE", "", "CONNECTION", "LIMIT"):
		name, into = 2, &p.others
	case matches(w, "COMMENT", "ON", "DATABASE", "", "IS"):
		name, into = 3, &p.others
	case on > 1 && matches(w[on-1:], "ON", "DATABASE", "", "TO", "") && w[0] == "GRANT",
		on > 1 && matches(w[on-1:], "ON", "DATABASE", "", "FROM", "") && w[0] == "REVOKE":
		name, into = on+1, &p.grants
	default:
		return s, w, nil
	}
	return statement{before: text(tokens[:at[name]]), after: text(tokens[at[name]+1:])}, w, into
}

// matches tells whether the words begin with these; "" stands for any.
func matches(w []string, begin ...string) bool {
	if len(w) < len(begin) {
		return false
	}
	for i, want := range begin {
		if want != "" && w[i] != want {
			return false
		}
	}
	return true
}

func text(tokens []sqlscript.Token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.Write(t.Text)
	}
	return b.String()
}

// cutStatements gives the statements of a definition, without their
// semicolons. A statement has at least one word.
func cutStatements(defn string, conforming bool) (list [][]sqlscript.Token) {
	var now []sqlscript.Token
	l := sqlscript.NewLexer([]byte(defn), conforming)
	for {
		t, ok := l.Next()
		if ok && !(t.Kind == sqlscript.Symbol && string(t.Text) == ";") {
			if len(now) > 0 || t.Kind != sqlscript.Space && t.Kind != sqlscript.Remark {
				now = append(now, t)
			}
			continue
		}
		if len(now) > 0 {
			list = append(list, now)
		}
		if now = nil; !ok {
			return list
		}
	}
}

// restoreEarly gives the new database those of the source's settings that materialized
// views, checks and generated columns may be calculated with. What is refused will be
// again, and is said then.
func (r *run) restoreEarly(ctx context.Context) error {
	for _, s := range r.properties.settings {
		early, err := r.isEarly(ctx, s.setting())
		if early && err == nil {
			err = r.target.admin.Exec(ctx, s.of(r.target.temp))
		}
		if err != nil && server.SQLState(err) == "" {
			return err
		}
	}
	return ctx.Err()
}

// isEarly tells whether values may be calculated with a setting. A name with a dot is a
// user's, unless a library has it, which could only disturb the work. What changes how
// values are written is none: odx's own sessions rely on that.
func (r *run) isEarly(ctx context.Context, name string) (early bool, err error) {
	if name == "timezone" || name == "default_text_search_config" {
		return true, nil
	}
	if !strings.Contains(name, ".") {
		return false, nil
	}
	err = r.target.admin.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = $1)", name).Scan(&early)
	})
	return early, err
}

// setting gives the name of the setting that a statement is about, in lower case; ""
// if it is about a role's.
func (s statement) setting() string {
	w := words(s.after)
	if !strings.HasPrefix(s.before, "ALTER DATABASE") || len(w) < 2 {
		return ""
	}
	return strings.ToLower(strings.Trim(w[1], `"`))
}

// restoreSettings gives the new database the source's settings, as the
// connecting role: some take a superuser. It comes last: they hold for every
// later session in it.
func (r *run) restoreSettings(ctx context.Context) error {
	for _, lost := range r.properties.unknown {
		if r.NoTablespaces && strings.HasPrefix(lost, "TABLESPACE ") {
			continue
		}
		r.warn("a property of the source database is not restored: %s", lost)
	}
	if len(r.properties.settings) == 0 {
		return nil
	}
	s, err := r.Server.Open(ctx, r.target.temp, r.application())
	if err != nil {
		return err
	}
	defer s.Close()
	for _, setting := range r.properties.settings {
		err := s.Exec(ctx, setting.of(r.target.temp))
		if err == nil && strings.HasSuffix(setting.setting(), "_preload_libraries") {
			err = r.checkPreload(ctx, s, setting)
		}
		if err := r.refusable(err, setting); err != nil {
			return err
		}
	}
	return nil
}

// checkPreload takes a setting back that keeps everybody out of the database: the
// server lacks a library that every session is to load. That is the error then.
func (r *run) checkPreload(ctx context.Context, s *server.Session, setting statement) error {
	probe, err := r.Server.Open(ctx, r.target.temp, r.application())
	probe.Close()
	refusal := (*pgconn.PgError)(nil)
	if !errors.As(err, &refusal) || refusal.Code != "58P01" && refusal.Code != "42501" { // no such file; not among the plugins
		return nil // what else is wrong shows later
	}
	return errors.Join(fmt.Errorf("nobody could connect: %w", refusal), s.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RESET %s", quote(r.target.temp), setting.setting())))
}

// restoreProperties gives the database, which has its final name by now, what
// others could notice of it. Each statement may be refused by itself.
func (r *run) restoreProperties(ctx context.Context, tx pgx.Tx) error {
	list := r.properties.others
	if !r.NoPrivileges {
		list = slices.Concat(r.properties.grants, list)
	}
	for _, s := range list {
		err := pgx.BeginFunc(ctx, tx, func(part pgx.Tx) error {
			_, err := part.Exec(ctx, s.of(r.target.final))
			return err
		})
		if err := r.refusable(err, s); err != nil {
			return err
		}
	}
	return nil
}

// refusable makes a warning of the server's refusal of a property.
func (r *run) refusable(err error, s statement) error {
	if err == nil || server.SQLState(err) == "" {
		return err
	}
	r.warn("a property of the source database was refused: %s: %v", strings.Join(words(s.of(r.target.final)), " "), err)
	return nil
}
