package pgtool

import (
	"bytes"
	"strings"
)

// MaxLine is the most of one line of stderr that is kept, in bytes. The rest
// of a longer line is dropped; pg_restore prints whole statements in one.
const MaxLine = 64 << 10

const (
	tailLines = 20
	tailBytes = 2000 // of each line in the tail
)

// lineWriter cuts what is written to it into lines, passes them on and keeps
// the last ones. Its Write never fails. It is used by one goroutine at a time.
type lineWriter struct {
	each func(line string) // may be nil
	buf  []byte            // the unfinished line, at most MaxLine
	tail []string

	failure string // the first line that says error
	after   int    // lines since then
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, complete := bytes.Cut(p, []byte{'\n'})
		w.buf = append(w.buf, part[:min(len(part), MaxLine-len(w.buf))]...)
		if complete {
			w.emit()
		}
		p = rest
	}
	return n, nil
}

// flush passes on a last line that has no newline.
func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.emit()
	}
}

func (w *lineWriter) emit() {
	line := string(bytes.TrimSuffix(w.buf, []byte{'\r'}))
	w.buf = w.buf[:0]
	if len(w.tail) == tailLines {
		w.tail = append(w.tail[:0], w.tail[1:]...)
	}
	short := line
	if len(short) > tailBytes {
		short = strings.ToValidUTF8(short[:tailBytes], "") + "..."
	}
	w.tail = append(w.tail, short)
	if w.failure != "" {
		w.after++
	} else if saysError(short) {
		w.failure = short
	}
	if w.each != nil {
		w.each(line)
	}
}

// text gives the last lines, and before them the first that says error: the
// statement that failed may be longer than what is kept.
func (w *lineWriter) text() string {
	text := strings.Join(w.tail, "\n")
	if w.after >= tailLines {
		text = w.failure + "\n...\n" + text
	}
	return text
}
