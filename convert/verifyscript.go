package convert

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/rebuild"
)

// bareScript verifies a script that is a file.
func (v *verifier) bareScript(ctx context.Context, layout dumpfmt.Layout) error {
	f, err := os.Open(v.Source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	v.Meter.Start(info.Size())
	g, gctx := errgroup.WithContext(ctx)
	lookups := v.lookUp(gctx, g, noIndex{})
	g.Go(func() error {
		defer close(lookups.work)
		var text io.Reader = &source{ctx: gctx, r: f, meter: v.Meter}
		name, kind := filepath.Base(v.Source), unreadable
		if layout == dumpfmt.LayoutPackedScript {
			kind = badStructure
			z, err := gzip.NewReader(text)
			if err != nil {
				v.found.add(kind, name, place{}, err.Error())
				return gctx.Err()
			}
			text = z
		}
		return v.script(gctx, text, name, kind, lookups)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	lookups.end()
	return nil
}

// script verifies a script's text. What is wrong with the reader is a finding
// of the kind given, and its end is looked at in any case: packed text has its
// checksum there.
func (v *verifier) script(ctx context.Context, r io.Reader, name string, kind finding, lookups *lookups) error {
	head := bufio.NewReaderSize(r, scriptHead)
	start, _ := head.Peek(scriptHead) // an error comes again
	counted := &textSource{r: head}
	text := readAhead(counted, &blockList{})
	defer text.stop()
	rows := &rowReader{v: v, ctx: ctx, lookups: lookups, isUTF8: bytes.Contains(start, []byte(utf8Setting))}
	sink := &scriptSink{rows: rows}
	result, err := rebuild.Read(text, sink, rebuild.Options{Name: name})
	v.report.LargeObjects = sink.objects
	if err == nil {
		v.report.Server = result.TOC.Header.ServerVersion.String
	}
	if isDamage(err) && !counted.gave(err) {
		v.found.add(badScript, name, offsetOf(err), reason(err))
		_, err = io.Copy(io.Discard, text)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case counted.gave(err):
		v.found.add(kind, name, offsetOf(err), reason(err))
		return nil
	}
	return err
}

// utf8Setting stands in the first scriptHead bytes of a script that is UTF-8.
const (
	utf8Setting = "\nSET client_encoding = 'UTF8';\n"
	scriptHead  = 4096
)

// textSource remembers the error of its reader, to tell it from what is wrong
// with the text.
type textSource struct {
	r   io.Reader
	bad atomic.Pointer[error]
}

func (s *textSource) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.bad.Store(&err)
	}
	return n, err
}

// gave tells whether an error is the reader's.
func (s *textSource) gave(err error) bool {
	bad := s.bad.Load()
	return err != nil && bad != nil && errors.Is(err, *bad)
}

// scriptSink looks at the data of a script.
type scriptSink struct {
	rows    *rowReader
	objects int64
}

func (s *scriptSink) Table(e *pgarchive.Entry, _ int64) (io.WriteCloser, error) {
	return s.rows.text(e, 0), nil
}

func (s *scriptSink) LargeObject(id pgarchive.DumpID, _ uint32, _ int64) (io.WriteCloser, error) {
	s.objects++
	return entrySizer{sizer{}, id}, nil
}
