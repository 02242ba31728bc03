package pgcopy

import (
	"context"

	"golang.org/x/sync/errgroup"

	"odx/parallel/server"
)

// textBuffers is how many pieces of text a worker has: one being filled, one
// being compressed, one between the two.
const textBuffers = 3

// batch is text on its way from the connection to the compressor.
type batch struct {
	text    []byte
	stretch *stretch
	last    bool // nothing of the stretch comes after it
}

// worker is a connection and what compresses its text.
type worker struct {
	*run
	session  *server.Session
	messages *messages // of the session
	full     chan batch
	free     chan []byte
}

// work copies stretches until there are none.
func (r *run) work(ctx context.Context) error {
	w := &worker{run: r, full: make(chan batch, textBuffers), free: make(chan []byte, textBuffers)}
	for range textBuffers {
		w.free <- nil // made when it is needed
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(w.full)
		return w.read(gctx)
	})
	g.Go(func() error { return w.compress(gctx) })
	return g.Wait()
}

// read fills batches from the server.
func (w *worker) read(ctx context.Context) (err error) {
	if w.session, err = w.openSession(ctx); err != nil {
		return err
	}
	defer w.session.Close()
	var s *stretch
	for ctx.Err() == nil {
		if s = w.plan.next(s); s == nil {
			return nil
		}
		if err := w.copy(ctx, s); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// copy copies one stretch.
func (w *worker) copy(ctx context.Context, s *stretch) (err error) {
	out := &textWriter{ctx: ctx, worker: w, stretch: s}
	if s.table < 0 {
		err = w.copyObject(ctx, s.object, out)
	} else {
		err = w.copyRows(ctx, s, out)
	}
	if err != nil {
		return err
	}
	return out.end()
}

// compress makes pieces of batches and hands them to the sequencer.
func (w *worker) compress(ctx context.Context) error {
	c, err := w.Compress.newCoder()
	if err != nil {
		return err
	}
	for b := range w.full {
		if len(b.text) > 0 {
			p, err := c.piece(b.text)
			if err != nil {
				return err
			}
			if err := w.order.put(b.stretch, p); err != nil {
				return err
			}
		}
		if b.last {
			if err := w.order.finish(b.stretch); err != nil {
				return err
			}
		}
		w.free <- b.text[:0] // there is room for all of them
	}
	return nil
}

// textWriter cuts the text of a stretch into batches.
type textWriter struct {
	ctx     context.Context
	worker  *worker
	stretch *stretch
	text    []byte // being filled, nil for none
	all     int64  // written so far
	shown   int64  // of the stretch's share, counted as progress
}

// Write adds text, waiting for a buffer when the compressor, or who takes its
// pieces, is slower than the server.
func (t *textWriter) Write(p []byte) (int, error) {
	size := t.worker.Compress.pieceSize()
	for rest := p; len(rest) > 0; {
		if err := t.take(); err != nil {
			return 0, err
		}
		n := min(len(rest), size-len(t.text))
		t.text = append(t.text, rest[:n]...)
		rest = rest[n:]
		if len(t.text) == size {
			if err := t.send(false); err != nil {
				return 0, err
			}
		}
	}
	t.all += int64(len(p))
	return len(p), nil
}

// take makes sure that there is a buffer.
func (t *textWriter) take() error {
	if t.text != nil {
		return nil
	}
	select {
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	case t.text = <-t.worker.free:
	}
	if t.text == nil {
		t.text = make([]byte, 0, 16<<10)
	}
	return nil
}

// send hands the buffer to the compressor.
func (t *textWriter) send(last bool) error {
	if err := t.worker.rate.wait(t.ctx, len(t.text)); err != nil {
		return err
	}
	t.show(int64(len(t.text)))
	t.worker.full <- batch{t.text, t.stretch, last} // there is room for all of them
	t.text = nil
	return nil
}

// show counts n bytes of text as progress, as far as the stretch's share of
// the table's size goes.
func (t *textWriter) show(n int64) {
	n = min(n, t.stretch.share-t.shown)
	t.shown += n
	t.worker.Progress.Add(n)
}

// end sends what is left and counts the stretch as done.
func (t *textWriter) end() error {
	if err := t.take(); err != nil {
		return err
	}
	if err := t.send(true); err != nil {
		return err
	}
	t.show(t.stretch.share)
	return nil
}
