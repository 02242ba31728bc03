package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"odx/dumpfmt/deflate"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/render"
)

// scriptText is the text that dump.sql is to have, in pieces: what render makes of
// an archive, or what was kept of the script that it was made from.
type scriptText interface {
	Pieces() iter.Seq2[render.Piece, error]
	PrintData(ctx context.Context, w io.Writer, e *pgarchive.Entry) (int64, error)
}

// scriptJoiner writes an archive's script as one deflate stream. Data files
// that are gzip are joined in as they are; everything else is deflated.
type scriptJoiner struct {
	ctx     context.Context
	joiner  *deflate.Joiner
	archive *pgarchive.Archive
	script  scriptText
	// digests are those that a record has of the data files: a file of another
	// content is an error.
	digests map[string]string
	done    func(*pgarchive.Entry) // called when an entry's data are joined
	consume bool                   // remove data files that are joined
	places  *odoozip.Places        // where the data files are in the stream

	members, zeros int64 // of gzip files, as odoozip.MaxMembers and MaxZeros count them

	tables int64 // whose data are joined
	text   int64 // bytes of data, of tables and large objects
}

// join writes the whole stream.
func (w *scriptJoiner) join(jobs int) error {
	files, err := dataFiles(w.archive)
	if err != nil {
		return err
	}
	ahead, stop := lookAhead(w.ctx, w.archive, w.script, files, w.digests, jobs)
	defer stop()
	for piece, err := range w.script.Pieces() {
		switch {
		case err != nil:
		case w.ctx.Err() != nil:
			err = context.Cause(w.ctx)
		case piece.Data == nil:
			_, err = w.joiner.Write(piece.SQL)
		default:
			err = w.data(piece.Data, ahead)
			w.done(piece.Data)
		}
		if err != nil {
			return err
		}
	}
	return w.close()
}

// count counts data that were joined.
func (w *scriptJoiner) count(e *pgarchive.Entry, text int64) {
	w.text += text
	if !e.IsLargeObjects() {
		w.tables++
	}
}

// close ends the stream.
func (w *scriptJoiner) close() error {
	if err := w.joiner.Close(); err != nil {
		return err
	}
	w.places.Size, w.places.CRC, w.places.Length = w.joiner.Size(), w.joiner.CRC(), w.joiner.Length()
	return nil
}

// dataFiles maps the entries of a directory-format archive to their data
// files. Those of a custom-format archive have none.
func dataFiles(a *pgarchive.Archive) (map[pgarchive.DumpID]string, error) {
	files := map[pgarchive.DumpID]string{}
	if a.TOC.Header.Format == pgarchive.FormatCustom {
		return files, nil
	}
	all, err := a.Files()
	if err != nil {
		return nil, err
	}
	largeObjects := map[pgarchive.DumpID]bool{}
	for i := range a.TOC.Entries {
		if e := &a.TOC.Entries[i]; e.IsLargeObjects() {
			largeObjects[e.ID] = true
		}
	}
	for _, f := range all {
		if f.Entry != 0 && !largeObjects[f.Entry] {
			files[f.Entry] = f.Name
		}
	}
	return files, nil
}

// data adds the data of an entry.
func (w *scriptJoiner) data(e *pgarchive.Entry, ahead *lookahead) error {
	seen, err := ahead.next(e)
	if err != nil {
		return err
	}
	if seen == nil {
		n, err := w.script.PrintData(w.ctx, w.joiner, e)
		w.count(e, n)
		return err
	}
	if err := checkDigest(w.digests, seen.name, seen.sha256); err != nil {
		return err
	}
	place := odoozip.FilePlace{Name: seen.name, Bytes: seen.bytes, SHA256: seen.sha256}
	switch {
	case seen.pieces != nil:
		err = w.joinPieces(seen, &place)
	case seen.members != nil && w.takes(seen):
		err = w.joinMembers(seen, &place)
	default:
		place.SHA256 = ""
		err = w.deflateText(e, &place)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", seen.name, err)
	}
	w.count(e, place.TextLength())
	w.places.Files = append(w.places.Files, place)
	if w.consume {
		return os.Remove(filepath.Join(w.archive.Path(), seen.name))
	}
	return nil
}

func (w *scriptJoiner) open(name string) (*os.File, error) {
	return os.Open(filepath.Join(w.archive.Path(), name))
}

// joinPieces joins a file that odx wrote.
func (w *scriptJoiner) joinPieces(seen *seenFile, place *odoozip.FilePlace) (err error) {
	f, err := w.open(seen.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	part, err := w.joiner.JoinPieces(f, *seen.pieces)
	p := placeOf(part)
	place.Pieces = &p
	return err
}

// takes tells whether places.json can say how a file of gzip members is built.
// It can of every file that pg_dump writes.
func (w *scriptJoiner) takes(seen *seenFile) bool {
	members, zeros := w.members, w.zeros+seen.zeros
	for i := range seen.members {
		members += 1 + seen.members[i].Header.Len/256
	}
	if members > odoozip.MaxMembers || zeros > odoozip.MaxZeros {
		return false
	}
	w.members, w.zeros = members, zeros
	return true
}

// joinMembers joins a file that another program wrote.
func (w *scriptJoiner) joinMembers(seen *seenFile, place *odoozip.FilePlace) (err error) {
	f, err := w.open(seen.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	place.Zeros = seen.zeros
	for _, m := range seen.members {
		header := make([]byte, m.Header.Len)
		if _, err := io.ReadFull(io.NewSectionReader(f, m.Offset, m.Header.Len), header); err != nil {
			return err
		}
		part, err := w.joiner.JoinMember(f, m)
		if err != nil {
			return err
		}
		place.Members = append(place.Members, odoozip.MemberPlace{
			Place: placeOf(part), Header: header, Last: part.Last, Bits: part.Bits, Padding: part.Padding,
		})
	}
	return nil
}

// deflateText adds the text of a file of another compression, in pieces of its
// own.
func (w *scriptJoiner) deflateText(e *pgarchive.Entry, place *odoozip.FilePlace) error {
	if err := w.joiner.Flush(); err != nil {
		return err
	}
	p := odoozip.Place{Offset: w.joiner.Size()}
	sum := newCRCWriter(w.joiner)
	length, err := w.script.PrintData(w.ctx, sum, e)
	if err != nil {
		return err
	}
	if err := w.joiner.Flush(); err != nil {
		return err
	}
	p.Size, p.CRC, p.Length = w.joiner.Size()-p.Offset, sum.crc, length
	place.Text = &p
	return nil
}

func placeOf(p deflate.Part) odoozip.Place {
	return odoozip.Place{Offset: p.Offset, Size: p.Size, CRC: p.CRC, Length: p.Length}
}
