package render

import (
	"regexp"
	"strconv"

	"odx/dumpfmt/pgarchive"
)

// release is the PostgreSQL release whose pg_restore is imitated. What differs
// between releases is decided by its methods and by reservedSince.
type release struct {
	major, minor int
}

var versionText = regexp.MustCompile(`^(\d{1,4})(?:\.(\d{1,4}))?`)

// releaseOf gives the release of the pg_dump that made an archive.
func releaseOf(h *pgarchive.Header) release {
	m := versionText.FindStringSubmatch(h.DumpVersion.String)
	if m == nil {
		return release{major: newestMajor(h.Version)}
	}
	r := release{}
	r.major, _ = strconv.Atoi(m[1]) // digits that fit
	r.minor, _ = strconv.Atoi(m[2]) // or none, which is 0
	return r
}

// newestMajor gives the newest release that writes archives of this version.
func newestMajor(v pgarchive.Version) int {
	switch {
	case v.AtLeast(pgarchive.Version16):
		return 18
	case v.AtLeast(pgarchive.Version15):
		return 16
	case v.AtLeast(pgarchive.Version14):
		return 15
	}
	return 11
}

// firstRestrict gives the first minor release with \restrict (CVE-2025-8714).
var firstRestrict = map[int]int{13: 22, 14: 19, 15: 14, 16: 10, 17: 6}

func (r release) hasRestrict() bool { return r.since(firstRestrict) }

// firstChecked gives the first minor release that replaces bytes in a name that
// are not valid in the encoding (CVE-2025-1094).
var firstChecked = map[int]int{13: 19, 14: 16, 15: 11, 16: 7, 17: 3}

func (r release) checksNames() bool { return r.since(firstChecked) }

// since tells whether a release has what came with minor releases, and with all
// of 18.
func (r release) since(minors map[int]int) bool {
	if minor, ok := minors[r.major]; ok {
		return r.minor >= minor
	}
	return r.major >= 18
}

func (r release) hasTransactionTimeout() bool { return r.major >= 17 }

// keepsSchemaComment tells whether the definition of a schema public that is a
// mere comment is printed as it is.
func (r release) keepsSchemaComment() bool { return r.major >= 15 }

// altersByKind tells whether the owner of a view, sequence or materialized view
// is set by its own ALTER rather than by ALTER TABLE.
func (r release) altersByKind() bool { return r.major >= 16 }

// refusesUnknownOwner tells whether an entry of a kind that is not known to
// have an owner ends pg_restore if it has one.
func (r release) refusesUnknownOwner() bool { return r.major >= 16 }

// hasPartitionedAM tells whether a partitioned table has an access method of
// its own.
func (r release) hasPartitionedAM() bool { return r.major >= 17 }

// groupsLargeObjects tells whether pg_restore knows BLOB METADATA.
func (r release) groupsLargeObjects() bool { return r.major >= 17 }

// hasStatistics tells whether pg_restore knows STATISTICS DATA.
func (r release) hasStatistics() bool { return r.major >= 18 }
