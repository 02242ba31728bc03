package pgarchive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"odx/dumpfmt"
)

// CopyColumns gives the names of the columns that a COPY statement such as an
// entry's CopyStmt lists, in order and without quotes. A table without columns
// has an empty list.
func CopyColumns(stmt string) ([]string, error) {
	rest, ok := strings.CutPrefix(stmt, "COPY ")
	if !ok {
		return nil, fmt.Errorf("not a COPY statement: %.80q", stmt)
	}
	_, rest, err := cutName(rest)
	if err != nil {
		return nil, err
	}
	const from = " FROM stdin;"
	if strings.HasPrefix(rest, " "+from) {
		return []string{}, nil
	}
	if rest, ok = strings.CutPrefix(rest, " ("); !ok {
		return nil, fmt.Errorf("no list of columns in %.80q", stmt)
	}
	var columns []string
	for {
		name, after, err := cutIdentifier(rest)
		if err != nil {
			return nil, err
		}
		columns = append(columns, name)
		if rest, ok = strings.CutPrefix(after, ", "); ok {
			continue
		}
		if !strings.HasPrefix(after, ")"+from) {
			return nil, fmt.Errorf("list of columns does not end in %.80q", after)
		}
		return columns, nil
	}
}

// cutName takes the name of an object off the start of s, as it is written there,
// with what qualifies it.
func cutName(s string) (name, rest string, err error) {
	for rest = s; ; {
		_, after, err := cutIdentifier(rest)
		if err != nil {
			return "", "", err
		}
		qualified, ok := strings.CutPrefix(after, ".")
		if !ok {
			return s[:len(s)-len(after)], after, nil
		}
		rest = qualified
	}
}

// cutIdentifier takes an identifier, quoted or not, off the start of s.
func cutIdentifier(s string) (name, rest string, err error) {
	quoted, ok := strings.CutPrefix(s, `"`)
	if !ok {
		end := strings.IndexAny(s, ` .,;()"`)
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return "", "", fmt.Errorf("no identifier at %.80q", s)
		}
		return s[:end], s[end:], nil
	}
	var b strings.Builder
	for {
		end := strings.IndexByte(quoted, '"')
		if end < 0 {
			return "", "", fmt.Errorf("no end of the identifier at %.80q", s)
		}
		b.WriteString(quoted[:end])
		quoted = quoted[end+1:]
		if !strings.HasPrefix(quoted, `"`) {
			return b.String(), quoted, nil
		}
		b.WriteByte('"')
		quoted = quoted[1:]
	}
}

// CopyRows goes through the rows of a TABLE DATA entry and gives the values of
// the named columns, in this order and in the encoding of the dump. The slice
// is used again for the next row. It is for small tables: each row is held in
// memory and may have up to dumpfmt.MaxRow bytes.
//
// An error ends it: a *dumpfmt.FormatError about the content, or that the entry
// has no COPY text or not these columns.
func (a *Archive) CopyRows(e *Entry, columns ...string) iter.Seq2[[]NullString, error] {
	return func(yield func([]NullString, error) bool) {
		if err := a.copyRows(e, columns, yield); err != nil {
			yield(nil, fmt.Errorf("read rows of %s: %w", e.describe(), err))
		}
	}
}

func (a *Archive) copyRows(e *Entry, columns []string, yield func([]NullString, error) bool) error {
	all, err := CopyColumns(e.CopyStmt.String)
	if err != nil {
		return err
	}
	pick := make([]int, len(columns))
	for i, c := range columns {
		if pick[i] = slices.Index(all, c); pick[i] < 0 {
			return fmt.Errorf("no column %q", c)
		}
	}
	r, err := a.Data(e)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := &lineReader{br: bufio.NewReader(r)}
	values := make([]NullString, len(columns))
	for row := 1; ; row++ {
		line, err := lines.next()
		if err != nil {
			return rowError(a.dataName(e), row, err)
		}
		if string(line) == `\.` {
			return nil
		}
		fields := splitRow(line, len(all))
		if len(fields) != len(all) {
			return rowError(a.dataName(e), row, fmt.Errorf("%w: %d fields for %d columns", errRow, 1+bytes.Count(line, []byte{'\t'}), len(all)))
		}
		for i, p := range pick {
			values[i] = unescapeField(fields[p])
		}
		if !yield(values, nil) {
			return nil
		}
	}
}

// errRow is matched by errors about the text of a row.
var errRow = errors.New("not a row")

// rowError makes an error about the text a FormatError, and leaves others.
func rowError(name string, row int, err error) error {
	if err == io.EOF {
		err = fmt.Errorf("no end mark: %w", io.ErrUnexpectedEOF)
	} else if !errors.Is(err, errRow) {
		return err
	}
	return &dumpfmt.FormatError{Path: name, Offset: -1, Field: "row " + strconv.Itoa(row), Err: err}
}

// lineReader reads lines of bounded length.
type lineReader struct {
	br   *bufio.Reader
	long []byte
}

// next gives the next line without its end. It is valid until the next call.
func (l *lineReader) next() ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.br.ReadSlice('\n')
		if err == nil && len(l.long) == 0 {
			return part[:len(part)-1], nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err // text after the last line has no end mark behind it
		}
		if len(l.long)+len(part) > dumpfmt.MaxRow {
			return nil, fmt.Errorf("%w: longer than %d bytes", errRow, dumpfmt.MaxRow)
		}
		l.long = append(l.long, part...)
		if err == nil {
			return l.long[:len(l.long)-1], nil
		}
	}
}

// splitRow splits a line of COPY text into its fields. Of a line with more than
// there are columns it gives one field more.
func splitRow(line []byte, columns int) [][]byte {
	if columns == 0 && len(line) == 0 {
		return nil
	}
	return bytes.SplitN(line, []byte{'\t'}, columns+1)
}

// unescapeField decodes a field of COPY text as COPY FROM does.
func unescapeField(f []byte) NullString {
	if string(f) == `\N` {
		return NullString{}
	}
	if bytes.IndexByte(f, '\\') < 0 {
		return Str(string(f))
	}
	out := make([]byte, 0, len(f))
	for len(f) > 0 {
		if f[0] != '\\' || len(f) == 1 {
			out = append(out, f[0])
			f = f[1:]
			continue
		}
		c, used := unescape(f[1:])
		out = append(out, c)
		f = f[1+used:]
	}
	return Str(string(out))
}

// unescape decodes what follows a backslash: a letter, up to three octal
// digits, x and up to two hexadecimal ones, or any other byte for itself.
func unescape(f []byte) (c byte, used int) {
	switch f[0] {
	case 'b':
		return '\b', 1
	case 'f':
		return '\f', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'v':
		return '\v', 1
	case 'x':
		if v, n := digits(f[1:], 16, 2); n > 0 {
			return v, 1 + n
		}
	}
	if v, n := digits(f, 8, 3); n > 0 {
		return v, n
	}
	return f[0], 1
}

// digits reads a number of at most width digits, modulo 256.
func digits(f []byte, base, width int) (v byte, n int) {
	for n < min(width, len(f)) {
		d, err := strconv.ParseUint(string(f[n:n+1]), base, 8)
		if err != nil {
			break
		}
		v = v*byte(base) + byte(d)
		n++
	}
	return v, n
}
