package render

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"odx/dumpfmt/pgarchive"
)

// copyBuffer is the data that are read at once.
const copyBuffer = 256 << 10

// copyBuffers are used again: an archive has thousands of small tables.
var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// Print writes the script and gives its length in bytes. The end of ctx
// interrupts it between reads of a file and between pieces of SQL, not within a
// call of w. Memory is what Pieces takes, a decoder and some 300 KiB, whatever
// the size of the archive.
//
// Errors about the archive are a *dumpfmt.FormatError: also when the data of a
// table do not end as pg_dump ends them. Those of w are returned as they are.
func (s *Script) Print(ctx context.Context, w io.Writer) (int64, error) {
	var total int64
	for piece, err := range s.Pieces() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return total, err
		}
		if piece.Data == nil {
			n, err := w.Write(piece.SQL)
			total += int64(n)
			if err != nil {
				return total, err
			}
			continue
		}
		n, err := s.PrintData(ctx, w, piece.Data)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// PrintData writes the data of an entry as the script has them: COPY text with
// its end mark, INSERT statements, or the statements that make large objects.
// It gives their length in bytes. What is said of Print holds here too.
func (s *Script) PrintData(ctx context.Context, w io.Writer, e *pgarchive.Entry) (n int64, err error) {
	if e.IsLargeObjects() {
		return s.printLargeObjects(ctx, w, e)
	}
	r, err := s.archive.Text(e)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		m, err := r.Read(buf[:])
		if m > 0 {
			written, err := w.Write(buf[:m])
			n += int64(written)
			if err != nil {
				return n, err
			}
		}
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// What a large object is cut into: LOBBUFSIZE bytes a statement.
const largeObjectChunk = 16384

// inversionWrite is the mode of lo_open, INV_WRITE.
const inversionWrite = 131072

// loPrinter makes the statements of large objects.
type loPrinter struct {
	s     *Script
	w     io.Writer
	n     int64
	text  bytes.Buffer
	chunk [largeObjectChunk]byte
}

func (s *Script) printLargeObjects(ctx context.Context, w io.Writer, e *pgarchive.Entry) (int64, error) {
	p := &loPrinter{s: s, w: w}
	p.text.WriteString("BEGIN;\n\n")
	for lo, err := range s.archive.LargeObjects(e) {
		if err == nil {
			err = p.object(ctx, lo)
		}
		if err != nil {
			return p.n, err
		}
	}
	p.text.WriteString("COMMIT;\n\n")
	return p.n, p.flush()
}

func (p *loPrinter) flush() error {
	n, err := p.w.Write(p.text.Bytes())
	p.n += int64(n)
	p.text.Reset()
	return err
}

func (p *loPrinter) object(ctx context.Context, lo pgarchive.LargeObject) (err error) {
	r, err := lo.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	number := fmt.Sprintf("'%d'", lo.OID)
	if !p.s.archive.TOC.Header.Version.AtLeast(pgarchive.Version12) {
		number = "pg_catalog.lo_create(" + number + ")" // no entry of its own makes it
	}
	fmt.Fprintf(&p.text, "SELECT pg_catalog.lo_open(%s, %d);\n", number, inversionWrite)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, p.chunk[:])
		if n > 0 {
			p.write(p.chunk[:n])
		}
		if p.text.Len() >= pieceSize {
			if err := p.flush(); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	p.text.WriteString("SELECT pg_catalog.lo_close(0);\n\n")
	return nil
}

// write prints a statement with a part of a large object.
func (p *loPrinter) write(part []byte) {
	p.text.WriteString(`SELECT pg_catalog.lowrite(0, '\`)
	if !p.s.special.stdStrings {
		p.text.WriteByte('\\')
	}
	p.text.WriteByte('x')
	p.text.Write(hex.AppendEncode(p.text.AvailableBuffer(), part))
	p.text.WriteString("');\n")
}
