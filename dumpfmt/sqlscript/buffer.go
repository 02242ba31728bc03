package sqlscript

import (
	"fmt"
	"io"

	"odx/dumpfmt"
)

// more reads on until the buffer is full, or there is a good deal more in it, or
// the input ends. It gives an error only if it got nothing: io.EOF at the end.
// What is in the buffer from start on stays, start and pos move with it.
func (s *Scanner) more() error {
	if s.readErr != nil {
		return s.readErr
	}
	if kept := len(s.buf) - s.start; kept > cap(s.buf)/2 && cap(s.buf)-kept < rowsBuffer {
		if err := s.grow(); err != nil {
			return err
		}
	}
	return s.read()
}

// read is more in the buffer as it is, which is not full from start on.
func (s *Scanner) read() error {
	if s.readErr != nil {
		return s.readErr
	}
	to := s.buf[:cap(s.buf)]
	if s.offset > 0 && cap(s.buf) < rowsBuffer {
		to = make([]byte, rowsBuffer)
	}
	s.buf = to[:copy(to, s.buf[s.start:])]
	s.pos -= s.start
	s.start = 0
	from := len(s.buf)
	// Of a buffer that a long statement made grow only some is filled at a time:
	// memory that nothing was read into costs nothing.
	full := min(cap(s.buf), from+max(from/4, longBuffer))
	for empty := 0; len(s.buf) < full; {
		n, err := s.r.Read(s.buf[len(s.buf):full])
		s.buf = s.buf[:len(s.buf)+n]
		if err != nil {
			s.readErr = err
			break
		}
		if n > 0 {
			empty = 0
		} else if empty++; empty >= maxEmptyReads {
			s.readErr = io.ErrNoProgress
			break
		}
	}
	if len(s.buf) == from {
		return s.readErr
	}
	return nil
}

// maxEmptyReads is how often in a row a reader may give nothing and no error.
const maxEmptyReads = 100

// longBuffer is the size in bytes from which a buffer has grown for a long
// statement.
const longBuffer = 16 * rowsBuffer

// grow makes the buffer larger for a piece that fills it: a long one in few
// steps, since each leaves the buffer before it as garbage.
func (s *Scanner) grow() error {
	kept := s.buf[s.start:]
	if len(kept) > dumpfmt.MaxString {
		return fmt.Errorf("statement is longer than %d bytes", dumpfmt.MaxString)
	}
	factor := 2
	if cap(s.buf) >= longBuffer {
		factor = 4
	}
	grown := make([]byte, len(kept), factor*cap(s.buf))
	copy(grown, kept)
	s.buf = grown
	s.pos -= s.start
	s.start = 0
	return nil
}

// shrink gives a buffer back that a long statement made grow, after a short
// one: long ones often come in a row.
func (s *Scanner) shrink(last int) {
	if rest := s.buf[s.start:]; cap(s.buf) > longBuffer && last < cap(s.buf)/8 && len(rest) < rowsBuffer {
		s.buf = append(make([]byte, 0, rowsBuffer), rest...)
		s.pos, s.start = 0, 0
	}
}
