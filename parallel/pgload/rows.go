package pgload

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"odx/dumpfmt"
)

// copyEnd is what ends the COPY text of a table. It is no row: the server gets
// it neither from pg_restore's COPY nor from this one's.
const copyEnd = "\\.\n\n\n"

// rows cuts COPY text at the ends of rows.
type rows struct{ chunker }

func (w *rows) Write(p []byte) (int, error) { return w.fill(p, w.cut) }

// cut hands on the whole rows of a full buffer or, if there is none in it, what
// there is of one. The end mark always stays.
func (w *rows) cut() error {
	keep := len(w.buf) - len(copyEnd)
	if w.f.loader.opts.Ordered {
		return w.send(keep, false)
	}
	if end := bytes.LastIndexByte(w.buf[:keep], '\n') + 1; end > 0 {
		return w.send(end, true)
	}
	return w.send(keep, false)
}

// Close hands on what is left.
func (w *rows) Close() error {
	text, isWhole := bytes.CutSuffix(w.buf, []byte(copyEnd))
	if !isWhole || len(text) > 0 && text[len(text)-1] != '\n' {
		return &dumpfmt.FormatError{Path: w.target.Name, Offset: -1,
			Err: fmt.Errorf("%w: %w", errNoEnd, io.ErrUnexpectedEOF)}
	}
	w.buf = text
	if len(text) > 0 {
		return w.send(len(text), true)
	}
	w.end()
	w.drop()
	return nil
}

var errNoEnd = errors.New("rows do not end with an end mark")

// statements cuts between INSERT statements.
type statements struct{ chunker }

// statementsSize is the text of statements in bytes that is run at once: the
// server parses all of it before it runs any.
const statementsSize = 1 << 20

func (w *statements) Write(p []byte) (int, error) {
	if len(w.buf) > 0 && len(w.buf)+len(p) > statementsSize {
		if err := w.send(len(w.buf), !w.f.loader.opts.Ordered); err != nil {
			return 0, err
		}
	}
	if len(p) > pieceSize {
		return len(p), w.long(p)
	}
	if err := w.room(); err != nil {
		return 0, err
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// long loads a long statement. Nothing else is read meanwhile, so there is one
// in memory at a time.
func (w *statements) long(p []byte) error {
	at, used := w.at, make(chan struct{})
	if at >= 0 {
		w.at += int64(len(p))
	}
	if err := w.put(chunk{p, used}, at, !w.f.loader.opts.Ordered); err != nil {
		return err
	}
	return w.f.wait(used)
}

// Close hands on what is left.
func (w *statements) Close() error {
	if len(bytes.TrimSpace(w.buf)) > 0 {
		return w.send(len(w.buf), true)
	}
	w.end()
	w.drop()
	return nil
}
