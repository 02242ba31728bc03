package convert

import (
	"io"

	"github.com/klauspost/compress/gzip"

	"odx/dumpfmt"
)

// plainText gives the text of a script's file, which may be packed.
func plainText(layout dumpfmt.Layout, file io.Reader) (io.Reader, error) {
	if layout == dumpfmt.LayoutPackedScript {
		return unpack(file)
	}
	return file, nil
}

// unpacker reads a packed script. What is wrong with it is a format error, other
// than what the file's own reading ends with.
type unpacker struct {
	file *textSource
	z    *gzip.Reader
}

func unpack(file io.Reader) (u *unpacker, err error) {
	u = &unpacker{file: &textSource{r: file}}
	u.z, err = gzip.NewReader(u.file)
	return u, u.kind(err)
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	return n, u.kind(err)
}

func (u *unpacker) kind(err error) error {
	if err == nil || err == io.EOF || u.file.gave(err) {
		return err
	}
	return &dumpfmt.FormatError{Offset: -1, Err: err}
}
