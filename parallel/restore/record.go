package restore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/server"
)

// Record is what odx writes down of a database under construction, in the last
// line of the database's comment: there it can be read without connecting to it,
// and it is as durable as what it tells of.
type Record struct {
	Database string    `json:"database"` // that it is to become
	Source   string    `json:"source"`   // path of the backup
	Digest   string    `json:"digest"`   // see source.digest
	Options  []string  `json:"options"`  // what shapes the database, see shape
	Process  string    `json:"process"`
	Began    time.Time `json:"began"`
	Stage    Stage     `json:"stage"`
	Roles    []string  `json:"roles,omitempty"`    // made for it
	Unlogged []string  `json:"unlogged,omitempty"` // tables that have rows, and lose them in a crash; of StageLast
	Files    *Placing  `json:"files,omitempty"`    // nil if it has no filestore
}

// Stage says how far a restore has come.
type Stage string

// While it is loading the journal has the details. After that the database lacks
// only what must not be there while odx works in it.
const (
	StageLoading Stage = "loading"
	StageLast    Stage = "last"
)

// marker begins the line with the record.
const marker = "\nodx: "

// comment is the text of the database's comment.
func (r *Record) comment(temp string) (string, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("odx restores %q here; if no odx is running, go on with: odx restore --resume %s SOURCE DBNAME; or remove it with: odx clean --yes",
		r.Database, strings.TrimPrefix(temp, TempPrefix)) + marker + string(data), nil
}

// parseRecord reads a database's comment; nil if it has no record.
func parseRecord(comment string) *Record {
	_, line, found := strings.Cut(comment, marker)
	r := &Record{}
	if !found || json.Unmarshal([]byte(line), r) != nil || r.Database == "" {
		return nil
	}
	return r
}

// note writes the record down.
func (t *target) note(ctx context.Context, r *Record) error { return t.noteWith(ctx, r, "") }

// noteWith writes the record down in one transaction with a statement, which may
// be "". What it tells of is done next and outlives a crash of the server; so must it.
func (t *target) noteWith(ctx context.Context, r *Record, statement string) error {
	text, err := r.comment(t.temp)
	if err == nil {
		err = t.admin.Exec(ctx, fmt.Sprintf("SET LOCAL synchronous_commit = on; %s; COMMENT ON DATABASE %s IS %s", statement, quote(t.temp), literal(text)))
	}
	if err != nil {
		return fmt.Errorf("write the record of the restore: %w", err)
	}
	return nil
}

// Unfinished is a database under construction, or one that was replaced.
type Unfinished struct {
	Name   string
	Record *Record // nil if it has none

	by, since string // the session that works on it; "" if there is none
	pid       int
	used      bool // a client is connected to it, or odx makes or drops it

	hook func(string) // called between two steps of its removal; set in tests
}

// underConstruction lists the databases under construction. Who announces itself
// works on one, as its name says.
func underConstruction(ctx context.Context, admin *server.Session) (list []Unfinished, err error) {
	err = admin.Do(func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT d.datname, COALESCE(pg_catalog.shobj_description(d.oid, 'pg_database'), ''),
				COALESCE(s.who, ''), COALESCE(s.since, ''), COALESCE(s.pid, 0), EXISTS (
				SELECT FROM pg_catalog.pg_stat_activity a
				WHERE a.datname = d.datname AND a.backend_type = 'client backend'
				   OR pg_catalog.strpos(a.application_name || ' ', 'odx restore ' || pg_catalog.regexp_replace(d.datname, $1, '') || ' ') = 1)
			FROM pg_catalog.pg_database d LEFT JOIN LATERAL (
				SELECT a.pid, `+whoAndSince+` FROM pg_catalog.pg_stat_activity a
				WHERE pg_catalog.strpos(a.application_name, 'odx restore ' || d.datname || ' ') = 1
				ORDER BY a.pid LIMIT 1) s (pid, who, since) ON true
			WHERE d.datname LIKE 'odx-tmp-%' ORDER BY 1`, oldSuffix+"$")
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (u Unfinished, err error) {
			var comment string
			err = row.Scan(&u.Name, &comment, &u.by, &u.since, &u.pid, &u.used)
			u.Record = parseRecord(comment)
			return u, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for databases under construction: %w", err)
	}
	return list, nil
}

// digest tells one archive from another: it is taken of the table of contents and
// the sizes of all data files.
func (s *source) digest() (string, error) {
	sum := sha256.New()
	toc := &pgarchive.TOC{Header: s.toc.Header, Entries: slices.Clone(s.toc.Entries)}
	toc.Header.Format, toc.Header.Algorithm, toc.Header.Level = pgarchive.FormatTar, pgarchive.None, 0
	var text bytes.Buffer
	if err := pgarchive.WriteTOC(&text, toc); err != nil {
		return "", err
	}
	sum.Write(text.Bytes())
	sizes, err := s.archive.Sizes()
	if err != nil {
		return "", err
	}
	for _, id := range slices.Sorted(maps.Keys(sizes)) {
		fmt.Fprintf(sum, "%d:%d\n", id, sizes[id])
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// shape lists the options that the database under construction depends on, as
// they are given on the command line or in odoo.conf: a run that is resumed may
// have done what they ask for. The HTTP port is none of them: Odoo corrects the
// address made of it when its administrator logs in.
func (r *run) shape() []string {
	list := []string{"--owner=" + r.target.owner, "--collation=" + r.Collation}
	for _, o := range []struct {
		is   bool
		name string
	}{
		{r.NoPrivileges, "--no-privileges"}, {r.NoTablespaces, "--no-tablespaces"}, {r.MissingRoles == CreateMissing, "--missing-roles=create"},
		{r.SkipExtensions, "--missing-extensions=skip"},
		{!r.Copy, "--move"}, {r.Subscription, "--reset-subscription"}, {r.Neutralize, "--neutralize"}, {r.Filestore == "", "--no-filestore"},
		{r.Unaccent, "unaccent in odoo.conf"},
	} {
		if o.is {
			list = append(list, o.name)
		}
	}
	if r.FilestoreFrom != "" {
		list = append(list, "--filestore-from="+r.FilestoreFrom)
	}
	if r.Neutralize && len(r.Addons) > 0 {
		list = append(list, addonsOption+strings.Join(absolute(r.Addons), ","))
	}
	return list
}

const addonsOption = "--addons-path="

// withoutAddons is the shape but for the modules to neutralize by: until that is
// done, another path may be what a restore goes on with.
func withoutAddons(shape []string) []string {
	return slices.DeleteFunc(slices.Clone(shape), func(o string) bool { return strings.HasPrefix(o, addonsOption) })
}

// absolute gives folders as they are called from anywhere.
func absolute(dirs []string) []string {
	list := make([]string, len(dirs))
	for i, dir := range dirs {
		list[i] = dir
		if path, err := filepath.Abs(dir); err == nil {
			list[i] = path
		}
	}
	return list
}
