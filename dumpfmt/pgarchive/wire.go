package pgarchive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"odx/dumpfmt"
)

// Sizes of the reader's working memory.
const (
	wireBuffer   = 64 << 10
	maxInterned  = 64   // bytes; longer strings are hardly ever equal
	internedSize = 4096 // strings
	growAbove    = 1 << 20
)

// wireReader reads the primitives of an archive. The first error stays: later
// reads give zero values and leave it alone, so that a structure can be read
// field by field and the error looked at once.
type wireReader struct {
	br     *bufio.Reader
	path   string
	offset int64 // of the next byte
	size   int64 // of the whole input, -1 if not known
	limit  int64 // no byte at or beyond it is read

	intSize, offSize int

	entry int // being read, from 0; -1 for the header
	err   error

	number   [1 + 8]byte // here so that reading into it allocates nothing
	scratch  []byte
	interned map[string]string
}

func newWireReader(r io.Reader, path string, size int64) *wireReader {
	buffer := wireBuffer
	if size >= 0 {
		buffer = int(min(size, wireBuffer))
	}
	return &wireReader{
		br:       bufio.NewReaderSize(r, buffer),
		path:     path,
		size:     size,
		limit:    dumpfmt.MaxTOC,
		entry:    -1,
		scratch:  make([]byte, 256),
		interned: make(map[string]string),
	}
}

// fail records what is wrong with the field that starts at offset. Errors of
// the source other than its end are kept as they are.
func (r *wireReader) fail(field string, offset int64, err error) {
	if r.err != nil {
		return
	}
	if r.entry >= 0 {
		field = fmt.Sprintf("entry %d, %s", r.entry+1, field)
	} else {
		field = "header, " + field
	}
	r.err = &dumpfmt.FormatError{Path: r.path, Offset: offset, Field: field, Err: err}
}

func (r *wireReader) failf(field string, offset int64, format string, args ...any) {
	r.fail(field, offset, fmt.Errorf(format, args...))
}

// failRead records the error of a read that had to give bytes.
func (r *wireReader) failRead(field string, offset int64, err error) {
	if r.err != nil {
		return
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		r.fail(field, offset, io.ErrUnexpectedEOF)
		return
	}
	if errors.Is(err, dumpfmt.ErrFormat) {
		r.err = err
		return
	}
	r.err = fmt.Errorf("read %s: %w", r.path, err)
}

// full fills p.
func (r *wireReader) full(field string, p []byte) {
	if r.err != nil {
		return
	}
	start := r.offset
	if start+int64(len(p)) > r.limit {
		r.failf(field, start, "beyond the limit of %d bytes", r.limit)
		return
	}
	n, err := io.ReadFull(r.br, p)
	r.offset += int64(n)
	if err != nil {
		r.failRead(field, start, err)
	}
}

func (r *wireReader) byte(field string) byte {
	r.full(field, r.number[:1])
	if r.err != nil {
		return 0
	}
	return r.number[0]
}

// rawInt reads sign and magnitude. Encodings that pg_dump does not write, such
// as minus zero, are errors, so that what is read can be written again.
func (r *wireReader) rawInt(field string) int64 {
	start := r.offset
	b := r.number[:1+r.intSize]
	r.full(field, b)
	if r.err != nil {
		return 0
	}
	var v uint64
	for i := r.intSize; i > 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	switch {
	case b[0] > 1:
		r.failf(field, start, "sign byte %d", b[0])
	case b[0] == 1 && v == 0:
		r.failf(field, start, "minus zero")
	case v > math.MaxInt32 && (b[0] == 0 || v > -math.MinInt32):
		r.failf(field, start, "number of more than 32 bits")
	case b[0] == 1:
		return -int64(v)
	default:
		return int64(v)
	}
	return 0
}

func (r *wireReader) int32(field string) int32 { return int32(r.rawInt(field)) }

// between reads a number that must lie within bounds.
func (r *wireReader) between(field string, low, high int32) int32 {
	start := r.offset
	v := r.int32(field)
	if r.err == nil && (v < low || v > high) {
		r.failf(field, start, "%d is not between %d and %d", v, low, high)
		return 0
	}
	return v
}

func (r *wireReader) bool(field string) bool { return r.between(field, 0, 1) == 1 }

// bytes reads a string. The slice is valid until the next read; ok is false
// for NULL.
func (r *wireReader) bytes(field string) (p []byte, ok bool) {
	start := r.offset
	length := int64(r.int32(field))
	if r.err != nil || length == -1 {
		return nil, false
	}
	switch {
	case length < -1:
		r.failf(field, start, "string length %d", length)
	case length > dumpfmt.MaxString:
		r.failf(field, start, "string length %d exceeds %d", length, dumpfmt.MaxString)
	case r.size >= 0 && length > r.size-r.offset:
		r.failf(field, start, "string length %d, but only %d bytes left", length, r.size-r.offset)
	case length <= growAbove:
		if int64(cap(r.scratch)) < length {
			r.scratch = make([]byte, max(length, 2*int64(cap(r.scratch))))
		}
		p = r.scratch[:length]
		r.full(field, p)
		return p, r.err == nil
	default:
		return r.long(field, length)
	}
	return nil, false
}

// long reads a string of some size by steps, so that memory grows with what is
// there rather than with the length that it claims.
func (r *wireReader) long(field string, length int64) ([]byte, bool) {
	start := r.offset
	if start+length > r.limit {
		r.failf(field, start, "beyond the limit of %d bytes", r.limit)
		return nil, false
	}
	var b bytes.Buffer
	n, err := io.CopyN(&b, r.br, length)
	r.offset += n
	if err != nil {
		r.failRead(field, start, err)
		return nil, false
	}
	return b.Bytes(), true
}

func (r *wireReader) nullString(field string) NullString {
	p, ok := r.bytes(field)
	return NullString{String: string(p), Valid: ok}
}

// nullName reads a string that many entries share and keeps one copy.
func (r *wireReader) nullName(field string) NullString {
	p, ok := r.bytes(field)
	return NullString{String: r.intern(p), Valid: ok}
}

func (r *wireReader) intern(p []byte) string {
	if s, ok := r.interned[string(p)]; ok {
		return s
	}
	s := string(p)
	if len(p) <= maxInterned && len(r.interned) < internedSize {
		r.interned[s] = s
	}
	return s
}

// string reads a string that must not be NULL: pg_restore crashes on those.
func (r *wireReader) string(field string) string {
	start := r.offset
	p, ok := r.bytes(field)
	if r.err == nil && !ok {
		r.failf(field, start, "NULL")
	}
	return string(p)
}

// name is string for what many entries share.
func (r *wireReader) name(field string) string {
	start := r.offset
	s := r.nullName(field)
	if r.err == nil && !s.Valid {
		r.failf(field, start, "NULL")
	}
	return s.String
}

// uint reads a number that is stored as a decimal string. ok is false for
// NULL.
func (r *wireReader) uint(field string, limit uint64) (v uint64, ok bool) {
	start := r.offset
	p, ok := r.bytes(field)
	if !ok {
		return 0, false
	}
	for _, c := range p {
		if c < '0' || c > '9' || len(p) > 10 {
			r.failf(field, start, "%.20q is not a number", p)
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	if len(p) == 0 || len(p) > 1 && p[0] == '0' || v > limit {
		r.failf(field, start, "%.20q is not a number up to %d", p, limit)
		return 0, false
	}
	return v, true
}

func (r *wireReader) oid(field string) uint32 {
	start := r.offset
	v, ok := r.uint(field, math.MaxUint32)
	if r.err == nil && !ok {
		r.failf(field, start, "NULL")
	}
	return uint32(v)
}

// bigOffset reads the state and the value of a file offset.
func (r *wireReader) bigOffset(field string) Offset {
	start := r.offset
	state := OffsetState(r.byte(field))
	b := r.number[:r.offSize]
	r.full(field, b)
	if r.err != nil {
		return Offset{}
	}
	if state < OffsetNotSet || state > OffsetNoData {
		r.failf(field, start, "offset state %d", state)
		return Offset{}
	}
	var v uint64
	for i := r.offSize - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	if v > math.MaxInt64 {
		r.failf(field, start, "offset of more than 63 bits")
		return Offset{}
	}
	return Offset{State: state, Pos: int64(v)}
}
