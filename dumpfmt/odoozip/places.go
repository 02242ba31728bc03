package odoozip

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"odx/dumpfmt"
)

// PlacesName is the member that says where in dump.sql the data files of an
// archive are. ArchiveDir is where those stand that are not in dump.sql in a
// form that gives them back.
const (
	PlacesName = OdxDir + "places.json"
	RecordName = OdxDir + dumpfmt.RecordFile
	ArchiveDir = OdxDir + dumpfmt.ArchiveDir + "/"
)

// PlacesFormat is the version of places.json that this package writes. A newer
// one is passed over, as if it were not there.
const PlacesFormat = 1

// Places is places.json: how to get the archive back that dump.sql was made
// from. It holds for the dump.sql that Size, CRC and Length fit, and for no
// other.
type Places struct {
	Format int    `json:"odx_places"`
	Size   int64  `json:"size"` // of dump.sql's data, in bytes
	CRC    uint32 `json:"crc32"`
	Length int64  `json:"length"` // of dump.sql's text
	// Files are all files of the archive, in the order of their text in
	// dump.sql; those without a place there are members below odx/dump/.
	Files FilePlaces `json:"files"`
}

// FilePlaces is a list whose reading ends at the first element that cannot be.
type FilePlaces []FilePlace

// FilePlace says where the content of one file is. One of its parts is set, or
// none: then the file is the member odx/dump/NAME.
type FilePlace struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"` // of the file; "" if Text gives another file with the same text

	// Pieces is set for a file that deflate.Writer made.
	Pieces *Place `json:"pieces,omitempty"`
	// Members is set for other gzip files, within MaxMembers and MaxZeros.
	Members MemberPlaces `json:"members,omitempty"`
	Zeros   int64        `json:"zeros,omitempty"` // bytes after the last member, see MaxZeros
	// Text is set for all other files.
	Text *Place `json:"text,omitempty"`
}

// Place is a part of dump.sql's data, as deflate.Part describes it: whole bytes
// that can be inflated without what stands before them.
type Place struct {
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	CRC    uint32 `json:"crc32"`
	Length int64  `json:"length"` // of the text
}

// MemberPlace is a gzip member, with what joining took off it.
type MemberPlace struct {
	Place
	Header  []byte `json:"header"`
	Last    int64  `json:"last"`
	Bits    int64  `json:"bits"`
	Padding byte   `json:"padding,omitempty"`
}

// MemberPlaces is a list whose reading ends at the first element that cannot be.
type MemberPlaces []MemberPlace

// Encode gives the content of the member.
func (p *Places) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	err := e.Encode(p)
	return b.Bytes(), err
}

// MaxPlaces is the largest places.json that is read, in bytes: some 300 for
// each of a million files.
const MaxPlaces = 512 << 20

// maxParts is the largest number of files and gzip members in places.json:
// Encode writes one in no less than 128 bytes.
const maxParts = MaxPlaces / 128

// MaxZeros bounds the zeros after the gzip members of all files together, which
// take no room in the zip; MaxMembers how many of those members, with a header
// of up to 256 bytes each, are written at most: MaxPlaces holds them.
const (
	MaxZeros   = 64 << 20
	MaxMembers = 1 << 20
)

var errTooMany = fmt.Errorf("more than %d files and gzip members", maxParts)

// ParsePlaces reads the content of the member and makes sure that every place
// is within the data. A newer format gives an error that matches
// dumpfmt.ErrUnsupported.
func ParsePlaces(data []byte) (*Places, error) {
	fail := func(err error) error {
		return &dumpfmt.FormatError{Path: PlacesName, Offset: -1, Err: err}
	}
	var p Places
	err := json.Unmarshal(data, &p)
	if err != nil {
		var only struct {
			Format int `json:"odx_places"`
		}
		if json.Unmarshal(data, &only) != nil || only.Format == PlacesFormat {
			return nil, fail(err)
		}
		p.Format = only.Format // places of another format may well be others
	}
	if p.Format != PlacesFormat {
		return nil, fail(fmt.Errorf("format %d of the places is %w", p.Format, dumpfmt.ErrUnsupported))
	}
	if p.Size < 0 || p.Length < 0 {
		return nil, fail(errors.New("a negative size of dump.sql"))
	}
	size, length := p.Size, p.Length // that are left: no two files have the same part
	zeros := int64(MaxZeros)
	for i := range p.Files {
		f := &p.Files[i]
		if f.Zeros > zeros {
			return nil, fail(fmt.Errorf("file %d, %.80q: more than %d zeros after data in all", i, f.Name, MaxZeros))
		}
		zeros -= f.Zeros
		for _, part := range f.texts() {
			if part.Offset > p.Size-part.Size || part.Size > size || part.Length > length {
				return nil, fail(fmt.Errorf("file %d, %.80q: %w", i, f.Name, errOutside))
			}
			size, length = size-part.Size, length-part.Length
		}
	}
	return &p, nil
}

var errOutside = errors.New("a place outside of dump.sql")

// UnmarshalJSON reads the list element by element: a few bytes of JSON make many
// of memory.
func (l *FilePlaces) UnmarshalJSON(data []byte) error {
	*l = nil
	seen := map[string]bool{}
	parts := 0
	return eachElement(data, func(f FilePlace) error {
		if err := f.check(seen[f.Name]); err != nil {
			return fmt.Errorf("file %d, %.80q: %w", len(*l), f.Name, err)
		}
		if parts += 1 + len(f.Members); parts > maxParts {
			return errTooMany
		}
		seen[f.Name] = true
		*l = append(*l, f)
		return nil
	})
}

// UnmarshalJSON reads the list as that of the files is read.
func (l *MemberPlaces) UnmarshalJSON(data []byte) error {
	*l = nil
	return eachElement(data, func(m MemberPlace) error {
		if m.Bits < 0 || m.Bits/8 > m.Size || m.Bits > 8*m.Size || m.Last < -1 || m.Last >= m.Bits {
			return errors.New("a member's bits are outside of its data")
		}
		if len(*l) == maxParts {
			return errTooMany
		}
		*l = append(*l, m)
		return nil
	})
}

// eachElement reads a list, which is null or valid JSON, and hands over each
// element before it reads the next.
func eachElement[T any](list []byte, take func(T) error) error {
	d := json.NewDecoder(bytes.NewReader(list))
	switch start, err := d.Token(); {
	case err != nil || start == nil:
		return err
	case start != json.Delim('['):
		return errors.New("not a list")
	}
	for d.More() {
		var one T
		if err := d.Decode(&one); err != nil {
			return err
		}
		if err := take(one); err != nil {
			return err
		}
	}
	return nil
}

// check finds what cannot be in a file's place, whatever dump.sql is.
func (f *FilePlace) check(twice bool) error {
	if err := CheckName(f.Name); err != nil || strings.ContainsRune(f.Name, '/') {
		return errors.Join(errors.New("not the name of a file in an archive"), err)
	}
	kinds := 0
	for _, is := range []bool{f.Pieces != nil, f.Text != nil, len(f.Members) > 0} {
		if is {
			kinds++
		}
	}
	switch {
	case twice:
		return errors.New("named twice")
	case f.Bytes < 0 || f.Zeros < 0:
		return errors.New("a negative size")
	case kinds > 1:
		return errors.New("more than one kind of place")
	}
	for _, part := range f.texts() {
		if part.Offset < 0 || part.Size < 0 || part.Length < 0 {
			return errOutside
		}
	}
	return nil
}
