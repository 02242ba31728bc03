package odoozip

import (
	"crypto/sha1"
	"io/fs"
	"time"
)

// Methods of compression that are read and written.
const (
	Store   = 0 // not compressed
	Deflate = 8 // a raw deflate stream
)

// A Member is what the directory of a zip says of one member. There may be
// millions: the order of the fields leaves no gaps.
type Member struct {
	Length int64 // of the text, in bytes
	Size   int64 // of the data, in bytes
	Offset int64 // of the local header in the file
	start  *nameStart
	sum    [sha1.Size]byte // that its name ends in, if start has digits of it

	CRC  uint32 // of the text
	dos  dosTime
	unix int32 // seconds since 1970 if the extra field has them, else noUnix

	perm   uint16 // the mode's bits for user, group and others
	Flags  uint16
	Method uint8
	Kind   Kind
	Hidden bool // a later member has the same name: Python, and so Odoo, reads that one
	inTop  bool // it is in the folder on top
}

const noUnix = -1 << 31

// Rel is the member's name below the folder on top: the name that Odoo wants.
// A member that is outside of that folder has its whole name.
func (m *Member) Rel() string {
	if !m.inTop {
		return m.Name()
	}
	return m.Name()[m.start.top:]
}

// Mode is the member's mode, without bits that a filestore has no use for.
func (m *Member) Mode() fs.FileMode {
	if m.Kind == KindDirectory {
		return fs.FileMode(m.perm) | fs.ModeDir
	}
	return fs.FileMode(m.perm)
}

// Modified is when the member was modified. The wall clock of the result is
// what the directory has, which knows no zone: it is UTC, or, where Info-ZIP has
// noted the time itself, ahead of that by what makes the time right.
func (m *Member) Modified() time.Time {
	t := m.dos.time()
	if m.unix == noUnix {
		return t
	}
	exact := time.Unix(int64(m.unix), 0).UTC()
	// The clock counts two seconds at a time, zones quarters of an hour.
	const quarter = 15 * time.Minute
	ahead := t.Sub(exact).Round(quarter)
	if ahead.Abs() > 15*time.Hour || (t.Sub(exact)-ahead).Abs() > 2*time.Second {
		return t
	}
	return exact.In(time.FixedZone("", int(ahead/time.Second)))
}

// bareModes are the bits of external attributes that say what a file is on
// Unix, in their upper half.
const (
	unixType    = 0o170000
	unixRegular = 0o100000
	unixDir     = 0o040000
	unixLink    = 0o120000
)

// Systems in the upper byte of the version that made a member which store
// modes of Unix.
const (
	madeOnUnix  = 3
	madeOnMacOS = 19
)

// modeOf gives a member's mode from its version and external attributes. Bits
// that a filestore has no use for are left out; what is neither file nor
// directory is fs.ModeIrregular or fs.ModeSymlink.
func modeOf(madeBy uint16, external uint32, isDir bool) fs.FileMode {
	var mode fs.FileMode
	if isDir {
		mode = fs.ModeDir
	}
	system := madeBy >> 8
	unix := external >> 16
	if system != madeOnUnix && system != madeOnMacOS || unix == 0 {
		return mode
	}
	mode |= fs.FileMode(unix & 0o777)
	switch unix & unixType {
	case 0, unixRegular, unixDir:
		return mode
	case unixLink:
		return mode | fs.ModeSymlink
	}
	return mode | fs.ModeIrregular
}
