package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"odx/dumpfmt/deflate"
	"odx/dumpfmt/pgarchive"
)

// seenFile is what has to be known of a data file before it can be joined.
// Pieces and members are nil where it is not gzip.
type seenFile struct {
	name    string
	bytes   int64
	sha256  string
	pieces  *deflate.Layout
	members []deflate.Member
	zeros   int64 // bytes after the last member
}

// lookahead looks at data files on several cores, in the order in which the
// script has them, a few files ahead of who joins them.
type lookahead struct {
	ctx     context.Context
	archive *pgarchive.Archive
	results chan chan lookResult
	files   map[pgarchive.DumpID]string
	digests map[string]string // of files, as the record has them
}

type lookResult struct {
	file *seenFile
	err  error
}

// lookAhead starts looking. Stop ends it and waits for it.
func lookAhead(ctx context.Context, a *pgarchive.Archive, s scriptText, files map[pgarchive.DumpID]string, digests map[string]string, jobs int) (_ *lookahead, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	jobs = max(jobs, 1)
	l := &lookahead{ctx: ctx, archive: a, results: make(chan chan lookResult, 4*jobs), files: files, digests: digests}
	work := make(chan func())
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for look := range work {
				look()
			}
		})
	}
	workers.Go(func() {
		defer close(work)
		defer close(l.results)
		for piece, err := range s.Pieces() {
			if err != nil {
				return // who prints the pieces meets it too
			}
			if piece.Data == nil || files[piece.Data.ID] == "" {
				continue
			}
			if !l.order(work, piece.Data) {
				return
			}
		}
	})
	return l, func() { cancel(); workers.Wait() }
}

// order has a worker look at a file, and the result come after those before it.
// It waits while too many results are open, and gives false when the context
// ends.
func (l *lookahead) order(work chan<- func(), e *pgarchive.Entry) bool {
	result := make(chan lookResult, 1)
	select {
	case l.results <- result:
	case <-l.ctx.Done():
		return false
	}
	select {
	case work <- func() {
		file, err := l.look(e)
		result <- lookResult{file, err}
	}:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// next gives the next data file, which is the entry's; nil if the entry has
// none of its own.
func (l *lookahead) next(e *pgarchive.Entry) (*seenFile, error) {
	if l.files[e.ID] == "" {
		return nil, nil
	}
	select {
	case result, ok := <-l.results:
		if !ok {
			return nil, errors.New("odx: internal error: the script has more data files than were looked at")
		}
		select {
		case r := <-result:
			return r.file, r.err
		case <-l.ctx.Done():
		}
	case <-l.ctx.Done():
	}
	return nil, context.Cause(l.ctx)
}

// look reads a data file: its SHA-256, how a gzip file is built, and all of the
// text of one that no digest vouches for. Joining does not see whether that is
// whole.
func (l *lookahead) look(e *pgarchive.Entry) (_ *seenFile, err error) {
	name := l.files[e.ID]
	f, err := os.Open(filepath.Join(l.archive.Path(), name))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file := &seenFile{name: name, bytes: info.Size()}
	digest := sha256.New()
	r := io.TeeReader(&source{ctx: l.ctx, r: f, meter: noMeter{}}, digest)
	if filepath.Ext(name) == pgarchive.Gzip.Suffix() {
		if l.digests[name] == "" {
			if err := l.readText(e); err != nil {
				return nil, err
			}
		}
		if err := file.lookInside(f, r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // what was not needed so far
		return nil, err
	}
	file.sha256 = hex.EncodeToString(digest.Sum(nil))
	return file, nil
}

// readText reads the text of an entry to its end.
func (l *lookahead) readText(e *pgarchive.Entry) error {
	text, err := l.archive.Text(e)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, &source{ctx: l.ctx, r: text, meter: noMeter{}})
	return errors.Join(err, text.Close())
}

// lookInside finds out how a gzip file is built. Only a file that odx did not
// write is read for that, through r.
func (g *seenFile) lookInside(f io.ReaderAt, r io.Reader) error {
	layout, err := deflate.ReadLayout(f, g.bytes)
	if errors.Is(err, deflate.ErrNotPieces) {
		return g.walk(r)
	}
	if err == nil {
		g.pieces = &layout
	}
	return err
}

// walk finds the members of the file.
func (g *seenFile) walk(r io.Reader) error {
	w := deflate.NewWalker(r)
	var end int64
	for {
		m, err := w.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		g.members = append(g.members, m)
		end = m.End()
	}
	g.zeros = g.bytes - end
	return nil
}

// crcWriter takes the CRC-32 of what passes.
type crcWriter struct {
	w   io.Writer
	crc uint32
}

func newCRCWriter(w io.Writer) *crcWriter { return &crcWriter{w: w} }

func (c *crcWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	return n, err
}
