package rebuild

import (
	"strings"

	"odx/dumpfmt/pgarchive"
)

// defaults gives the entry its tablespace, access method and relkind.
func (b *builder) defaults(it *item) {
	e := &it.entry
	s := &it.subject
	if s.relkind != 0 && b.groups() {
		e.RelKind = s.relkind
	}
	isTable := e.Desc == pgarchive.DescTable && s.relkind == 'r' || e.Desc == descMatView
	if isTable {
		e.TableAM = it.am
	}
	hasSpace := e.Desc == pgarchive.DescTable || e.Desc == descMatView || e.Desc == descIndex ||
		e.Desc == descConstraint && s.hasIndex || e.Desc == descForeignTable && b.major == oldestMajor
	named := it.namedSpace()
	if hasSpace && it.space.Valid && (it.space.String == "" || named || it.spaceIs) {
		e.Tablespace = it.space
	}
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
	descIndexAttach  = "INDEX ATTACH"
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
