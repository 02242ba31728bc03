package dump

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"path/filepath"

	"odx/dumpfmt"
	"odx/dumpfmt/deflate"
	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgcopy"
)

// folder writes data files into an archive's folder, and takes their digests
// meanwhile.
type folder struct {
	dir         string
	compression pgcopy.Compression
	entries     []*pgarchive.Entry // of the tables, in their order
	digest      *digester
}

var _ pgcopy.Sink = (*folder)(nil)

// Table begins the data file of a table.
func (f *folder) Table(i int) (pgcopy.Stream, error) { return f.create(f.entries[i].File) }

// Object begins the data file of a large object.
func (f *folder) Object(oid uint32) (pgcopy.Stream, error) {
	return f.create(pgarchive.LargeObjectFile(oid))
}

func (f *folder) create(name string) (pgcopy.Stream, error) {
	name += f.compression.Method.Suffix()
	file, err := dumpfmt.CreateNew(filepath.Join(f.dir, name))
	if err != nil {
		return nil, err
	}
	d := &dataFile{file: file, name: name, digest: f.digest, hash: sha256.New(), gzip: f.compression.Method == pgarchive.Gzip}
	d.out = io.MultiWriter(file, d.hash)
	if d.gzip {
		if err := d.write(deflate.Layout{}.Header()); err != nil {
			d.Abort()
			return nil, err
		}
	}
	return d, nil
}

// dataFile is one file. For gzip it is what deflate.Writer writes.
type dataFile struct {
	file   *dumpfmt.WritebackFile
	name   string
	digest *digester
	hash   hash.Hash
	out    io.Writer // file and hash
	gzip   bool

	size   int64 // of the file
	body   int64 // of the pieces
	crc    uint32
	length int64 // of the text
}

func (d *dataFile) write(p []byte) error {
	n, err := d.out.Write(p)
	d.size += int64(n)
	return err
}

// Append writes a piece.
func (d *dataFile) Append(p pgcopy.Piece) error {
	if d.gzip {
		d.crc = deflate.CombineCRC32(d.crc, p.CRC, p.Length)
	}
	d.body += int64(len(p.Data))
	d.length += p.Length
	return d.write(p.Data)
}

// Finish writes the end of the file and closes it.
func (d *dataFile) Finish() (err error) {
	if d.gzip {
		err = d.write(deflate.NewLayout(d.body, d.crc, d.length).Tail())
	}
	if err = errors.Join(err, d.file.Close()); err != nil {
		return err
	}
	d.digest.note(dumpfmt.FileDigest{Name: d.name, Bytes: d.size, SHA256: hex.EncodeToString(d.hash.Sum(nil))})
	return nil
}

// Abort closes the file, which goes with its folder.
func (d *dataFile) Abort() { _ = d.file.Close() }
