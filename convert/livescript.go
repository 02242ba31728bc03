package convert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"iter"
	"os"
	"slices"

	"odx/dumpfmt"
	"odx/dumpfmt/deflate"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/render"
)

// LiveScript is a dump.sql being written, into which the rows of the tables go
// as they are read from the server: the archive has no data files of them. Its
// methods may be called from different goroutines, but one after the other.
type LiveScript struct {
	joiner *scriptJoiner
	next   func() (render.Piece, error, bool)

	entry *pgarchive.Entry // whose rows these are
	name  string           // of the data file that they would be
	part  odoozip.Place
	hash  hash.Hash // of that file
}

// joinLive writes the whole stream, with rows where join has data files.
func (w *scriptJoiner) joinLive(rows func(*LiveScript) error) error {
	next, stop := iter.Pull2(w.script.Pieces())
	defer stop()
	s := &LiveScript{joiner: w, next: next}
	if err := rows(s); err != nil {
		return err
	}
	if err := s.advance(0); err != nil {
		return err
	}
	return w.close()
}

// Begin starts the rows of a TABLE DATA entry. Entries come in the order of the
// table of contents, and none is left out.
func (s *LiveScript) Begin(id pgarchive.DumpID) error {
	if err := s.advance(id); err != nil {
		return err
	}
	if err := s.joiner.joiner.Flush(); err != nil {
		return err
	}
	s.part, s.hash = odoozip.Place{Offset: s.joiner.joiner.Size()}, sha256.New()
	s.hash.Write(deflate.Layout{}.Header())
	return nil
}

// Append adds rows as deflate.Encoder makes pieces of them. The data are the
// caller's after it.
func (s *LiveScript) Append(data []byte, crc uint32, length int64) error {
	part, err := s.joiner.joiner.JoinPiece(data, crc, length)
	s.part.Size += part.Size
	s.part.CRC = deflate.CombineCRC32(s.part.CRC, crc, length)
	s.part.Length += length
	s.hash.Write(data)
	return err
}

// Finish ends the rows.
func (s *LiveScript) Finish() error {
	layout := deflate.NewLayout(s.part.Size, s.part.CRC, s.part.Length)
	s.hash.Write(layout.Tail())
	place := s.part
	s.joiner.count(s.entry, place.Length)
	s.joiner.places.Files = append(s.joiner.places.Files, odoozip.FilePlace{
		Name: s.name, Bytes: layout.HeaderLen + layout.BodyLen + layout.TailLen,
		SHA256: hex.EncodeToString(s.hash.Sum(nil)), Pieces: &place,
	})
	return nil
}

// advance writes what the script has before the rows of an entry, or all that
// is left for 0. Large objects are files of the archive.
func (s *LiveScript) advance(id pgarchive.DumpID) error {
	w := s.joiner
	for {
		piece, err, more := s.next()
		switch {
		case !more && id == 0:
			return nil
		case !more:
			return fmt.Errorf("odx: internal error: the script has no place for the rows of entry %d", id)
		case err != nil:
		case piece.Data == nil:
			_, err = w.joiner.Write(piece.SQL)
		case piece.Data.IsLargeObjects():
			var n int64
			n, err = w.script.PrintData(w.ctx, w.joiner, piece.Data)
			w.count(piece.Data, n)
		case piece.Data.ID == id:
			s.entry = piece.Data
			s.name = piece.Data.File + pgarchive.Gzip.Suffix()
			return nil
		default:
			err = fmt.Errorf("odx: internal error: no rows came for entry %d", piece.Data.ID)
		}
		if err != nil {
			return err
		}
	}
}

// liveDigests gives the data files that the rows of a live script would be.
func liveDigests(places *odoozip.Places) []dumpfmt.FileDigest {
	files := make([]dumpfmt.FileDigest, 0, len(places.Files))
	for _, f := range places.Files {
		files = append(files, dumpfmt.FileDigest{Name: f.Name, Bytes: f.Bytes, SHA256: f.SHA256})
	}
	return files
}

// liveFiles lists what an archive has although its tables have no data files, in
// the order of pgarchive.Archive.Files.
func liveFiles(a *pgarchive.Archive) ([]pgarchive.File, error) {
	entries, err := os.ReadDir(a.Path())
	if err != nil {
		return nil, err
	}
	var files []pgarchive.File
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		f := pgarchive.File{Name: e.Name(), Size: info.Size()}
		if f.Name == tocFile {
			files = slices.Insert(files, 0, f)
		} else {
			files = append(files, f)
		}
	}
	return files, nil
}
