package pgarchive

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"odx/dumpfmt"
)

// The ends of the data of a table as pg_dump writes them.
const (
	copyMark  = "\\.\n"           // ends COPY text, alone on its line
	copyEnd   = copyMark + "\n\n" // ends the data
	insertEnd = "\n\n"            // ends the data of --inserts
	stmtEnd   = ";\n"             // ends each statement of --inserts
)

// maxTextEnd is how much of a file's end says whether the text is whole.
const maxTextEnd = 64

// textEnd sees the text of one table pass and tells whether it ends right. The
// mark can be no row: COPY doubles each backslash.
type textEnd struct {
	kind  contentKind
	total int64
	mark  int64  // offset of the first end mark, -1 before
	tail  []byte // the last bytes, at most len(copyEnd)+1
	room  [16]byte
}

func newTextEnd(kind contentKind) *textEnd {
	t := &textEnd{kind: kind, mark: -1}
	t.tail = t.room[:0]
	return t
}

// skip counts text that is not looked at. It must come first.
func (t *textEnd) skip(n int64) { t.total += n }

func (t *textEnd) write(p []byte) {
	if t.kind == copyText && t.mark < 0 {
		t.findMark(p)
	}
	t.total += int64(len(p))
	const keep = len(copyEnd) + 1
	if len(p) >= keep {
		t.tail = append(t.room[:0], p[len(p)-keep:]...)
		return
	}
	if over := len(t.tail) + len(p) - keep; over > 0 {
		t.tail = append(t.room[:0], t.tail[over:]...)
	}
	t.tail = append(t.tail, p...)
}

// findMark looks for a line with the end mark in p, and across the border to
// the text before.
func (t *textEnd) findMark(p []byte) {
	const line = "\n" + copyMark
	border := make([]byte, 0, 32)
	if t.total == int64(len(t.tail)) {
		border = append(border, '\n') // the first line needs no line before it
	}
	border = append(border, t.tail...)
	before := t.total - int64(len(border))
	border = append(border, p[:min(len(p), len(line))]...)
	if i := bytes.Index(border, []byte(line)); i >= 0 {
		t.mark = before + int64(i) + 1
		return
	}
	// Backslashes are rarer than ends of line, and looking for one byte is much
	// faster than for several.
	for from := 0; ; from++ {
		i := bytes.IndexByte(p[from:], copyMark[0])
		if i < 0 {
			return
		}
		from += i
		if from > 0 && p[from-1] == '\n' && bytes.HasPrefix(p[from:], []byte(copyMark)) {
			t.mark = t.total + int64(from)
			return
		}
	}
}

// error says what is wrong with the end of the text, after all of it.
func (t *textEnd) error(it item) error {
	var err error
	switch t.kind {
	case copyText:
		err = t.copyError()
	case insertText:
		if !bytes.HasSuffix(t.tail, []byte(stmtEnd+insertEnd)) && string(t.tail) != insertEnd {
			err = fmt.Errorf("INSERT statements do not end as pg_dump ends them: %w", io.ErrUnexpectedEOF)
		}
	}
	if err != nil {
		return &dumpfmt.FormatError{Path: it.file, Offset: -1, Err: fmt.Errorf("%w (%s)", err, it.entry.describe())}
	}
	return nil
}

func (t *textEnd) copyError() error {
	end := t.mark + int64(len(copyEnd))
	switch {
	case t.mark < 0 && t.total == 0:
		return fmt.Errorf("no text at all, not even an end mark: %w", io.ErrUnexpectedEOF)
	case t.mark < 0:
		return fmt.Errorf("text ends without an end mark: %w", io.ErrUnexpectedEOF)
	case t.total < end:
		return fmt.Errorf("text ends within its end mark: %w", io.ErrUnexpectedEOF)
	case t.total > end:
		return fmt.Errorf("%d bytes of text after the end mark at byte %d", t.total-end, t.mark)
	case !bytes.HasSuffix(t.tail, []byte(copyEnd)):
		return errors.New("text has something else than two empty lines after its end mark")
	}
	return nil
}
