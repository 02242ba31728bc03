package filestore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxRow is the longest row of the list, in bytes. store_fname is a path, and
// the longest path that Linux takes has 4,096.
const maxRow = 1 << 20

// attachment is a file that the database names.
type attachment struct {
	row   int64 // number of its first row, from 1
	fname string
	size  int64 // file_size; -1 where it is NULL
	other int64 // another file_size, where rows differ about it; else -1
}

// attachments reads a list of attachments, as described at Check.
type attachments struct {
	r    *bufio.Reader
	rows int64      // read by now
	next attachment // read ahead, if its row is not 0
	err  error      // ends the list: io.EOF or an error
}

func readAttachments(r io.Reader) *attachments {
	return &attachments{r: bufio.NewReaderSize(r, 64<<10)}
}

// read gives the next attachment, io.EOF at the end. Rows of one name that
// follow each other are one attachment.
func (a *attachments) read() (attachment, error) {
	current := a.next
	if current.row == 0 {
		current = a.readRow()
	}
	for a.err == nil {
		a.next = a.readRow()
		if a.err != nil || a.next.fname != current.fname {
			break
		}
		current.merge(a.next)
	}
	if a.err == nil || a.err == io.EOF && current.row > 0 {
		return current, nil
	}
	return attachment{}, a.err
}

func (a *attachment) merge(b attachment) {
	switch {
	case a.size < 0:
		a.size = b.size
	case b.size != a.size && b.size >= 0:
		a.other = b.size
	}
}

// differs tells whether a file of that size (-1: no file) is not what the
// database says, and which size it should have.
func (a *attachment) differs(got int64) (want int64, differs bool) {
	if a.other >= 0 && got == a.size {
		return a.other, true
	}
	return a.size, got < 0 || a.size >= 0 && got != a.size
}

// readRow reads a row; at the end, and on an error, it sets err.
func (a *attachments) readRow() attachment {
	if a.err != nil {
		return attachment{}
	}
	line, err := a.line()
	if err == nil && string(line) == `\.` {
		err = io.EOF
	}
	if err != nil {
		a.err = err
		return attachment{}
	}
	a.rows++
	row, err := parseRow(line)
	if err != nil {
		a.err = a.where(err)
		return attachment{}
	}
	row.row = a.rows
	return row
}

func (a *attachments) where(err error) error {
	return fmt.Errorf("list of attachments, row %d: %w", a.rows, err)
}

// line reads up to the next newline, which it cuts off.
func (a *attachments) line() ([]byte, error) {
	line, err := a.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) && len(long) <= maxRow {
			line, err = a.r.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		a.rows++
		return nil, a.where(fmt.Errorf("longer than %d bytes", maxRow))
	case err == io.EOF && len(line) > 0:
		a.rows++
		return nil, a.where(io.ErrUnexpectedEOF)
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}

// parseRow takes a row apart. NULL in store_fname gives an empty name.
func parseRow(line []byte) (attachment, error) {
	name, size, found := bytes.Cut(line, []byte{'\t'})
	if !found || bytes.IndexByte(size, '\t') >= 0 {
		return attachment{}, errors.New("not two columns")
	}
	at := attachment{size: -1, other: -1}
	if string(name) != `\N` {
		at.fname = unescape(name)
	}
	if string(size) == `\N` {
		return at, nil
	}
	var err error
	at.size, err = strconv.ParseInt(string(size), 10, 64)
	at.size = max(at.size, -1) // less than 0 is nonsense, as good as NULL
	return at, err
}

// unescape undoes the escapes of COPY's text format.
func unescape(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		c := text[0]
		text = text[1:]
		if c == '\\' && len(text) > 0 {
			c, text = escaped(text)
		}
		out = append(out, c)
	}
	return string(out)
}

// escaped gives the byte that stands behind a backslash, and the rest.
func escaped(text []byte) (byte, []byte) {
	c := text[0]
	switch c {
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'v':
		c = '\v'
	case 'x':
		if value, n := digits(text[1:], 16, 2); n > 0 {
			return value, text[1+n:]
		}
	default:
		if value, n := digits(text, 8, 3); n > 0 {
			return value, text[n:]
		}
	}
	return c, text[1:]
}

// digits reads up to limit digits; like the server it drops bits above eight.
func digits(text []byte, base, limit int) (value byte, n int) {
	for n < limit && n < len(text) {
		d, err := strconv.ParseUint(string(text[n:n+1]), base, 8)
		if err != nil {
			break
		}
		value = value*byte(base) + byte(d)
		n++
	}
	return value, n
}
