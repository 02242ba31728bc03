package rebuild

import (
	"errors"
	"strings"

	"odx/dumpfmt/pgarchive"
)

// defaults gives the entry its tablespace, access method and relkind.
func (b *builder) defaults(it *item) error {
	e := &it.entry
	s := &it.subject
	if s.relkind != 0 && b.groups() {
		e.RelKind = s.relkind
	}
	if e.Desc == pgarchive.DescTable && s.relkind == 'r' || e.Desc == descMatView {
		e.TableAM = it.am
	}
	if !b.canHaveSpace(it) {
		return nil
	}
	switch {
	case it.space.Valid && (it.space.String == "" || it.spaceIs || it.namedSpace()):
		e.Tablespace = it.space
	case strings.Contains(e.Owner.String, spacePart) && !e.DropStmt.Valid:
		return errors.New("header names another tablespace than the one that was set")
	}
	return nil
}

// canHaveSpace tells whether entries such as this one have a tablespace. Those
// of the default one have an empty name, all others NULL.
func (b *builder) canHaveSpace(it *item) bool {
	switch it.entry.Desc {
	case pgarchive.DescTable, descMatView, descIndex:
		return true
	case descConstraint:
		return it.subject.hasIndex
	case descForeignTable:
		return b.major == oldestMajor // so does 13
	}
	return false
}

// namedSpace tells whether the header names the default tablespace.
func (it *item) namedSpace() bool {
	return it.space.String != "" && strings.HasSuffix(it.header.Names, spacePart+sanitize(it.space.String))
}

// The kinds of entries that differ from others somewhere here.
const (
	descMatView      = "MATERIALIZED VIEW"
	descMatViewData  = "MATERIALIZED VIEW DATA"
	descForeignTable = "FOREIGN TABLE"
	descIndex        = "INDEX"
	descConstraint   = "CONSTRAINT"
	descView         = "VIEW"
	descSequence     = "SEQUENCE"
	descStatistics   = "STATISTICS DATA"
)

// section gives the section of an entry of this kind that comes now.
func (b *builder) section(desc string) pgarchive.Section {
	switch desc {
	case "COMMENT", "ACL", "SECURITY LABEL":
		b.postStarted = b.postStarted || desc == "ACL"
		return pgarchive.SectionNone
	case pgarchive.DescTableData, pgarchive.DescBlobs, pgarchive.DescBlobMetadata, "SEQUENCE SET":
		b.dataStarted = true
		return pgarchive.SectionData
	case descStatistics:
		b.dataStarted = true
		if b.postStarted {
			return pgarchive.SectionPostData
		}
		return pgarchive.SectionData
	case pgarchive.DescBlob, "DATABASE", "DATABASE PROPERTIES":
		return pgarchive.SectionPreData
	}
	// pg_dump puts off what needs a primary key, a view with GROUP BY perhaps.
	if kinds[desc].isPost || b.dataStarted {
		b.dataStarted, b.postStarted = true, true
		return pgarchive.SectionPostData
	}
	return pgarchive.SectionPreData
}
