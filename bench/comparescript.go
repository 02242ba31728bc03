package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// CompareScripts compares what pg_dump wrote as plain text, byte by byte but for
// the key of the \restrict and \unrestrict lines, which is new in every dump; a
// client that writes no such lines equals one that does. Lines may have any
// length; of a long one no more than 1 MiB is in memory. It returns a
// [*DifferenceError] with the first differences, or the error of a reader.
//
// Where a line differs, the comparison goes on with the next line of both; it
// does not look for lines that were put in or left out.
func CompareScripts(a, b io.Reader) error {
	left, right := newScript(a), newScript(b)
	var d differences
	for d.count < maxDifferences {
		errA, errB := left.next(), right.next()
		if err := errors.Join(ignoreEOF(errA), ignoreEOF(errB)); err != nil {
			return err
		}
		switch {
		case errA != nil && errB != nil:
			return d.err("compare scripts")
		case errA != nil || errB != nil:
			d.add("line %d of one: %s\nline %d of the other: %s", left.line, left.excerpt(0, errA), right.line, right.excerpt(0, errB))
			return d.err("compare scripts")
		case bytes.Equal(left.piece, right.piece):
			continue
		}
		at := common(left.piece, right.piece)
		d.add("after %q\nline %d of one: %s\nline %d of the other: %s",
			left.before, left.line, left.excerpt(at, nil), right.line, right.excerpt(at, nil))
		if err := errors.Join(ignoreEOF(left.skip()), ignoreEOF(right.skip())); err != nil {
			return err
		}
	}
	return d.err("compare scripts")
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// maxPiece is how much of a line is looked at in one go.
const maxPiece = 1 << 20

// script reads a script in lines, very long lines in pieces.
type script struct {
	r      *bufio.Reader
	piece  []byte
	line   int    // of the piece, from 1
	before string // beginning of the line before
	whole  bool   // the piece ends its line
	key    []byte // of the \restrict line
}

func newScript(r io.Reader) *script { return &script{r: bufio.NewReaderSize(r, maxPiece), whole: true} }

// next reads the next piece that is to be compared.
func (s *script) next() error {
	for {
		first := s.whole
		if first {
			s.before = string(s.piece[:min(len(s.piece), 80)])
			s.line++
		}
		piece, err := s.r.ReadSlice('\n')
		if err == io.EOF && len(piece) > 0 {
			err = nil
		}
		s.whole = err != bufio.ErrBufferFull
		if err != nil && s.whole {
			s.piece = nil
			return err
		}
		s.piece = piece
		if !first || !s.restrict() {
			return nil
		}
	}
}

// restrict tells whether the piece is the line that opens or closes psql's
// restricted mode. Rows may look like such a line, but only the first one, which
// comes before all rows, names the key.
func (s *script) restrict() bool {
	line := bytes.TrimSuffix(s.piece, []byte("\n"))
	if key, ok := bytes.CutPrefix(line, []byte(`\restrict `)); ok && s.key == nil {
		s.key = bytes.Clone(key)
		return true
	}
	key, ok := bytes.CutPrefix(line, []byte(`\unrestrict `))
	return ok && s.key != nil && bytes.Equal(key, s.key)
}

// skip reads to the end of a line of which only a piece was read.
func (s *script) skip() error {
	for !s.whole {
		if err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// excerpt shows the piece around a position.
func (s *script) excerpt(at int, err error) string {
	if err != nil {
		return "(the end)"
	}
	from, to := max(0, at-60), min(len(s.piece), at+100)
	return fmt.Sprintf("%s%q%s", choose(from > 0, "…", ""), s.piece[from:to], choose(to < len(s.piece), "…", ""))
}
