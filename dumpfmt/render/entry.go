package render

import (
	"strings"

	"odx/dumpfmt/pgarchive"
)

// pass is one of pg_restore's ways through the TOC.
type pass int

const (
	mainPass pass = iota
	aclPass       // privileges, when all owners are set
	lastPass      // what could run with the wrong privileges before
)

// kind is what the script makes of an entry.
type kind struct {
	printed bool
	pass    pass

	definition bool // print it with its definition
	data       bool // print its data
	prefix     string
}

// kindOf classifies an entry.
func (s *Script) kindOf(e *pgarchive.Entry) kind {
	isStatistics := s.release.hasStatistics() && e.Desc == "STATISTICS DATA"
	k := kind{pass: passOf(e)}
	if isStatistics && e.Section == pgarchive.SectionPostData {
		k.pass = lastPass // some are of materialized views
	}
	k.data = e.HadDumper && !isStatistics
	k.definition = isStatistics || s.isDataLike(e) || hasDefinition(e)
	k.printed = (k.definition || k.data) && !s.isLeftOut(e, k.pass)
	if isStatistics {
		k.prefix = "Statistics for "
	}
	return k
}

// isGroupACL tells whether the definition is to be repeated for each large
// object of a group.
func (s *Script) isGroupACL(e *pgarchive.Entry) bool {
	return s.release.groupsLargeObjects() && e.Desc == "ACL" && strings.HasPrefix(e.Tag, "LARGE OBJECTS")
}

// isLeftOut tells whether an entry is one that is not printed, whatever it has.
func (s *Script) isLeftOut(e *pgarchive.Entry, in pass) bool {
	switch e.Desc {
	case pgarchive.DescEncoding, descStdStrings, descSearchPath, "DATABASE", "DATABASE PROPERTIES":
		return true
	case "ACL", "COMMENT", "SECURITY LABEL":
		if strings.HasPrefix(e.Tag, "DATABASE ") {
			return true
		}
	case "<Init>":
		return e.Tag == "Max OID"
	}
	return in == aclPass && s.opts.NoPrivileges
}

// passOf tells in which pass an entry is printed.
func passOf(e *pgarchive.Entry) pass {
	switch e.Desc {
	case "ACL", "ACL LANGUAGE", "DEFAULT ACL":
		return aclPass
	case "EVENT TRIGGER", "MATERIALIZED VIEW DATA":
		return lastPass
	case "COMMENT", "SECURITY LABEL":
		if strings.HasPrefix(e.Tag, "EVENT TRIGGER ") {
			return lastPass
		}
	}
	return mainPass
}

// isDataLike tells whether an entry without a data file counts as data. Such
// an entry is printed even if it has no definition.
func (s *Script) isDataLike(e *pgarchive.Entry) bool {
	if e.HadDumper {
		return false
	}
	switch e.Desc {
	case "SEQUENCE SET", pgarchive.DescBlob:
		return true
	case pgarchive.DescBlobMetadata:
		return s.release.groupsLargeObjects()
	case "ACL", "COMMENT", "SECURITY LABEL":
		rest, ok := strings.CutPrefix(e.Tag, "LARGE OBJECT")
		return ok && (s.release.groupsLargeObjects() || strings.HasPrefix(rest, " "))
	}
	return false
}

// rootComment begins the definition of table data that go through the root of
// a partitioned table. It belongs to the data.
const rootComment = "-- load via partition root "

func hasDefinition(e *pgarchive.Entry) bool {
	return e.Defn.String != "" && !strings.HasPrefix(e.Defn.String, rootComment)
}

func (p *printer) pass(n pass) error {
	entries := p.s.archive.TOC.Entries
	for i := range entries {
		e := &entries[i]
		k := p.s.kindOf(e)
		if !k.printed || k.pass != n {
			continue
		}
		if k.definition {
			if err := p.entry(e, k.prefix); err != nil {
				return err
			}
		}
		if k.data {
			if err := p.entry(e, "Data for "); err != nil {
				return err
			}
			p.data(e)
		}
		if len(p.buf) >= pieceSize {
			p.flush()
		}
		if p.stopped {
			return nil
		}
	}
	return nil
}

// data prints what comes directly before the data of an entry, and has the data
// follow.
func (p *printer) data(e *pgarchive.Entry) {
	if e.IsLargeObjects() {
		p.selectSchema(pgarchive.Str("pg_catalog"))
	} else {
		p.text(e.CopyStmt.String)
	}
	p.flush()
	if !p.stopped {
		p.stopped = !p.yield(Piece{Data: e}, nil)
	}
}

// entry prints an entry without its data.
func (p *printer) entry(e *pgarchive.Entry, prefix string) error {
	p.selectSchema(e.Namespace)
	p.selectTablespace(e.Tablespace)
	ownAM := p.s.release.hasPartitionedAM() && e.RelKind == 'p'
	if !ownAM {
		p.selectTableAM(e.TableAM)
	}
	p.comment(e, prefix)
	if err := p.definition(e); err != nil {
		return err
	}
	if err := p.owner(e); err != nil {
		return err
	}
	if ownAM && e.TableAM.Valid {
		p.text("ALTER TABLE ")
		p.qualified(e.Namespace.String, e.Tag)
		p.text(" SET ACCESS METHOD ")
		p.ident(e.TableAM.String)
		p.text(";\n\n")
	}
	return nil
}

// selectSchema is for archives without a SEARCHPATH entry, whose definitions
// have names without schema.
func (p *printer) selectSchema(want pgarchive.NullString) {
	if p.s.special.searchPath.Valid || want.String == "" || p.schema == want {
		return
	}
	p.schema = want
	p.text("SET search_path = ")
	p.ident(want.String)
	if want.String != "pg_catalog" {
		p.text(", pg_catalog")
	}
	p.text(";\n\n")
}

func (p *printer) selectTablespace(want pgarchive.NullString) {
	if !want.Valid || p.tablespace == want {
		return
	}
	p.tablespace = want
	p.text("SET default_tablespace = ")
	if want.String == "" {
		p.text("''")
	} else {
		p.ident(want.String)
	}
	p.text(";\n\n")
}

func (p *printer) selectTableAM(want pgarchive.NullString) {
	if !want.Valid || p.tableAM == want {
		return
	}
	p.tableAM = want
	p.text("SET default_table_access_method = ")
	p.ident(want.String)
	p.text(";\n\n")
}

// comment prints the lines above each entry.
func (p *printer) comment(e *pgarchive.Entry, prefix string) {
	owner := e.Owner
	if p.s.opts.NoOwner {
		owner = pgarchive.NullString{}
	}
	p.text("--\n-- ", prefix, "Name: ")
	p.line(pgarchive.Str(e.Tag))
	p.text("; Type: ", e.Desc, "; Schema: ")
	p.line(e.Namespace)
	p.text("; Owner: ")
	p.line(owner)
	if e.Tablespace.String != "" {
		p.text("; Tablespace: ")
		p.line(e.Tablespace)
	}
	p.text("\n--\n\n")
}

// line writes a name into a comment, on one line.
func (p *printer) line(name pgarchive.NullString) {
	if !name.Valid {
		p.text("-")
		return
	}
	start := len(p.buf)
	p.text(name.String)
	for i, c := range p.buf[start:] {
		if c == '\n' || c == '\r' {
			p.buf[start+i] = ' '
		}
	}
}

// definition prints what makes the object.
func (p *printer) definition(e *pgarchive.Entry) error {
	switch {
	case p.s.opts.NoOwner && e.Desc == "SCHEMA" &&
		(!p.s.release.keepsSchemaComment() || !strings.HasPrefix(e.Defn.String, "--")):
		// For the sake of old archives, whose definition names the owner.
		p.text("CREATE SCHEMA ")
		p.ident(e.Tag)
		p.text(";\n\n\n")
	case p.s.release.groupsLargeObjects() && e.Desc == pgarchive.DescBlobMetadata:
		p.forEachLine(e.Defn.String, "SELECT pg_catalog.lo_create('", "')")
	case p.s.isGroupACL(e):
		return p.groupACL(e)
	case e.Defn.String != "":
		p.text(e.Defn.String, "\n\n")
	}
	return nil
}
