package pgcopy

import (
	"io"
	"runtime"
)

// longRow is the length from which a row's buffer is worth a collection of
// garbage, in bytes.
const longRow = 8 << 20

// longRows keeps the memory of long rows to two for each connection: the last
// one, which pgx still refers to, and the one that is arriving. Each has a buffer
// of its own, and the collector on its own would let several pass before it
// looks. It is for one goroutine.
type longRows struct {
	src   io.Reader
	stale bool // the buffer of a long row was passed on
}

// through makes the connection be read through l.
func (l *longRows) through(src io.Reader) io.Reader {
	l.src = src
	return l
}

// seen notes the length of a row.
func (l *longRows) seen(n int) { l.stale = l.stale || n >= longRow }

// Read reads from the connection. When it is called after a long row, the
// buffer of the next is not made yet.
func (l *longRows) Read(p []byte) (int, error) {
	if l.stale && len(p) < longRow {
		runtime.GC()
		l.stale = false
	}
	return l.src.Read(p)
}
