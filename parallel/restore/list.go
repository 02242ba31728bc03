package restore

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"odx/dumpfmt/pgarchive"
)

// extension is one that the archive creates.
type extension struct {
	id      pgarchive.DumpID
	name    string
	schema  string
	comment string // COMMENT ON EXTENSION statement; "" if none
}

// plan says which entries pg_restore gets, and what odx does itself because
// the owner may not.
type plan struct {
	extensions []extension
	refused    []Omission                // extensions that could not be made
	schemas    []string                  // to be made before the extensions in them
	left       map[pgarchive.DumpID]bool // entries that pg_restore does not get
	publicACL  bool                      // the archive has grants of its own on schema public
}

var (
	extensionSchema = regexp.MustCompile(`WITH SCHEMA ("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)`)
)

func makePlan(toc *pgarchive.TOC) plan {
	p := plan{left: map[pgarchive.DumpID]bool{}}
	comments := map[string]string{}
	inSchema := map[string]bool{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		switch {
		case e.Desc == "EXTENSION":
			p.left[e.ID] = true
			x := extension{id: e.ID, name: e.Tag, schema: schemaOf(e.Defn.String)}
			inSchema[x.schema] = true
			p.extensions = append(p.extensions, x)
		case e.Desc == "COMMENT" && strings.HasPrefix(e.Tag, "EXTENSION "):
			p.left[e.ID] = true
			comments[strings.TrimPrefix(e.Tag, "EXTENSION ")] = e.Defn.String
		case e.Desc == "ACL" && e.Tag == "SCHEMA public":
			p.publicACL = true
		case e.Desc == "SCHEMA" && e.Tag == "public":
			p.left[e.ID] = true // it is there; pg_dump 10 and older, and all with -n public, have it made
		}
	}
	for i := range p.extensions {
		x := &p.extensions[i]
		x.comment = comments[x.name]
		if x.comment == "" {
			x.comment = comments[quote(x.name)]
		}
	}
	p.takeSchemas(toc, inSchema)
	return p
}

// takeSchemas has odx make the schemas that extensions live in.
func (p *plan) takeSchemas(toc *pgarchive.TOC, wanted map[string]bool) {
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.Desc == "SCHEMA" && !p.left[e.ID] && wanted[e.Tag] {
			p.left[e.ID] = true
			p.schemas = append(p.schemas, e.Tag)
		}
	}
}

func schemaOf(defn string) string {
	m := extensionSchema.FindStringSubmatch(defn)
	if m == nil {
		return ""
	}
	if s, ok := strings.CutPrefix(m[1], `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(s, `"`), `""`, `"`)
	}
	return m[1]
}

// leaveReserved takes what only a superuser may restore off the list, with
// what depends on it, and names each. It is an error if rows would be left out
// with it.
func (p *plan) leaveReserved(toc *pgarchive.TOC, who *reserved) (names []string, err error) {
	gone := map[pgarchive.DumpID]bool{}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if p.left[e.ID] || who.doer(e) != bySuperuser && !dependsOn(e, gone) {
			continue
		}
		if e.Desc == pgarchive.DescTableData {
			return nil, fmt.Errorf("table %s: %w", e.Tag, ErrSuperuser)
		}
		gone[e.ID], p.left[e.ID] = true, true
		names = append(names, e.Desc+" "+e.Tag)
	}
	return names, nil
}

// leavePrivileges takes all about privileges off the list.
func (p *plan) leavePrivileges(toc *pgarchive.TOC) {
	for i := range toc.Entries {
		if e := &toc.Entries[i]; isACL(e.Desc) {
			p.left[e.ID] = true
		}
	}
}

// writeList writes pg_restore's --use-list.
func writeList(path string, entries []pgarchive.DumpID) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	for _, id := range entries {
		fmt.Fprintf(w, "%d;\n", id)
	}
	return w.Flush()
}
