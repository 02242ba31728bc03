package dumpfmt

import (
	"errors"
	"fmt"
	"strings"
)

// ErrFormat is matched by every error that says that an input is damaged or is
// not what it claims to be.
var ErrFormat = errors.New("not a valid dump")

// ErrUnsupported is matched by errors about inputs that may well be valid but
// are beyond this version: a newer archive version, an unknown compression.
var ErrUnsupported = errors.New("not supported")

// FormatError says where an input is wrong. It matches ErrFormat, and also
// whatever Err matches (ErrUnsupported, io.ErrUnexpectedEOF, ...).
type FormatError struct {
	Path   string // file, or member of an archive; "" if unknown
	Offset int64  // byte offset of the field; -1 if unknown
	Field  string // what was being read, such as "entry 17, owner"
	Err    error  // what is wrong with it
}

// Error prints as "toc.dat: entry 17, owner (offset 2931): string length ...".
func (e *FormatError) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Field)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " (offset %d)", e.Offset)
	}
	if e.Field != "" || e.Offset >= 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap makes the error match ErrFormat and its cause.
func (e *FormatError) Unwrap() []error { return []error{ErrFormat, e.Err} }
