package odoozip

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"odx/dumpfmt"
)

var (
	errSignature = errors.New("no header where one must be")
	errZip64     = errors.New("64-bit number missing in the zip64 extra field")
	errEncrypted = fmt.Errorf("encrypted with a password: %w", dumpfmt.ErrUnsupported)
	errPatch     = fmt.Errorf("patch data: %w", dumpfmt.ErrUnsupported)
)

// maxRatio is more than any deflate stream expands to: 258 bytes of text take
// two bits at least.
const maxRatio = 1032

// methodNames are methods that other programs use, for errors.
var methodNames = map[uint16]string{
	1: "shrink", 6: "implode", 9: "deflate64", 12: "bzip2", 14: "LZMA", 20: "zstd",
	93: "zstd", 95: "xz", 98: "PPMd", 99: "AES",
}

// readDirectory reads the members in the order of the directory, which is at an
// offset of the file, after so many bytes before the archive.
func (s *source) readDirectory(e end, offset, before int64) ([]Member, error) {
	d := directory{
		source: s, at: offset, end: offset + int64(e.dirSize), before: before,
		r: bufio.NewReaderSize(io.NewSectionReader(s, offset, int64(e.dirSize)), int(min(e.dirSize+16, 64<<10))),
	}
	// The count was held against the size of the directory, which is in the
	// file: this is at most three times that.
	members := make([]Member, 0, e.members)
	for d.at < d.end {
		m, err := d.next()
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	n := uint64(len(members))
	if n != e.members && (e.zip64 || uint64(uint16(n)) != e.members) {
		return nil, s.damaged(e.offset, endField, fmt.Errorf("%d members, but %d in the directory", e.members, n))
	}
	return members, nil
}

// A directory reads one member after the other.
type directory struct {
	*source
	r      *bufio.Reader
	at     int64 // offset of what r reads next
	end    int64 // offset where the directory ends
	before int64 // what stands before the archive, in bytes
	buf    []byte
	names  names
}

// read gives the next n bytes. They are valid until the next call.
func (d *directory) read(n int) ([]byte, error) {
	if int64(n) > d.end-d.at {
		return nil, d.damaged(d.at, directoryField, io.ErrUnexpectedEOF)
	}
	if n > len(d.buf) {
		d.buf = make([]byte, n)
	}
	b := d.buf[:n]
	if _, err := io.ReadFull(d.r, b); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, d.damaged(d.at, directoryField, io.ErrUnexpectedEOF)
		}
		return nil, d.failed(err)
	}
	d.at += int64(n)
	return b, nil
}

func (d *directory) next() (Member, error) {
	start := d.at
	b, err := d.read(directoryLen)
	if err != nil {
		return Member{}, err
	}
	h := parseDirectory(b)
	if h.sig != directorySig {
		return Member{}, d.damaged(start, directoryField, errSignature)
	}
	b, err = d.read(h.nameLen + h.extraLen + h.commentLen)
	if err != nil {
		return Member{}, err
	}
	name, extra := string(b[:h.nameLen]), b[h.nameLen:h.nameLen+h.extraLen]
	mode := modeOf(h.madeBy, h.external, strings.HasSuffix(name, "/"))
	err = h.checkWide(h.widen(extra))
	if err == nil {
		err = h.checkName(name)
	}
	if err == nil {
		err = h.check(mode)
	}
	if err != nil {
		return Member{}, d.damaged(start, memberField(name), err)
	}
	startOfName, sum := d.names.keep(name)
	return Member{
		start: startOfName, sum: sum, Kind: KindOther, Method: uint8(h.method), Flags: h.flags, CRC: h.crc,
		Length: int64(h.length), Size: int64(h.size), Offset: int64(h.offset) + d.before,
		dos: h.dos, unix: modTime(extra), perm: uint16(mode.Perm()),
	}, nil
}

// memberField names a member in errors.
func memberField(name string) string {
	const most = 200
	if len(name) > most {
		name = name[:most]
	}
	return fmt.Sprintf("member %q", name)
}

// checkWide looks at the numbers after widen.
func (h *header) checkWide(complete bool) error {
	const most = 1<<63 - 1
	switch {
	case !complete:
		return errZip64
	case h.disk != 0:
		return errDisks
	case h.length > most || h.size > most || h.offset > most:
		return errors.New("more than 2^63 bytes")
	}
	return nil
}

// checkName looks at the name. "./", where everything is, is a directory.
func (h *header) checkName(name string) error {
	if name == dotDir {
		return nil
	}
	if h.flags&flagUTF8 != 0 && !utf8.ValidString(name) {
		return errors.New("name is marked as UTF-8 and is not")
	}
	return CheckName(cleanName(name))
}

// check refuses what is not read.
func (h *header) check(mode fs.FileMode) error {
	switch {
	case h.flags&(flagEncrypted|flagStrong|flagHiddenDirectory) != 0:
		return errEncrypted
	case h.flags&flagPatch != 0:
		return errPatch
	case mode&fs.ModeSymlink != 0:
		return errors.New("symbolic link")
	case mode&fs.ModeIrregular != 0:
		return errors.New("neither a file nor a directory")
	case mode.IsDir() && h.length != 0:
		return fmt.Errorf("directory with %d bytes of content", h.length)
	}
	switch h.method {
	case Store:
		if h.size != h.length {
			return fmt.Errorf("stored, but %d bytes of text in %d", h.length, h.size)
		}
	case Deflate:
		if h.length/maxRatio > h.size {
			return fmt.Errorf("%d bytes of text cannot be in %d bytes of data", h.length, h.size)
		}
	default:
		name, known := methodNames[h.method]
		if !known {
			name = "unknown"
		}
		return fmt.Errorf("compression method %d (%s): %w", h.method, name, dumpfmt.ErrUnsupported)
	}
	return nil
}
