package convert

import (
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"

	"odx/dumpfmt/odoozip"
)

// open opens a file of the filestore. Only of a live one files may vanish, or be
// written meanwhile: no row that is dumped names those.
func (w *zipWriter) open(root *os.Root, path, name string, size int64) (io.ReadCloser, error) {
	f, err := root.Open(path)
	if !w.c.Consume {
		return f, err
	}
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && info.Size() == size {
			return f, nil
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vanished = append(w.vanished, goneFile{strings.TrimPrefix(name, odoozip.FilestoreDir), size})
	return nil, odoozip.ErrSkip
}

// goneFile is a file that was listed, and gone when it was to be read.
type goneFile struct {
	name string
	size int64
}

// addRecord adds odx.json as it is when all other members are written.
func (w *zipWriter) addRecord() error {
	name := w.top() + odoozip.RecordName
	if w.c.Record == nil {
		if w.src.record == nil {
			return nil
		}
		return w.addBytes(name, w.src.record)
	}
	m, err := w.z.CreateRaw(odoozip.Header{Name: name, Modified: w.src.modified, Length: -1}, odoozip.Deflate)
	if err != nil {
		return err
	}
	if _, err := m.Write(nil); err != nil { // waits for the members before it
		return err
	}
	r := &w.c.report
	w.mu.Lock()
	for _, f := range w.vanished {
		r.Files--
		r.FileBytes -= f.size
		r.Vanished = append(r.Vanished, f.name)
	}
	w.mu.Unlock()
	slices.Sort(r.Vanished)
	if w.c.Rows != nil {
		r.Live = liveDigests(w.places)
	}
	record, err := w.c.Record(r)
	if err != nil {
		return err
	}
	z, err := flate.NewWriter(m, 1)
	if err != nil {
		return err
	}
	if _, err := z.Write(record); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return m.Close(crc32.ChecksumIEEE(record), int64(len(record)))
}
