package convert

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"

	"odx/dumpfmt/pgarchive"
)

// tableCounts count what was read of tables.
type tableCounts struct{ tables, rows, bytes, digests atomic.Int64 }

// rowReader gives each table what looks at its rows.
type rowReader struct {
	v       *verifier
	ctx     context.Context
	isUTF8  bool // the text is
	lookups *lookups
}

// Columns that are read of Odoo's own tables.
var (
	attachmentColumns = []string{"store_fname", "file_size", "checksum"}
	moduleColumns     = []string{"name", "state", "latest_version"}
)

// text gives what the text of a table is written to; nil for large objects.
func (r *rowReader) text(e *pgarchive.Entry, oid uint32) io.WriteCloser {
	if oid != 0 || e.Desc != pgarchive.DescTableData {
		return nil
	}
	where := tableName(e)
	isOdoo := e.Namespace.String == "public" && (e.Tag == "ir_attachment" || e.Tag == "ir_module_module")
	if !e.CopyStmt.Valid {
		if isOdoo {
			r.v.found.add(oddTables, where, place{}, "rows are INSERT statements, and files and modules are read from COPY text only")
		}
		return &tableText{v: r.v, entry: e}
	}
	o := pgarchive.CopyCheckOptions{UTF8: r.isUTF8, Wrong: func(f pgarchive.CopyFault) {
		r.v.found.addLazy(badRow, where, place{row: f.Row, offset: f.Offset, known: true}, f.String)
	}}
	t := &tableText{v: r.v, entry: e}
	switch {
	case !isOdoo:
	case e.Tag == "ir_attachment":
		b := &batcher{ctx: r.ctx, to: r.lookups, where: where}
		o.Pick, o.Row, t.end = attachmentColumns, b.row, b.flush
	default:
		o.Pick, o.Row = moduleColumns, r.v.modules.row
		t.end = r.v.modules.end
	}
	check, err := pgarchive.NewCopyCheck(e.CopyStmt.String, o)
	if err != nil {
		r.v.found.add(badData, where, place{}, err.Error())
	}
	t.check = check
	return t
}

func tableName(e *pgarchive.Entry) string { return e.Namespace.String + "." + e.Tag }

// tableText counts and checks the text of one table.
type tableText struct {
	v     *verifier
	entry *pgarchive.Entry
	check *pgarchive.CopyCheck // nil for INSERT statements
	end   func()               // may be nil
	bytes int64
}

func (t *tableText) Write(p []byte) (int, error) {
	t.bytes += int64(len(p))
	if t.check != nil {
		return t.check.Write(p)
	}
	return len(p), nil
}

// Close ends the table.
func (t *tableText) Close() error {
	if t.end != nil {
		t.end()
	}
	t.v.tables.tables.Add(1)
	t.v.tables.bytes.Add(t.bytes)
	rows := int64(-1)
	if t.check != nil {
		rows = t.check.Rows()
		t.v.tables.rows.Add(rows)
	}
	if t.v.Table != nil {
		schema, name, ok := t.entry.CopyTarget()
		if !ok {
			schema, name = t.entry.Namespace.String, t.entry.Tag
		}
		t.v.Table(schema, name, rows)
	}
	t.v.Meter.Item()
	return nil
}

// attachment is what a row of ir_attachment says of its file.
type attachment struct {
	row      int64
	fname    string
	size     int64 // -1 where it is NULL
	checksum string
}

// batcher passes rows of ir_attachment on, some at a time.
type batcher struct {
	ctx   context.Context
	to    *lookups
	where string
	rows  int64
	batch []attachment
}

// lookupBatch is how many attachments a worker looks up at once.
const lookupBatch = 512

func (b *batcher) row(values []pgarchive.NullString) {
	b.rows++
	a := attachment{row: b.rows, fname: values[0].String, size: -1, checksum: values[2].String}
	if n, err := strconv.ParseInt(values[1].String, 10, 64); err == nil && n >= 0 {
		a.size = n
	}
	if b.batch = append(b.batch, a); len(b.batch) == lookupBatch {
		b.flush()
	}
}

func (b *batcher) flush() {
	if len(b.batch) == 0 {
		return
	}
	select {
	case b.to.work <- b.batch:
	case <-b.ctx.Done():
	}
	b.batch = make([]attachment, 0, lookupBatch)
}

// sizes says that one size is not another.
func sizes(got, want int64) string { return fmt.Sprintf("%d bytes instead of %d", got, want) }
