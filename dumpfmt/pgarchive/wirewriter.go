package pgarchive

import (
	"bufio"
	"fmt"
	"strconv"

	"odx/dumpfmt"
)

// wireWriter writes what wireReader reads. Its errors stay as well.
type wireWriter struct {
	bw               *bufio.Writer
	intSize, offSize int
	entry            int
	err              error
	number           [1 + 8]byte // here so that writing from it allocates nothing
	scratch          []byte
}

func (w *wireWriter) failf(field, format string, args ...any) {
	if w.err != nil {
		return
	}
	what := "header"
	if w.entry >= 0 {
		what = "entry " + strconv.Itoa(w.entry+1)
	}
	w.err = fmt.Errorf("write table of contents: %s, %s: %w", what, field, fmt.Errorf(format, args...))
}

func (w *wireWriter) full(p []byte) {
	if w.err == nil {
		_, w.err = w.bw.Write(p)
	}
}

func (w *wireWriter) byte(b byte) {
	if w.err == nil {
		w.err = w.bw.WriteByte(b)
	}
}

func (w *wireWriter) int32(field string, v int32) {
	b := &w.number
	b[0] = 0
	u := uint64(v)
	if v < 0 {
		b[0] = 1
		u = uint64(-int64(v))
	}
	if w.intSize < 4 && u>>(8*w.intSize) != 0 {
		w.failf(field, "%d does not fit into %d bytes", v, w.intSize)
		return
	}
	for i := 1; i <= w.intSize; i++ {
		b[i] = byte(u)
		u >>= 8
	}
	w.full(b[:1+w.intSize])
}

func (w *wireWriter) bool(field string, v bool) {
	if v {
		w.int32(field, 1)
		return
	}
	w.int32(field, 0)
}

func (w *wireWriter) string(field, s string) {
	if len(s) > dumpfmt.MaxString {
		w.failf(field, "string length %d exceeds %d", len(s), dumpfmt.MaxString)
		return
	}
	w.int32(field, int32(len(s)))
	if w.err == nil {
		_, w.err = w.bw.WriteString(s)
	}
}

func (w *wireWriter) nullString(field string, s NullString) {
	if !s.Valid {
		w.int32(field, -1)
		return
	}
	w.string(field, s.String)
}

func (w *wireWriter) uint(field string, v uint64) {
	w.scratch = strconv.AppendUint(w.scratch[:0], v, 10)
	w.int32(field, int32(len(w.scratch)))
	w.full(w.scratch)
}

func (w *wireWriter) bigOffset(field string, o Offset) {
	v := uint64(o.Pos)
	if o.Pos < 0 || w.offSize < 8 && v>>(8*w.offSize) != 0 {
		w.failf(field, "%d does not fit into %d bytes", o.Pos, w.offSize)
		return
	}
	w.byte(byte(o.State))
	for range w.offSize {
		w.byte(byte(v))
		v >>= 8
	}
}
