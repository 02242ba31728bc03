package sqlscript

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// endMark is the line that ends the rows. It can be no row: COPY doubles each
// backslash.
var endMark = []byte("\\.\n")

// markedLine is an end of line and the end mark.
var markedLine = []byte("\n\\.\n")

// scanRows finds the next slice of rows, or the line that ends them. A slice
// is whole rows, as many as there are in the buffer, or a part of a row that
// fills the buffer.
func (s *Scanner) scanRows() (Kind, error) {
	for {
		text := s.buf[s.start:]
		if !s.inLongRow && bytes.HasPrefix(text, endMark) {
			s.pos = s.start + len(endMark)
			s.inRows = false
			return RowsEnd, nil
		}
		if n := rowsLength(text); n > 0 {
			s.pos = s.start + n
			s.inLongRow = false
			return Rows, nil
		}
		if len(text) == cap(s.buf) {
			s.pos = len(s.buf)
			s.inLongRow = true
			return Rows, nil
		}
		if err := s.read(); err == io.EOF {
			return 0, fmt.Errorf("rows without an end mark: %w", io.ErrUnexpectedEOF)
		} else if err != nil {
			return 0, err
		}
	}
}

// rowsLength gives the length of the rows at the start of text that are whole
// and have no end mark before them.
func rowsLength(text []byte) int {
	// The first end of line is found fast, the last one is not.
	if bytes.IndexByte(text, '\n') < 0 {
		return 0
	}
	if i := indexMarked(text); i >= 0 {
		return i + 1
	}
	return bytes.LastIndexByte(text, '\n') + 1
}

// indexMarked gives the first place of markedLine in text, -1 if there is none.
// It looks at sixteen places at a time: bytes.Index stops at each end of line
// and so is slow where rows are short.
func indexMarked(text []byte) int {
	const places = 16
	i := 0
	for ; i+places-1+len(markedLine) <= len(text); i += places {
		p := text[i : i+places-1+len(markedLine)]
		if startsMark(p)|startsMark(p[places/2:]) == 0 {
			continue
		}
		if n := bytes.Index(p, markedLine); n >= 0 {
			return i + n
		}
	}
	if n := bytes.Index(text[i:], markedLine); n >= 0 {
		return i + n
	}
	return -1
}

// startsMark is 0 if at none of the first eight places of p, which has ten bytes
// at least, the first three bytes of markedLine start.
func startsMark(p []byte) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	// A byte of it is zero where all three are those of the mark.
	differ := (binary.LittleEndian.Uint64(p) ^ '\n'*ones) |
		(binary.LittleEndian.Uint64(p[1:]) ^ '\\'*ones) |
		(binary.LittleEndian.Uint64(p[2:]) ^ '.'*ones)
	return (differ - ones) &^ differ & highs
}
