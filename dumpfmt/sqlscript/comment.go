package sqlscript

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"odx/dumpfmt"
)

// checkEncoding refuses encodings that a script cannot be scanned in.
func checkEncoding(set []byte) error {
	_, rest, isQuoted := bytes.Cut(set, []byte("'"))
	name, end, isClosed := bytes.Cut(rest, []byte("'"))
	if !isQuoted || !isClosed || string(end) != ";\n" {
		return fmt.Errorf("setting is not as pg_dump writes it: %.80q", set)
	}
	if slices.Contains(embedding, string(name)) {
		return fmt.Errorf("%w: script in encoding %s; dump it in another one", dumpfmt.ErrUnsupported, name)
	}
	return nil
}

// commands are the lines for psql that pg_dump writes.
var commands = []string{`\restrict`, `\unrestrict`, `\connect`, `\encoding`}

// scanCommand finds the end of a line for psql.
func (s *Scanner) scanCommand() error {
	if s.last != '\n' {
		return errBackslash
	}
	end, err := s.lineEnd(0)
	if err != nil {
		return err
	}
	line := s.buf[s.start : s.start+end]
	name, rest, _ := bytes.Cut(bytes.TrimSuffix(line, newline), []byte(" "))
	switch {
	case !slices.Contains(commands, string(name)) || len(rest) == 0:
		return fmt.Errorf("psql command %.80q is not one that pg_dump writes", bytes.TrimSuffix(line, newline))
	case line[end-1] != '\n':
		return fmt.Errorf("psql command has no end: %w", io.ErrUnexpectedEOF)
	}
	s.pos = s.start + end
	return s.check()
}

// lineEnd gives the place after the line that starts at from, both counted
// from start. The last line may have no end of line.
func (s *Scanner) lineEnd(from int) (int, error) {
	looked := from
	for {
		if i := bytes.IndexByte(s.buf[s.start+looked:], '\n'); i >= 0 {
			return looked + i + 1, nil
		}
		looked = len(s.buf) - s.start
		if err := s.more(); err == io.EOF {
			return looked, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// scanComment finds the end of a comment line, or of a header.
func (s *Scanner) scanComment() (Kind, error) {
	end, err := s.lineEnd(0)
	if err != nil {
		return 0, err
	}
	s.pos = s.start + end
	if string(s.buf[s.start:s.pos]) != ruler || s.last != '\n' {
		return Comment, s.check()
	}
	size, err := s.headerLength()
	switch {
	case err != nil:
		return 0, err
	case size == 0:
		return Comment, nil
	}
	s.pos = s.start + size
	return HeaderComment, s.check()
}

// headerLength gives the length of the header at start, 0 if there is none.
func (s *Scanner) headerLength() (int, error) {
	from := len(ruler)
	for _, verbose := range []string{entryLine, dependenciesLine} {
		if end, err := s.lineEnd(from); err != nil {
			return 0, err
		} else if bytes.HasPrefix(s.buf[s.start+from:s.start+end], []byte(verbose)) {
			from = end
		}
	}
	isVerbose := from > len(ruler)
	end, err := s.lineEnd(from)
	if err != nil {
		return 0, err
	}
	if !isMainLine(s.buf[s.start+from : s.start+end]) {
		if isVerbose {
			return 0, errHeader
		}
		return 0, nil
	}
	if isVerbose {
		next, err := s.lineEnd(end)
		if err != nil {
			return 0, err
		}
		if isPlaceLine(s.buf[s.start+end : s.start+next]) {
			end = next
		}
	}
	for _, want := range []string{ruler, "\n"} {
		from = end
		if end, err = s.lineEnd(from); err != nil {
			return 0, err
		}
		if string(s.buf[s.start+from:s.start+end]) != want {
			return 0, errHeader
		}
	}
	return end, nil
}

var errHeader = errors.New("header of an item is not as pg_dump writes it")
