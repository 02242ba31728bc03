package odoozip

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strings"

	"odx/dumpfmt"
)

// A nameStart is what the names of members begin with. Nearly all are those of
// files in a filestore, folder/ab/abcdef..., and differ by a SHA-1 only: a Member
// has that in 20 bytes, and shares the rest with those before it in the directory.
type nameStart struct {
	text   string // all of the name if digits is 0
	digits uint8  // how many digits of the SHA-1 name the folder that the file is in
	top    uint16 // length of the folder on top, for members that are in it
}

// The digits that Odoo names folders of a filestore by.
const (
	leastDigits = 2
	mostDigits  = 3
)

// hexLen is the length in bytes of a SHA-1 in a name.
const hexLen = 2 * sha1.Size

// nameBuffer has room for any name of a filestore and for most others.
const nameBuffer = 128

// cutSHA1 cuts a name that ends in a folder and a SHA-1 which begins as the
// folder is named. digits is 0 for any other name.
func cutSHA1(name string) (start string, digits int, sum [sha1.Size]byte) {
	at := len(name) - hexLen
	if at < 1 || name[at-1] != '/' || !dumpfmt.IsSHA1Name(name[at:]) {
		return name, 0, sum
	}
	from := strings.LastIndexByte(name[:at-1], '/') + 1
	folder := name[from : at-1]
	if len(folder) < leastDigits || len(folder) > mostDigits || !strings.HasPrefix(name[at:], folder) {
		return name, 0, sum
	}
	_, _ = hex.Decode(sum[:], []byte(name[at:])) // it is hexadecimal
	return name[:from], len(folder), sum
}

// Name is the member's name as it stands in the archive; see Rel.
func (m *Member) Name() string {
	if m.start.digits == 0 {
		return m.start.text
	}
	var buf [nameBuffer]byte
	return string(m.appendName(buf[:0]))
}

func (m *Member) appendName(b []byte) []byte {
	b = append(b, m.start.text...)
	if m.start.digits == 0 {
		return b
	}
	var name [hexLen]byte
	hex.Encode(name[:], m.sum[:])
	b = append(b, name[:m.start.digits]...)
	b = append(b, '/')
	return append(b, name[:]...)
}

// nameLen is the length of the name in bytes.
func (m *Member) nameLen() int {
	if m.start.digits == 0 {
		return len(m.start.text)
	}
	return len(m.start.text) + int(m.start.digits) + 1 + hexLen
}

// path puts the clean name into buf, or into more memory if it does not fit.
func (m *Member) path(buf []byte) []byte {
	return bytes.TrimPrefix(m.appendName(buf[:0]), []byte(dotDir))
}

// comparePath orders members by their clean names.
func (m *Member) comparePath(o *Member) int {
	if m.start.digits != 0 && m.start.digits == o.start.digits && m.start.text == o.start.text {
		return bytes.Compare(m.sum[:], o.sum[:])
	}
	var a, b [nameBuffer]byte
	return comparePaths(m.path(a[:0]), o.path(b[:0]))
}

// isBelow tells whether a member is in what would be a folder of another's name.
func (m *Member) isBelow(folder *Member) bool {
	var a, b [nameBuffer]byte
	rest, found := bytes.CutPrefix(m.path(a[:0]), folder.path(b[:0]))
	return found && len(rest) > 0 && rest[0] == '/'
}

// names keeps the names of members as they are read.
type names struct {
	last  *nameStart // of those that can be shared
	texts strings.Builder
}

// nameBlock is the memory that texts are put into together, in bytes.
const nameBlock = 64 << 10

func (k *names) keep(name string) (start *nameStart, sum [sha1.Size]byte) {
	text, digits, sum := cutSHA1(name)
	if digits == 0 {
		return &nameStart{text: k.text(text)}, sum
	}
	if k.last == nil || k.last.text != text || int(k.last.digits) != digits {
		k.last = &nameStart{text: k.text(text), digits: uint8(digits)}
	}
	return k.last, sum
}

// text copies a text. One by one they would take a quarter more.
func (k *names) text(text string) string {
	if k.texts.Cap()-k.texts.Len() < len(text) {
		k.texts = strings.Builder{}
		k.texts.Grow(max(nameBlock, len(text)))
	}
	from := k.texts.Len()
	k.texts.WriteString(text)
	return k.texts.String()[from:]
}
