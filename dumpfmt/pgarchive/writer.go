package pgarchive

import (
	"bufio"
	"fmt"
	"io"

	"odx/dumpfmt"
)

// WriteTOC writes t as pg_dump does, in the version and format of its header.
// What an older version has no field for is left out. The errors are those of
// w, or say which field cannot be written.
func WriteTOC(w io.Writer, t *TOC) error {
	wr := &wireWriter{bw: bufio.NewWriterSize(w, wireBuffer), entry: -1}
	wr.writeHeader(&t.Header)
	if len(t.Entries) > dumpfmt.MaxEntries {
		wr.failf("number of entries", "%d exceeds %d", len(t.Entries), dumpfmt.MaxEntries)
	}
	wr.int32("number of entries", int32(len(t.Entries)))
	for i := range t.Entries {
		wr.entry = i
		wr.writeEntry(&t.Header, &t.Entries[i])
		if wr.err != nil {
			return wr.err
		}
	}
	if wr.err != nil {
		return wr.err
	}
	if err := wr.bw.Flush(); err != nil {
		return fmt.Errorf("write table of contents: %w", err)
	}
	return nil
}

func (w *wireWriter) writeHeader(h *Header) {
	w.checkHeader(h)
	w.full([]byte(magic))
	w.full([]byte{h.Version.Major, h.Version.Minor, h.Version.Rev})
	w.byte(h.IntSize)
	w.byte(h.OffSize)
	w.intSize, w.offSize = int(h.IntSize), int(h.OffSize)
	w.byte(byte(h.Format))
	if h.Version.hasAlgorithm() {
		w.byte(byte(h.Algorithm))
	} else {
		w.int32("compression level", h.Level)
	}
	w.int32("second", h.Time.Sec)
	w.int32("minute", h.Time.Min)
	w.int32("hour", h.Time.Hour)
	w.int32("day", h.Time.Day)
	w.int32("month", h.Time.Month)
	w.int32("year", h.Time.Year)
	w.int32("daylight saving time", h.Time.IsDST)
	w.nullString("database name", h.Database)
	w.nullString("server version", h.ServerVersion)
	w.nullString("pg_dump version", h.DumpVersion)
}

func (w *wireWriter) checkHeader(h *Header) {
	switch {
	case h.Version.Major != newest.Major, !newest.AtLeast(h.Version), !h.Version.AtLeast(oldest):
		w.failf("version", "%w: archive version %s", dumpfmt.ErrUnsupported, h.Version)
	case h.IntSize < 1, h.IntSize > 8:
		w.failf("integer size", "%d bytes", h.IntSize)
	case h.OffSize < 1, h.OffSize > 8:
		w.failf("offset size", "%d bytes", h.OffSize)
	case h.Format != FormatCustom && h.Format != FormatTar:
		w.failf("format", "%w: %s", dumpfmt.ErrUnsupported, h.Format)
	}
}

func (w *wireWriter) writeEntry(h *Header, e *Entry) {
	v := h.Version
	if e.ID < 1 {
		w.failf("dump ID", "%d is not above 0", e.ID)
	}
	w.int32("dump ID", int32(e.ID))
	w.bool("data flag", e.HadDumper)
	w.uint("catalog OID", uint64(e.TableOID))
	w.uint("OID", uint64(e.OID))
	w.string("tag", e.Tag)
	w.string("kind", e.Desc)
	if v.hasSection() {
		w.int32("section", int32(e.Section))
	}
	w.nullString("definition", e.Defn)
	w.nullString("drop statement", e.DropStmt)
	w.nullString("copy statement", e.CopyStmt)
	w.nullString("schema", e.Namespace)
	w.nullString("tablespace", e.Tablespace)
	if v.hasTableAM() {
		w.nullString("table access method", e.TableAM)
	}
	if v.hasRelKind() {
		w.int32("relkind", int32(e.RelKind))
	}
	w.nullString("owner", e.Owner)
	w.oids("with OIDs", e.WithOIDs)
	w.dependencies("dependencies", e.Dependencies)
	if h.Format == FormatCustom {
		w.bigOffset("data offset", e.Offset)
	} else {
		w.string("file name", e.File)
	}
}

func (w *wireWriter) oids(field string, v bool) {
	if v {
		w.string(field, "true")
		return
	}
	w.string(field, "false")
}

func (w *wireWriter) dependencies(field string, ids []DumpID) {
	for _, id := range ids {
		if id < 0 {
			w.failf(field, "%d is below 0", id)
			return
		}
		w.uint(field, uint64(id))
	}
	w.nullString(field, NullString{})
}
