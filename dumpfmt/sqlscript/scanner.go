package sqlscript

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"odx/dumpfmt"
)

// Kind is what a piece of a script is.
type Kind uint8

// The kinds of pieces.
const (
	Blank Kind = iota + 1
	Comment
	HeaderComment
	Command
	Statement
	Copy
	Rows
	RowsEnd
)

// String names the kind in messages.
func (k Kind) String() string {
	switch k {
	case Blank:
		return "blank"
	case Comment:
		return "comment"
	case HeaderComment:
		return "header"
	case Command:
		return "psql command"
	case Statement:
		return "statement"
	case Copy:
		return "COPY statement"
	case Rows:
		return "rows"
	case RowsEnd:
		return "end of rows"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Piece is a piece of a script.
type Piece struct {
	Kind   Kind
	Data   []byte // valid until the next call of Next
	Offset int64  // bytes before it
	Line   int64  // on which it starts, from 1
}

// Scanner reads a script piece by piece. It holds one piece, or a buffer of
// rows, in memory: a statement may have up to dumpfmt.MaxString bytes.
type Scanner struct {
	r    io.Reader
	name string

	buf     []byte // what was read and not yet given away, and the piece given last
	start   int    // of the piece in buf
	pos     int    // up to which buf was looked at
	readErr error  // what the reader said last; io.EOF is its end

	offset int64 // of buf[start] in the script
	line   int64 // of buf[start]
	last   byte  // the byte before buf[start]

	isOff     bool // standard_conforming_strings
	inRows    bool
	inLongRow bool  // buf[start] is not the start of a row
	err       error // ends the scan
}

// rowsBuffer is the size of the buffer in bytes: rows come in slices of about
// that size. It fits into the second-level cache. A script starts with
// firstBuffer, which is enough for a small one.
const (
	rowsBuffer  = 256 << 10
	firstBuffer = 16 << 10
)

// NewScanner makes a scanner of the script that r gives. Name stands in errors
// for the file.
func NewScanner(r io.Reader, name string) *Scanner {
	return &Scanner{r: r, name: name, line: 1, last: '\n', buf: make([]byte, 0, firstBuffer)}
}

// Conforming tells whether standard_conforming_strings is on where the scan
// has come to.
func (s *Scanner) Conforming() bool { return !s.isOff }

// Next gives the next piece. At the end of the script it gives io.EOF. Errors
// about the script are a *dumpfmt.FormatError, those of the reader are passed
// on as they are; all further calls give them again.
func (s *Scanner) Next() (Piece, error) {
	if s.err != nil {
		return Piece{}, s.err
	}
	s.leave()
	kind, err := s.scan()
	if err != nil {
		s.err = s.place(err)
		return Piece{}, s.err
	}
	return Piece{Kind: kind, Data: s.buf[s.start:s.pos], Offset: s.offset, Line: s.line}, nil
}

// leave makes the end of the last piece the start of the next one.
func (s *Scanner) leave() {
	piece := s.buf[s.start:s.pos]
	if len(piece) == 0 {
		return
	}
	s.offset += int64(len(piece))
	s.line += int64(bytes.Count(piece, newline))
	s.last = piece[len(piece)-1]
	s.start = s.pos
	s.shrink(len(piece))
}

var newline = []byte{'\n'}

// FormatError makes err an error about the script at the place of a piece. It
// may be one that Next gave long ago: its data do not matter.
func (s *Scanner) FormatError(p Piece, err error) error {
	return &dumpfmt.FormatError{Path: s.name, Offset: p.Offset, Field: "line " + strconv.FormatInt(p.Line, 10), Err: err}
}

// scan finds the end of the piece at start and puts pos there.
func (s *Scanner) scan() (Kind, error) {
	if s.inRows {
		return s.scanRows()
	}
	if err := s.need(1); err != nil {
		return 0, err // io.EOF: here it is the end of the script
	}
	switch b := s.buf[s.start]; {
	case classes[b]&spaceByte != 0:
		return Blank, s.scanBlank()
	case b == '\\':
		return Command, s.scanCommand()
	}
	kind, n, err := s.token()
	switch {
	case err != nil:
		return 0, err
	case kind == Remark && s.buf[s.start] == '-':
		return s.scanComment()
	case kind == Remark:
		s.pos += n
		return Comment, s.check()
	}
	return s.scanStatement()
}

// need makes sure that n bytes from pos on are in the buffer, or gives io.EOF
// or the reader's error.
func (s *Scanner) need(n int) error {
	for len(s.buf)-s.pos < n {
		if err := s.more(); err != nil {
			return err
		}
	}
	return nil
}

// token cuts the token at pos, which stays where it is.
func (s *Scanner) token() (TokenKind, int, error) {
	for {
		if err := s.need(1); err != nil {
			return 0, 0, endWithin(err)
		}
		kind, n, err := cutToken(s.buf[s.pos:], s.readErr == io.EOF, !s.isOff)
		if err != errMore {
			return kind, n, err
		}
		if err := s.more(); err != nil && err != io.EOF {
			return 0, 0, err
		}
	}
}

// endWithin makes the end of the script an error.
func endWithin(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *Scanner) scanBlank() error {
	for {
		s.pos += run(s.buf[s.pos:], spaceByte)
		if s.pos < len(s.buf) {
			return s.check()
		}
		if err := s.more(); err == io.EOF {
			return s.check()
		} else if err != nil {
			return err
		}
	}
}

// check refuses bytes that pg_dump does not write between statements.
func (s *Scanner) check() error {
	return s.refuse(s.buf[s.start:s.pos], s.start)
}

// placedError is an error about a byte other than the first of the piece.
type placedError struct {
	at  int // in the piece
	err error
}

func (e *placedError) Error() string { return e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// refuse looks for bytes that pg_dump does not write outside quotes. Text
// starts at from in the buffer.
func (s *Scanner) refuse(text []byte, from int) error {
	if i := bytes.IndexByte(text, '\r'); i >= 0 {
		return &placedError{from + i - s.start, errCarriageReturn}
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return &placedError{from + i - s.start, errZero}
	}
	return nil
}

var (
	errCarriageReturn = errors.New("carriage return outside quotes: not as pg_dump wrote it, perhaps with its ends of lines changed")
	errZero           = errors.New("zero byte in SQL")
)

// place says where in the script an error about the piece is. The reader's own
// errors and the end stay as they are.
func (s *Scanner) place(err error) error {
	if err == io.EOF || err == s.readErr {
		return err
	}
	p := Piece{Offset: s.offset, Line: s.line}
	var placed *placedError
	if errors.As(err, &placed) {
		p.Offset += int64(placed.at)
		p.Line += int64(bytes.Count(s.buf[s.start:s.start+placed.at], newline))
		err = placed.err
	}
	return s.FormatError(p, err)
}
