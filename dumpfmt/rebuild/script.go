package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"odx/dumpfmt/sqlscript"
)

// script is a script with the piece that comes next.
type script struct {
	sc    *sqlscript.Scanner
	piece sqlscript.Piece // its data are valid until next
	isEnd bool            // there is no piece left
}

// isConforming tells whether standard_conforming_strings is on.
func (s *script) isConforming() bool { return s.sc.Conforming() }

// next goes on to the next piece.
func (s *script) next() error {
	p, err := s.sc.Next()
	if err == io.EOF {
		s.isEnd = true
		s.piece = sqlscript.Piece{Offset: s.piece.Offset + int64(len(s.piece.Data)), Line: s.piece.Line}
		return nil
	}
	s.piece = p
	return err
}

func (s *script) is(k sqlscript.Kind) bool { return !s.isEnd && s.piece.Kind == k }

// has tells whether the next piece is of this kind and starts so.
func (s *script) has(k sqlscript.Kind, prefix string) bool {
	return s.is(k) && bytes.HasPrefix(s.piece.Data, []byte(prefix))
}

// accept goes past the next piece if it is this text.
func (s *script) accept(text string) (bool, error) {
	if s.isEnd || string(s.piece.Data) != text {
		return false, nil
	}
	return true, s.next()
}

// expect goes past pieces with these texts.
func (s *script) expect(texts ...string) error {
	for _, text := range texts {
		ok, err := s.accept(text)
		if err != nil {
			return err
		}
		if !ok {
			return s.unexpected(fmt.Sprintf("%q", text))
		}
	}
	return nil
}

// line takes the next piece, without this prefix and the end of line.
func (s *script) line(k sqlscript.Kind, prefix string) (string, error) {
	if !s.has(k, prefix) || s.piece.Data[len(s.piece.Data)-1] != '\n' {
		return "", s.unexpected(fmt.Sprintf("%q", prefix))
	}
	text := string(s.piece.Data[len(prefix) : len(s.piece.Data)-1])
	return text, s.next()
}

// unexpected is an error about the next piece, where something else should be.
func (s *script) unexpected(want string) error {
	if s.isEnd {
		return s.fail(fmt.Errorf("script ends where %s should be: %w", want, io.ErrUnexpectedEOF))
	}
	return s.fail(fmt.Errorf("%s %.80q where %s should be", s.piece.Kind, s.piece.Data, want))
}

// fail places an error at the next piece.
func (s *script) fail(err error) error { return s.sc.FormatError(s.piece, err) }

var errOwnerEdited = errors.New("statement about the owner is not as pg_dump writes it")

// inHeader replaces what pg_dump does not print in headers.
var inHeader = strings.NewReplacer("\n", " ", "\r", " ")

// sanitize makes a name fit for a header, as pg_dump does.
func sanitize(name string) string { return inHeader.Replace(name) }
