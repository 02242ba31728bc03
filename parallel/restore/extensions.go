package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"odx/parallel/server"
)

// ErrSuperuser is returned before the load when the rows of a table need what the
// connecting role may not make.
var ErrSuperuser = errors.New("needs what only a superuser may make")

// ExtensionError is returned before the load when an extension that the dump
// needs cannot be had.
type ExtensionError struct {
	Name string
	Err  error
}

func (e *ExtensionError) Error() string { return fmt.Sprintf("extension %s: %v", e.Name, e.Err) }

// Unwrap gives the server's error.
func (e *ExtensionError) Unwrap() error { return e.Err }

// createExtensions makes the archive's extensions as the connecting role: the
// owner often may not. Names and schemas come from the archive, its SQL is not
// run, but for comments.
func (r *run) createExtensions(ctx context.Context, s *server.Session, p *plan) error {
	for _, name := range p.schemas {
		err := s.Exec(ctx, fmt.Sprintf("CREATE SCHEMA IF NOT EXISTS %s AUTHORIZATION %s", quote(name), quote(r.target.owner)))
		if err != nil {
			return fmt.Errorf("create schema %q: %w", name, err)
		}
	}
	for _, x := range p.extensions {
		sql := "CREATE EXTENSION IF NOT EXISTS " + quote(x.name)
		if x.schema != "" {
			sql += " WITH SCHEMA " + quote(x.schema)
		}
		if err := s.Exec(ctx, sql); err != nil {
			reason := r.whyWithout(x, err, len(p.refused) > 0)
			if reason == "" {
				return &ExtensionError{Name: x.name, Err: err}
			}
			p.refused = append(p.refused, Omission{Entry: "EXTENSION " + x.name, Reason: reason})
			continue
		}
		if x.comment == "" {
			continue
		}
		if err := s.Exec(ctx, x.comment); server.SQLState(err) == "42501" {
			r.warn("left out, the role may not do it: comment on extension %s", x.name)
		} else if err != nil {
			return fmt.Errorf("comment on extension %s: %w", x.name, err)
		}
	}
	return r.makeUnaccentImmutable(ctx, s, p)
}

// Reasons why an extension is left out.
const (
	notAllowed   = "the role may not create it, and nothing in the dump depends on it"
	notInstalled = "the server does not have it, and nothing in the dump depends on it"
	refusedIt    = "the server refuses it"
	notKnown     = "the server does not have it; what depends on it fails, which a script does not tell before"
)

// whyWithout tells why the restore goes on without an extension that could not be
// created, or "" if it does not.
func (r *run) whyWithout(x extension, err error, othersLack bool) string {
	state := server.SQLState(err)
	isMissing := state == "0A000" || state == "58P01" || // not available, no control file
		state == "42704" && othersLack // one that it requires
	switch {
	case state == "42501" && !r.needs(x):
		return notAllowed
	case state == "" || !r.SkipExtensions:
		return ""
	case !isMissing && r.knowsNeeds() && !r.needs(x): // pg_cron wants another database, pgaudit to be preloaded
		return fmt.Sprintf("%s (%v), and nothing in the dump depends on it", refusedIt, err)
	case !isMissing:
		return ""
	case !r.knowsNeeds():
		return notKnown
	case !r.needs(x):
		return notInstalled
	}
	return ""
}

// knowsNeeds tells whether the table of contents says what depends on extensions:
// those by pg_dump do, of a script nobody knows.
func (r *run) knowsNeeds() bool { return r.source.script == nil || r.source.script.places != nil }

// needs tells whether anything in the dump depends on an extension, or may do so.
func (r *run) needs(x extension) bool {
	if !r.knowsNeeds() {
		return true
	}
	for i := range r.source.toc.Entries {
		e := &r.source.toc.Entries[i]
		if e.Desc != "COMMENT" && slices.Contains(e.Dependencies, x.id) {
			return true
		}
	}
	return false
}

// makeUnaccentImmutable does what Odoo does after it creates unaccent, and
// what pg_dump does not save. Without it indexes that call it would fail at the
// end of the load; see leaveUnaccent.
func (r *run) makeUnaccentImmutable(ctx context.Context, s *server.Session, p *plan) error {
	for _, x := range p.extensions {
		if x.name != "unaccent" {
			continue
		}
		err := s.Exec(ctx, fmt.Sprintf("ALTER FUNCTION %s(text) IMMUTABLE", pgx.Identifier{x.schema, "unaccent"}.Sanitize()))
		switch {
		case err == nil:
			r.added("unaccent(text) IMMUTABLE")
		case server.SQLState(err) == "":
			return err
		default:
			r.notImmutable = err
			r.warn("unaccent(text) could not be made IMMUTABLE: %v", err)
		}
	}
	return nil
}
