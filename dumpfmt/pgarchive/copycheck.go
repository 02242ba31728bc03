package pgarchive

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// CopyCheck looks at COPY text as it streams by, up to its end mark: each row
// has to have as many fields as the COPY statement has columns, and escapes and
// bytes that COPY TO writes. Values of some columns are handed out. It holds a
// row of up to 256 KiB, and of a longer one only a part, and up to maxPicked
// bytes of each value. What the text ends in is not looked at.
type CopyCheck struct {
	columns int
	isUTF8  bool
	wrong   func(CopyFault)
	row     func([]NullString)

	picks  []int // for each column where its value goes in values, -1 for nowhere
	fields [][]byte
	values []NullString

	carry  []byte
	offset int64 // of what comes next in the text
	rows   int64
	ended  bool
	cur    struct {
		offset, length int64
		tabs           int
		open           bool // a part of the row was seen
		fieldStart     bool // the part ended where a field does
		dirty          bool // bytes in it are to be looked at
	}
}

// maxPicked is how much of a value is handed out, in bytes: a name of a file has
// at most 4,096.
const maxPicked = 16 << 10

// longPart is how much of a row is held at once, in bytes.
const longPart = 256 << 10

// FaultKind says what is wrong with a row.
type FaultKind uint8

// The kinds of faults.
const (
	FaultColumns  FaultKind = iota + 1 // another number of fields
	FaultEscape                        // an escape that COPY TO does not write
	FaultByte                          // a byte that COPY refuses
	FaultEncoding                      // not UTF-8
)

// CopyFault is something wrong with a row of COPY text.
type CopyFault struct {
	Kind   FaultKind
	Row    int64 // from 1
	Offset int64 // of the row in the text, in bytes
	Got    int   // fields, or the byte
	Want   int   // columns
}

// String says what is wrong, without the place.
func (f CopyFault) String() string {
	switch f.Kind {
	case FaultColumns:
		return fmt.Sprintf("%d fields for %d columns", f.Got, f.Want)
	case FaultEscape:
		return fmt.Sprintf("escape \\%q, which PostgreSQL does not write", rune(f.Got))
	case FaultByte:
		return fmt.Sprintf("byte %#02x, which COPY refuses", f.Got)
	}
	return "bytes that are not UTF-8"
}

// CopyCheckOptions say what a CopyCheck does besides counting.
type CopyCheckOptions struct {
	UTF8  bool            // the text is UTF-8
	Wrong func(CopyFault) // is called for each fault, at most one of a kind a row
	// Row, if not nil, gets the values of the Pick columns of each row, NULL for
	// those that the table does not have. They are valid during the call.
	Pick []string
	Row  func([]NullString)
}

// NewCopyCheck makes a check for what a COPY statement is followed by.
func NewCopyCheck(stmt string, o CopyCheckOptions) (*CopyCheck, error) {
	columns, err := CopyColumns(stmt)
	if err != nil {
		return nil, err
	}
	c := &CopyCheck{columns: len(columns), isUTF8: o.UTF8, wrong: o.Wrong, row: o.Row}
	if o.Row == nil {
		return c, nil
	}
	c.picks = make([]int, len(columns))
	for i, name := range columns {
		c.picks[i] = slices.Index(o.Pick, name)
	}
	c.fields, c.values = make([][]byte, len(o.Pick)), make([]NullString, len(o.Pick))
	return c, nil
}

// Rows is how many rows there were so far.
func (c *CopyCheck) Rows() int64 { return c.rows }

// Write implements io.Writer. It gives no error.
func (c *CopyCheck) Write(p []byte) (int, error) {
	n := len(p)
	if len(c.carry) > 0 && !c.ended {
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			end = len(p)
		}
		c.carry = append(c.carry, p[:end]...)
		p = p[end:]
		left := c.take(c.carry)
		c.carry = c.carry[:copy(c.carry, left)]
	}
	if len(p) > 0 && !c.ended {
		c.carry = append(c.carry, c.take(p)...)
	}
	return n, nil
}

// take looks at all whole rows in p, and at parts of long ones, and gives what
// is left.
func (c *CopyCheck) take(p []byte) []byte {
	whole := p[:bytes.LastIndexByte(p, '\n')+1]
	c.cur.dirty = c.isDirty(whole)
	rest := p
	for len(whole) > 0 && !c.ended {
		end := bytes.IndexByte(whole, '\n')
		c.part(whole[:end], true)
		c.offset++
		whole, rest = whole[end+1:], rest[end+1:]
	}
	if c.ended {
		return nil
	}
	if len(rest) >= longPart {
		n := cutPoint(rest)
		c.cur.dirty = c.isDirty(rest[:n])
		c.part(rest[:n], false)
		rest = rest[n:]
	}
	return rest
}

// cutPoint is where a part of a row may end: not within an escape, nor within a
// character.
func cutPoint(p []byte) int {
	n := len(p)
	for i := 1; i < utf8.UTFMax && i <= n; i++ {
		if utf8.RuneStart(p[n-i]) {
			if !utf8.FullRune(p[n-i:]) {
				n -= i
			}
			break
		}
	}
	if odd := slashesBefore(p[:n])%2 == 1; odd {
		return n - 1
	}
	// An escape at the end may be \N, which what follows decides.
	if n > 1 && p[n-1] != '\\' && slashesBefore(p[:n-1])%2 == 1 {
		return n - 2
	}
	return n
}

// slashesBefore counts the backslashes that p ends in.
func slashesBefore(p []byte) (n int) {
	for n < len(p) && p[len(p)-1-n] == '\\' {
		n++
	}
	return n
}

func (c *CopyCheck) isDirty(p []byte) bool {
	return bytes.IndexByte(p, '\r') >= 0 || bytes.IndexByte(p, 0) >= 0 || c.isUTF8 && !utf8.Valid(p)
}

func (c *CopyCheck) fault(kind FaultKind, got int) {
	if c.wrong != nil {
		c.wrong(CopyFault{Kind: kind, Row: c.rows, Offset: c.cur.offset, Got: got, Want: c.columns})
	}
}

// part looks at a row, or a part of one.
func (c *CopyCheck) part(p []byte, ends bool) {
	if !c.cur.open {
		if ends && string(p) == `\.` {
			c.ended = true
			return
		}
		c.rows++
		c.cur.open, c.cur.offset, c.cur.length, c.cur.tabs, c.cur.fieldStart = true, c.offset, 0, 0, true
	}
	c.escapes(p, ends)
	if c.cur.dirty {
		c.bytes(p)
	}
	if c.picks != nil {
		c.pick(p)
	}
	c.cur.tabs += bytes.Count(p, []byte{'\t'})
	c.cur.length += int64(len(p))
	c.offset += int64(len(p))
	if len(p) > 0 {
		c.cur.fieldStart = p[len(p)-1] == '\t'
	}
	if ends {
		c.endRow()
	}
}

func (c *CopyCheck) endRow() {
	c.cur.open = false
	fields := c.cur.tabs + 1
	if c.columns == 0 && c.cur.length == 0 {
		fields = 0
	}
	if fields != c.columns {
		c.fault(FaultColumns, fields)
	} else if c.picks != nil {
		for i, f := range c.fields {
			c.values[i] = NullString{}
			if f != nil {
				c.values[i] = unescapeField(f)
			}
		}
		c.row(c.values)
	}
	for i := range c.fields {
		if c.fields[i] != nil {
			c.fields[i] = c.fields[i][:0]
		}
	}
}

// escapes looks at what follows the backslashes.
func (c *CopyCheck) escapes(p []byte, ends bool) {
	for at := 0; ; {
		i := bytes.IndexByte(p[at:], '\\')
		if i < 0 {
			return
		}
		at += i + 1
		letter := byte('\n')
		if at < len(p) {
			letter = p[at]
		}
		switch letter {
		case '\\', 'b', 'f', 'n', 'r', 't', 'v':
		case 'N':
			starts := at == 1 && c.cur.fieldStart || at > 1 && p[at-2] == '\t'
			stops := at+1 == len(p) && ends || at+1 < len(p) && p[at+1] == '\t'
			if !starts || !stops {
				c.fault(FaultEscape, 'N')
				return
			}
		default:
			c.fault(FaultEscape, int(letter))
			return
		}
		at++
		if at >= len(p) {
			return
		}
	}
}

// bytes looks for those that COPY refuses.
func (c *CopyCheck) bytes(p []byte) {
	switch {
	case bytes.IndexByte(p, '\r') >= 0:
		c.fault(FaultByte, '\r')
	case bytes.IndexByte(p, 0) >= 0:
		c.fault(FaultByte, 0)
	case c.isUTF8 && !utf8.Valid(p):
		c.fault(FaultEncoding, 0)
	}
}

// pick keeps the fields of the columns that are wanted.
func (c *CopyCheck) pick(p []byte) {
	for column := c.cur.tabs; column < len(c.picks); column++ {
		end := bytes.IndexByte(p, '\t')
		field := p
		if end >= 0 {
			field = p[:end]
		}
		if to := c.picks[column]; to >= 0 {
			if c.fields[to] == nil {
				c.fields[to] = make([]byte, 0, 64)
			}
			room := max(maxPicked-len(c.fields[to]), 0)
			c.fields[to] = append(c.fields[to], field[:min(room, len(field))]...)
		}
		if end < 0 {
			return
		}
		p = p[end+1:]
	}
}
