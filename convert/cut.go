package convert

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"odx/dumpfmt"
	"odx/dumpfmt/deflate"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
)

// cutter makes the files of an archive again from the places in dump.sql's
// data, without inflating what was joined in.
type cutter struct {
	ctx    context.Context
	zip    *odoozip.Reader
	script *odoozip.Member   // dump.sql
	dump   *io.SectionReader // dump.sql's data
	dir    string
}

// file makes one file, and fails if it is not the one that was joined.
func (c *cutter) file(place *odoozip.FilePlace) (digest dumpfmt.FileDigest, err error) {
	f, err := createFile(c.dir, place.Name)
	if err != nil {
		return digest, err
	}
	sum := sha256.New()
	digest.Name = place.Name
	err = c.write(&counter{io.MultiWriter(f, sum), &digest.Bytes}, place)
	if err = errors.Join(err, f.Close()); err != nil {
		return digest, fmt.Errorf("%s: %w", place.Name, err)
	}
	digest.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if place.SHA256 != "" && (digest.SHA256 != place.SHA256 || digest.Bytes != place.Bytes) {
		return digest, &dumpfmt.FormatError{Path: odoozip.DumpName, Offset: -1, Field: "data of " + place.Name,
			Err: fmt.Errorf("content differs from the SHA-256 in %s: the zip is damaged", odoozip.PlacesName)}
	}
	return digest, nil
}

func (c *cutter) write(w io.Writer, place *odoozip.FilePlace) error {
	switch {
	case place.Pieces != nil:
		return c.pieces(w, place.Pieces)
	case len(place.Members) > 0:
		for i := range place.Members {
			if err := c.member(w, &place.Members[i]); err != nil {
				return err
			}
		}
		return writeZeros(w, place.Zeros)
	case place.Text != nil:
		return c.text(w, place)
	}
	return c.stored(w, place.Name)
}

func (c *cutter) pieces(w io.Writer, p *odoozip.Place) error {
	layout := deflate.Layout{BodyLen: p.Size, CRC: p.CRC, Length: p.Length}
	if _, err := w.Write(layout.Header()); err != nil {
		return err
	}
	part := deflate.Part{Offset: p.Offset, Size: p.Size, Last: -1, Bits: 8 * p.Size, CRC: p.CRC, Length: p.Length}
	if err := c.cut(w, part); err != nil {
		return err
	}
	_, err := w.Write(layout.Tail())
	return err
}

func (c *cutter) member(w io.Writer, m *odoozip.MemberPlace) error {
	if _, err := w.Write(m.Header); err != nil {
		return err
	}
	part := deflate.Part{Offset: m.Offset, Size: m.Size, Last: m.Last, Bits: m.Bits, Padding: m.Padding, CRC: m.CRC, Length: m.Length}
	if err := c.cut(w, part); err != nil {
		return err
	}
	trailer := binary.LittleEndian.AppendUint32(nil, m.CRC)
	_, err := w.Write(binary.LittleEndian.AppendUint32(trailer, uint32(m.Length)))
	return err
}

func writeZeros(w io.Writer, n int64) error {
	for zeros := make([]byte, 32<<10); n > 0; {
		some, err := w.Write(zeros[:min(n, int64(len(zeros)))])
		if err != nil {
			return err
		}
		n -= int64(some)
	}
	return nil
}

func (c *cutter) cut(w io.Writer, part deflate.Part) error {
	if err := c.ctx.Err(); err != nil {
		return context.Cause(c.ctx)
	}
	return deflate.Cut(w, c.dump, 0, part)
}

// text inflates a part and compresses it as the file was.
func (c *cutter) text(w io.Writer, place *odoozip.FilePlace) error {
	in, err := c.zip.OpenText(c.script, place)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := compressionOf(place.Name).newEncoder(1)
	if err != nil {
		return err
	}
	out.Reset(w)
	_, err = io.Copy(out, &source{ctx: c.ctx, r: in, meter: noMeter{}})
	return errors.Join(err, out.Close())
}

// compressionOf tells from the suffix of its name how a file is compressed.
func compressionOf(name string) Compression {
	for _, m := range []pgarchive.Compression{pgarchive.Gzip, pgarchive.LZ4, pgarchive.Zstd} {
		if filepath.Ext(name) == m.Suffix() {
			return Compression{Method: m, Level: 1}
		}
	}
	return Compression{}
}

// stored copies a file that is a member of its own.
func (c *cutter) stored(w io.Writer, name string) error {
	m := c.zip.Find(odoozip.ArchiveDir + name)
	if m == nil {
		return &dumpfmt.FormatError{Path: odoozip.ArchiveDir + name, Offset: -1, Err: errors.New("missing in the zip")}
	}
	r, err := c.zip.Open(m)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, &source{ctx: c.ctx, r: r, meter: noMeter{}})
	return errors.Join(err, r.Close())
}
