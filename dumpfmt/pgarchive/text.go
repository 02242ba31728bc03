package pgarchive

import "io"

// Text is Data for who passes the text on: Read gives io.EOF only after a text
// that ends as pg_dump ends it, and only there; any other end is a
// *dumpfmt.FormatError. The caller closes it.
func (a *Archive) Text(e *Entry) (io.ReadCloser, error) {
	r, err := a.Data(e)
	if err != nil {
		return nil, err
	}
	d := r.(*dataReader)
	return &textReader{data: d, item: item{entry: e, file: d.path}, end: newTextEnd(kindOf(e))}, nil
}

// textReader passes text on and looks at its end.
type textReader struct {
	data *dataReader
	item item
	end  *textEnd
}

func (t *textReader) Read(p []byte) (int, error) {
	n, err := t.data.Read(p)
	t.end.write(p[:n])
	if err == io.EOF {
		if wrong := t.end.error(t.item); wrong != nil {
			t.data.err = wrong
			return n, wrong
		}
	}
	return n, err
}

func (t *textReader) Close() error { return t.data.Close() }
