package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"

	"github.com/klauspost/compress/gzip"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/render"
)

// keptScript is the script that an archive was made of: its SQL was kept, its
// data are the archive's.
type keptScript struct {
	backup  string // its folder
	record  *dumpfmt.ScriptRecord
	entries map[pgarchive.DumpID]*pgarchive.Entry
	data    *render.Script // prints the data
}

var (
	_ scriptText = (*keptScript)(nil)
	_ scriptText = (*render.Script)(nil)
)

// Pieces gives the script in pieces, as render.Script does.
func (k *keptScript) Pieces() iter.Seq2[render.Piece, error] {
	return func(yield func(render.Piece, error) bool) {
		if err := k.pieces(yield); err != nil {
			yield(render.Piece{}, err)
		}
	}
}

// errStopped says that nobody wants more pieces.
var errStopped = errors.New("stopped")

func (k *keptScript) pieces(yield func(render.Piece, error) bool) error {
	f, err := dumpfmt.OpenBeside(k.backup, keptPath(dumpfmt.KeptScript))
	if err != nil {
		return err
	}
	defer f.Close()
	sql, err := gzip.NewReader(f)
	if err != nil {
		return k.damaged(err)
	}
	rest := k.record.SQL
	for _, d := range k.record.Data {
		e := k.entries[pgarchive.DumpID(d.Entry)]
		if e == nil || !e.HadDumper || d.After < 0 || d.After > rest {
			return k.damaged(fmt.Errorf("no such data: entry %d after %d bytes", d.Entry, d.After))
		}
		rest -= d.After
		if err := k.sql(sql, d.After, yield); err != nil {
			return ignoreStopped(err)
		}
		if !yield(render.Piece{Data: e}, nil) {
			return nil
		}
	}
	if err := k.sql(sql, rest, yield); err != nil {
		return ignoreStopped(err)
	}
	if n, err := sql.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return k.damaged(errors.New("more SQL than the record says"))
	}
	return nil
}

func ignoreStopped(err error) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// sql yields the next n bytes.
func (k *keptScript) sql(r io.Reader, n int64, yield func(render.Piece, error) bool) error {
	buf := make([]byte, min(n, 64<<10))
	for n > 0 {
		part := buf[:min(n, int64(len(buf)))]
		if _, err := io.ReadFull(r, part); err != nil {
			return k.damaged(err)
		}
		n -= int64(len(part))
		if !yield(render.Piece{SQL: part}, nil) {
			return errStopped
		}
	}
	return nil
}

// gave tells whether text of this CRC-32 and length is the script.
func (k *keptScript) gave(crc uint32, length int64) bool {
	return crc == k.record.CRC && length == k.record.Length
}

func (k *keptScript) damaged(err error) error {
	return &dumpfmt.FormatError{Path: filepath.Join(k.backup, keptPath(dumpfmt.KeptScript)), Offset: -1, Err: err}
}

// PrintData writes the data of an entry.
func (k *keptScript) PrintData(ctx context.Context, w io.Writer, e *pgarchive.Entry) (int64, error) {
	return k.data.PrintData(ctx, w, e)
}
