package pgload

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
)

// largeObject is where a piece of a large object belongs.
type largeObject struct {
	oid    uint32
	offset int64
	make   bool // the object may have to be made first
}

// LargeObject starts the content of a large object, which is made if the dump
// has not made it, by the role that the statement sets ("" for the session's own).
// Close does not wait for what is still being loaded.
func (f *Feeder) LargeObject(oid uint32, role string) io.WriteCloser {
	return &objectWriter{chunker: chunker{f: f, at: -1, target: Target{Name: fmt.Sprintf("large object %d", oid), Role: role}}, oid: oid}
}

// objectWriter cuts the content of a large object into pieces.
type objectWriter struct {
	chunker
	oid  uint32
	done int64 // bytes handed on
}

func (w *objectWriter) Write(p []byte) (int, error) {
	return w.fill(p, func() error { return w.piece(false) })
}

// piece hands on the buffer. Before others are loaded the first one makes the
// object.
func (w *objectWriter) piece(isLast bool) error {
	isFirst := w.done == 0
	w.object = &largeObject{oid: w.oid, offset: w.done, make: isFirst}
	part := chunk{text: w.buf}
	w.done += int64(len(w.buf))
	w.buf = nil
	if isLast || !isFirst {
		return w.put(part, -1, true)
	}
	part.used = make(chan struct{})
	if err := w.put(part, -1, true); err != nil {
		return err
	}
	if err := w.f.wait(part.used); err != nil {
		return err
	}
	w.f.release(chunk{text: part.text})
	return nil
}

// Close hands on what is left, and makes an empty object too.
func (w *objectWriter) Close() error {
	if len(w.buf) == 0 && w.done > 0 {
		w.drop()
		return nil
	}
	if err := w.room(); err != nil {
		return err
	}
	return w.piece(true)
}

// The types of parameters.
const (
	oidType   = 26
	int8Type  = 20
	byteaType = 17
)

const (
	makeObject = "SELECT pg_catalog.lo_create($1) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata WHERE oid = $1)"
	putObject  = "SELECT pg_catalog.lo_put($1, $2, $3)"
)

// write writes a piece into the object.
func (o *largeObject) write(ctx context.Context, c *pgconn.PgConn, content []byte) error {
	oid := binary.BigEndian.AppendUint32(nil, o.oid)
	offset := binary.BigEndian.AppendUint64(nil, uint64(o.offset))
	binaryFormat := []int16{1}
	if o.make {
		r := c.ExecParams(ctx, makeObject, [][]byte{oid}, []uint32{oidType}, binaryFormat, nil).Read()
		if r.Err != nil || len(content) == 0 {
			return r.Err
		}
	}
	return c.ExecParams(ctx, putObject, [][]byte{oid, offset, content},
		[]uint32{oidType, int8Type, byteaType}, binaryFormat, nil).Read().Err
}
