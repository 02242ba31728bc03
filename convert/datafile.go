package convert

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"path/filepath"

	"odx/dumpfmt"
	"odx/dumpfmt/deflate"
	"odx/dumpfmt/pgarchive"
)

// dataFile writes the data files of an archive's folder, one after the other.
// It is for one goroutine.
type dataFile struct {
	dir    string
	suffix string
	enc    encoder
	out    *bufio.Writer
	file   *dumpfmt.WritebackFile // nil between two files

	text   int64 // written into it, of all files
	bytes  int64 // that came out
	digest hash.Hash
	start  int64                // bytes when the file was started
	files  []dumpfmt.FileDigest // that are finished
}

// outBuffer is what is written to a data file at once, where the encoder gives
// less.
const outBuffer = 64 << 10

func newDataFile(dir string, c Compression, jobs int) (*dataFile, error) {
	enc, err := c.newEncoder(jobs)
	if err != nil {
		return nil, err
	}
	return &dataFile{dir: dir, suffix: c.Method.Suffix(), enc: enc, out: bufio.NewWriterSize(nil, outBuffer), digest: sha256.New()}, nil
}

// create starts a file. The name is without suffix.
func (d *dataFile) create(name string) error {
	f, err := createFile(d.dir, name+d.suffix)
	if err != nil {
		return err
	}
	d.file = f
	d.digest.Reset()
	d.start = d.bytes
	d.out.Reset(&counter{io.MultiWriter(f, d.digest), &d.bytes})
	d.enc.Reset(d.out)
	return nil
}

func (d *dataFile) Write(p []byte) (int, error) {
	n, err := d.enc.Write(p)
	d.text += int64(n)
	return n, err
}

// reuse offers data in which the text written last is deflated already. The
// files are gzip.
func (d *dataFile) reuse(src *io.SectionReader, b deflate.Block) error {
	return d.enc.(*deflate.Writer).Reuse(src, b)
}

// Close finishes the file.
func (d *dataFile) Close() error {
	f := d.file
	d.file = nil
	err := errors.Join(d.enc.Close(), d.out.Flush(), f.Close())
	d.files = append(d.files, dumpfmt.FileDigest{Name: filepath.Base(f.Name()), Bytes: d.bytes - d.start,
		SHA256: hex.EncodeToString(d.digest.Sum(nil))})
	return err
}

// abort ends the work on a file that cannot be finished, if there is one.
func (d *dataFile) abort() {
	if d.file != nil {
		_ = d.Close() // the file is going to be removed
	}
}

// plain writes a small file as it is.
func (d *dataFile) plain(name string, text []byte) error {
	if err := writeFile(d.dir, name, text); err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	d.bytes += int64(len(text))
	d.files = append(d.files, dumpfmt.FileDigest{Name: name, Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
	return nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n *int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	*c.n += int64(n)
	return n, err
}

// tocFile is the table of contents in an archive's folder.
const tocFile = "toc.dat"

// createFile makes a file in a folder.
func createFile(dir, name string) (*dumpfmt.WritebackFile, error) {
	return dumpfmt.CreateNew(filepath.Join(dir, name))
}

// writeTOC writes the table of contents into a folder and gives its size.
func writeTOC(dir string, t *pgarchive.TOC) (size int64, err error) {
	f, err := createFile(dir, tocFile)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = pgarchive.WriteTOC(&counter{f, &size}, t)
	return size, err
}

// writeFile writes a small file into a folder.
func writeFile(dir, name string, text []byte) (err error) {
	f, err := createFile(dir, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(text)
	return err
}
