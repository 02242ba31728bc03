package pgarchive

import "fmt"

// Version is an archive version. It follows PostgreSQL's releases but is not
// one of them: 13, 14 and 15 all write 1.14.
type Version struct {
	Major, Minor, Rev uint8
}

// The archive versions, with the PostgreSQL releases that write them.
var (
	Version10 = Version{Major: 1, Minor: 10} // 8.0 to 8.3: tablespace
	Version11 = Version{Major: 1, Minor: 11} // 8.4: section
	Version12 = Version{Major: 1, Minor: 12} // 9.0 on: an entry for each large object
	Version13 = Version{Major: 1, Minor: 13} // 9.3.22, 9.4.17, 9.5.12, 9.6.8, 10.3 on, 11: SEARCHPATH
	Version14 = Version{Major: 1, Minor: 14} // 12 to 15: table access method
	Version15 = Version{Major: 1, Minor: 15} // 16: compression algorithm
	Version16 = Version{Major: 1, Minor: 16} // 17, 18: relkind, large objects in groups
)

// oldest and newest are the versions that this package reads.
var oldest, newest = Version10, Version16

// newestPostgres is the newest PostgreSQL release that writes newest.
const newestPostgres = 18

// String gives the version as pg_restore prints it in messages, such as
// "1.14".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// AtLeast tells whether v is o or newer. The revision does not count: no
// reader has ever looked at it.
func (v Version) AtLeast(o Version) bool {
	if v.Major != o.Major {
		return v.Major > o.Major
	}
	return v.Minor >= o.Minor
}

func (v Version) hasSection() bool   { return v.AtLeast(Version11) }
func (v Version) hasTableAM() bool   { return v.AtLeast(Version14) }
func (v Version) hasAlgorithm() bool { return v.AtLeast(Version15) }
func (v Version) hasRelKind() bool   { return v.AtLeast(Version16) }

// groupsLargeObjects tells whether large objects come in groups, each with a
// BLOB METADATA and a BLOBS entry, rather than all in one BLOBS entry.
func (v Version) groupsLargeObjects() bool { return v.AtLeast(Version16) }

// ReadBy gives the newest version, not newer than v, that pg_restore of a major
// release reads, 12 or newer.
func (v Version) ReadBy(major int) Version {
	for _, older := range []Version{v, Version15, Version14} {
		if v.AtLeast(older) && older.needsMajor() <= major {
			return older
		}
	}
	return v
}

// needsMajor gives the oldest PostgreSQL major release whose pg_restore reads
// archives of this version. It is never below 10, the oldest that odx uses.
func (v Version) needsMajor() int {
	switch {
	case v.AtLeast(Version16):
		return 17
	case v.AtLeast(Version15):
		return 16
	case v.AtLeast(Version14):
		return 12
	}
	return 10
}
