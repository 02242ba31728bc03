package odoozip

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"odx/dumpfmt"
	"odx/dumpfmt/deflate"
)

// ReadMember gives the text of a member that is held in memory, and refuses one
// of more than limit bytes.
func (r *Reader) ReadMember(m *Member, limit int64) ([]byte, error) {
	if m.Length > limit {
		return nil, &dumpfmt.FormatError{Path: m.Name(), Offset: -1, Err: fmt.Errorf("%d bytes, more than the %d that are read", m.Length, limit)}
	}
	text, err := r.Open(m)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(text)
	return data, errors.Join(err, text.Close())
}

// FindRecord reads odx.json; nil where there is none, or one that a newer odx wrote.
func (r *Reader) FindRecord() (*dumpfmt.Record, error) {
	m := r.Find(RecordName)
	if m == nil {
		return nil, nil
	}
	data, err := r.ReadMember(m, dumpfmt.MaxRecord)
	if err != nil {
		return nil, err
	}
	record, err := dumpfmt.ParseRecord(data, m.Name())
	if errors.Is(err, dumpfmt.ErrUnsupported) {
		return nil, nil
	}
	return record, err
}

// FindPlaces reads places.json; nil if there is none, or if what is there
// cannot be used: then note says why.
func (r *Reader) FindPlaces(dump *Member) (places *Places, note string, err error) {
	m := r.Find(PlacesName)
	if m == nil {
		return nil, "", nil
	}
	data, err := r.ReadMember(m, MaxPlaces)
	if err != nil {
		return nil, "", err
	}
	places, err = ParsePlaces(data)
	switch {
	case errors.Is(err, dumpfmt.ErrUnsupported):
		return nil, "odx's own members were written by a newer odx and are not used", nil
	case err != nil:
		return nil, "", err
	case places.Size != dump.Size || places.CRC != dump.CRC || places.Length != dump.Length || dump.Method != Deflate:
		return nil, "dump.sql was changed since odx wrote the zip: odx's own members do not fit it and are not used", nil
	}
	return places, "", nil
}

// HasText tells whether dump.sql has the text of the file.
func (f *FilePlace) HasText() bool { return len(f.texts()) > 0 }

// TextLength gives the length in bytes of the file's text in dump.sql.
func (f *FilePlace) TextLength() (n int64) {
	for _, p := range f.texts() {
		n += p.Length
	}
	return n
}

// texts lists the parts of dump.sql's data that inflate to the file's text.
func (f *FilePlace) texts() (parts []Place) {
	switch {
	case f.Pieces != nil:
		return []Place{*f.Pieces}
	case f.Text != nil:
		return []Place{*f.Text}
	}
	for _, m := range f.Members {
		parts = append(parts, m.Place)
	}
	return parts
}

// OpenText gives the text that dump.sql has of a file, from its place: nothing
// before it is read. Its end is io.EOF only if the lengths and CRC-32s are those
// of the place; anything else is a *dumpfmt.FormatError. The caller closes it.
func (r *Reader) OpenText(dump *Member, f *FilePlace) (io.ReadCloser, error) {
	raw, err := r.Raw(dump)
	if err != nil {
		return nil, err
	}
	return &placeText{name: f.Name, raw: raw, parts: f.texts(), inflater: inflaters.Get().(*deflate.Inflater)}, nil
}

// placeText inflates one part after the other.
type placeText struct {
	name     string
	raw      *io.SectionReader
	parts    []Place
	inflater *deflate.Inflater
	source   *rawReader // of the part that is open; nil between two
	crc      uint32
	done     int64 // bytes of the part's text
	err      error
}

func (t *placeText) Read(p []byte) (int, error) {
	for t.err == nil {
		if len(t.parts) == 0 {
			t.err = io.EOF
			break
		}
		part := &t.parts[0]
		if t.source == nil {
			t.source = &rawReader{r: io.NewSectionReader(t.raw, part.Offset, part.Size)}
			t.inflater.Reset(io.MultiReader(t.source, strings.NewReader(finalBlock)), nil)
			t.crc, t.done = 0, 0
		}
		n, err := t.inflater.Read(p)
		t.crc = crc32.Update(t.crc, crc32.IEEETable, p[:n])
		t.done += int64(n)
		switch {
		case t.done > part.Length:
			t.err = t.damaged(errLong)
			return 0, t.err
		case err != nil:
			t.finish(part, err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, t.err
}

// finish ends a part with the error that reading it ended with.
func (t *placeText) finish(part *Place, err error) {
	switch {
	case t.source.err != nil:
		t.err = t.source.err
	case err != io.EOF:
		t.err = t.damaged(err)
	case t.done != part.Length:
		t.err = t.damaged(io.ErrUnexpectedEOF)
	case t.crc != part.CRC:
		t.err = t.damaged(errCRC)
	default:
		t.source, t.parts = nil, t.parts[1:]
	}
}

func (t *placeText) damaged(err error) error {
	return &dumpfmt.FormatError{Path: DumpName, Offset: -1, Field: "data of " + t.name, Err: fmt.Errorf("%w: the zip is damaged", err)}
}

// Close gives back the memory.
func (t *placeText) Close() error {
	if t.inflater != nil {
		t.inflater.Reset(nil, nil)
		inflaters.Put(t.inflater)
		t.inflater, t.err = nil, errClosed
	}
	return nil
}
