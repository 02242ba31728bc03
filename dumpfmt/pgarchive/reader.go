package pgarchive

import (
	"fmt"
	"io"
	"math"

	"odx/dumpfmt"
)

// magic starts every archive.
const magic = "PGDMP"

// firstEntries bounds what is allocated on the word of the header alone.
const firstEntries = 1 << 14

// minEntry is what the smallest entry takes: fourteen integers and strings,
// two digits, a truth value and the place of the data.
func (h *Header) minEntry() int64 { return 14*(1+int64(h.IntSize)) + 8 }

// ReadTOC reads the table of contents that r starts with. The path is for
// errors; size is that of the whole input in bytes, or -1 if it is not known.
// ReadTOC may take more from r than the TOC. A directory-format TOC must be
// followed by nothing.
//
// Errors about the content are a *dumpfmt.FormatError; that of an archive
// version beyond this package matches dumpfmt.ErrUnsupported. What WriteTOC
// writes of a TOC so read is what was read. Memory is that of the strings and
// about 300 bytes for each entry.
func ReadTOC(r io.Reader, path string, size int64) (*TOC, error) {
	t, _, err := readTOC(r, path, size)
	return t, err
}

// readTOC also gives the offset of the first byte behind the TOC.
func readTOC(src io.Reader, path string, size int64) (*TOC, int64, error) {
	return readLimitedTOC(src, path, size, dumpfmt.MaxTOC)
}

// readLimitedTOC refuses a TOC of more than limit bytes.
func readLimitedTOC(src io.Reader, path string, size, limit int64) (*TOC, int64, error) {
	r := newWireReader(src, path, size)
	r.limit = limit
	t := &TOC{}
	r.readHeader(&t.Header)
	r.readEntries(t)
	if r.err == nil && t.Header.Format == FormatTar {
		if _, err := r.br.ReadByte(); err == nil {
			r.err = &dumpfmt.FormatError{Path: path, Offset: r.offset,
				Err: fmt.Errorf("more after the last of %d entries", len(t.Entries))}
		} else if err != io.EOF {
			r.failRead("end", r.offset, err)
		}
	}
	if r.err != nil {
		return nil, 0, r.err
	}
	return t, r.offset, nil
}

func (r *wireReader) readHeader(h *Header) {
	r.readVersion(h)
	if r.err != nil {
		return
	}
	h.IntSize = r.size8("integer size")
	h.OffSize = r.size8("offset size")
	r.intSize, r.offSize = int(h.IntSize), int(h.OffSize)
	h.Format = r.format("format")
	if h.Version.hasAlgorithm() {
		h.Algorithm = r.algorithm("compression algorithm")
	} else {
		h.Level = r.int32("compression level")
	}
	h.Time = Tm{
		Sec:   r.int32("second"),
		Min:   r.int32("minute"),
		Hour:  r.int32("hour"),
		Day:   r.int32("day"),
		Month: r.int32("month"),
		Year:  r.int32("year"),
		IsDST: r.int32("daylight saving time"),
	}
	h.Database = r.nullString("database name")
	h.ServerVersion = r.nullString("server version")
	h.DumpVersion = r.nullString("pg_dump version")
}

func (r *wireReader) readVersion(h *Header) {
	var m [len(magic)]byte
	r.full("magic", m[:])
	if r.err == nil && string(m[:]) != magic {
		r.failf("magic", 0, "%q instead of %q: not an archive of pg_dump", m, magic)
		return
	}
	start := r.offset
	h.Version = Version{
		Major: r.byte("version"),
		Minor: r.byte("version"),
		Rev:   r.byte("version"),
	}
	switch v := h.Version; {
	case r.err != nil:
	case v.Major != newest.Major, !newest.AtLeast(v):
		r.failf("version", start, "%w: archive version %s; this odx reads %s to %s (up to pg_dump %d): "+
			"use a newer odx, or the pg_restore of PostgreSQL %d or later",
			dumpfmt.ErrUnsupported, v, oldest, newest, newestPostgres, newestPostgres+1)
	case !v.AtLeast(oldest):
		r.failf("version", start, "%w: archive version %s, from before PostgreSQL 8.0; this odx reads %s to %s",
			dumpfmt.ErrUnsupported, v, oldest, newest)
	}
}

// size8 reads the size of a number in bytes. pg_dump writes 4 for integers
// and 8 (on old 32-bit machines 4) for offsets.
func (r *wireReader) size8(field string) uint8 {
	start := r.offset
	n := r.byte(field)
	if n < 1 || n > 8 {
		r.failf(field, start, "%d bytes", n)
		return 1
	}
	return n
}

func (r *wireReader) format(field string) Format {
	start := r.offset
	f := Format(r.byte(field))
	if r.err == nil && f != FormatCustom && f != FormatTar {
		r.failf(field, start, "%d is neither custom (%d) nor tar (%d)", f, FormatCustom, FormatTar)
	}
	return f
}

func (r *wireReader) algorithm(field string) Compression {
	start := r.offset
	c := Compression(r.byte(field))
	if r.err == nil && c > Zstd {
		r.failf(field, start, "%w: %s", dumpfmt.ErrUnsupported, c)
	}
	return c
}

func (r *wireReader) readEntries(t *TOC) {
	start := r.offset
	count := int(r.between("number of entries", 0, dumpfmt.MaxEntries))
	if r.err != nil {
		return
	}
	if r.size >= 0 && int64(count) > (r.size-r.offset)/t.Header.minEntry() {
		r.failf("number of entries", start, "%d, but only %d bytes left", count, r.size-r.offset)
		return
	}
	first := min(count, firstEntries)
	if r.size >= 0 && t.Header.Format == FormatTar {
		first = count // the file is nothing but entries, and long enough for them
	}
	t.Entries = make([]Entry, 0, first)
	seen := make(map[DumpID]int, first)
	deps := &depSlab{}
	for i := 0; i < count && r.err == nil; i++ {
		r.entry = i
		start := r.offset
		e := r.readEntry(&t.Header, deps)
		if other, ok := seen[e.ID]; ok && r.err == nil {
			r.failf("dump ID", start, "%d is also that of entry %d", e.ID, other+1)
		}
		seen[e.ID] = i
		t.Entries = append(t.Entries, e)
	}
}

func (r *wireReader) readEntry(h *Header, deps *depSlab) (e Entry) {
	v := h.Version
	e.ID = DumpID(r.between("dump ID", 1, math.MaxInt32))
	e.HadDumper = r.bool("data flag")
	e.TableOID = r.oid("catalog OID")
	e.OID = r.oid("OID")
	e.Tag = r.string("tag")
	e.Desc = r.name("kind")
	if v.hasSection() {
		e.Section = Section(r.between("section", int32(SectionNone), int32(SectionPostData)))
	} else {
		e.Section = oldSection(e.Desc)
	}
	e.Defn = r.nullString("definition")
	e.DropStmt = r.nullString("drop statement")
	e.CopyStmt = r.nullString("copy statement")
	e.Namespace = r.nullName("schema")
	e.Tablespace = r.nullName("tablespace")
	if v.hasTableAM() {
		e.TableAM = r.nullName("table access method")
	}
	if v.hasRelKind() {
		e.RelKind = byte(r.between("relkind", 0, 127))
	}
	e.Owner = r.nullName("owner")
	e.WithOIDs = r.oids("with OIDs")
	e.Dependencies = r.dependencies("dependencies", deps)
	if h.Format == FormatCustom {
		e.Offset = r.bigOffset("data offset")
	} else {
		e.File = r.string("file name")
	}
	return e
}

// oldSection gives the section of an entry of an archive that does not say.
func oldSection(desc string) Section {
	switch desc {
	case "COMMENT", "ACL", "ACL LANGUAGE":
		return SectionNone
	case DescTableData, DescBlobs, "BLOB COMMENTS":
		return SectionData
	case "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "INDEX", "RULE", "TRIGGER":
		return SectionPostData
	}
	return SectionPreData
}

func (r *wireReader) oids(field string) bool {
	start := r.offset
	p, ok := r.bytes(field)
	switch {
	case r.err != nil:
	case ok && string(p) == "true":
		return true
	case !ok || string(p) != "false":
		r.failf(field, start, "%.20q is neither true nor false", p)
	}
	return false
}

// dependencies reads numbers up to a NULL.
func (r *wireReader) dependencies(field string, slab *depSlab) []DumpID {
	slab.begin()
	for {
		v, ok := r.uint(field, math.MaxInt32)
		if !ok {
			return slab.end()
		}
		slab.add(DumpID(v))
	}
}

// depSlab gives many short slices few allocations. No slice that it gives can
// grow into the next.
type depSlab struct {
	buf   []DumpID
	start int
}

func (s *depSlab) begin() { s.start = len(s.buf) }

func (s *depSlab) add(id DumpID) {
	if len(s.buf) == cap(s.buf) {
		open := s.buf[s.start:]
		s.buf = append(make([]DumpID, 0, max(4096, 2*len(open))), open...)
		s.start = 0
	}
	s.buf = append(s.buf, id)
}

func (s *depSlab) end() []DumpID {
	if s.start == len(s.buf) {
		return nil
	}
	return s.buf[s.start:len(s.buf):len(s.buf)]
}
