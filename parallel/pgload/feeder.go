package pgload

import (
	"context"
	"io"
)

// pieceSize is the text in bytes that is loaded at once: large enough that
// starting a COPY does not count, small enough for many connections. It is a
// multiple of a large object's page.
const pieceSize = 4 << 20

// BuffersPerJob is how many buffers a feeder should have for each of the workers
// that it is to keep busy: one is being loaded while the next one is filled.
const BuffersPerJob = 3

// Feeder cuts the text of one reader of a dump into pieces. It is used by one
// goroutine; several feeders may feed the same loader.
type Feeder struct {
	ctx    context.Context
	loader *Loader
	free   chan []byte // buffers that nobody uses; nil for those not made yet
}

// NewFeeder makes a feeder with a number of buffers, at least two: one is cut
// into the next. Ctx is that of the errgroup that workers and feeder share.
func (l *Loader) NewFeeder(ctx context.Context, buffers int) *Feeder {
	buffers = max(buffers, 2)
	f := &Feeder{ctx: ctx, loader: l, free: make(chan []byte, buffers)}
	for range buffers {
		f.free <- nil
	}
	return f
}

// buffer waits for an empty buffer.
func (f *Feeder) buffer() ([]byte, error) {
	select {
	case b := <-f.free:
		if b == nil {
			b = make([]byte, 0, pieceSize)
		}
		return b[:0], nil
	case <-f.ctx.Done():
		return nil, context.Cause(f.ctx)
	}
}

// release says that a part of a text is not needed any more.
func (f *Feeder) release(c chunk) {
	if c.used != nil {
		close(c.used)
		return
	}
	f.free <- c.text // has room: no buffer is in it twice
}

// wait waits until a worker is done with a text.
func (f *Feeder) wait(used <-chan struct{}) error {
	select {
	case <-used:
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

// Table starts the data of a table. What is written is the text of a data file:
// COPY text with its end mark or, if the target has no COPY statement, INSERT
// statements, of which each Write gets whole ones. Close gives an error if the
// end mark is missing; it does not wait for what is still being loaded.
func (f *Feeder) Table(t Target) io.WriteCloser {
	if !f.loader.opts.Ordered {
		t.Empty = ""
	}
	c := chunker{f: f, target: t, at: t.Offset}
	if t.Copy == "" {
		return &statements{c}
	}
	return &rows{c}
}

// chunker fills buffers and hands them on as jobs.
type chunker struct {
	f      *Feeder
	target Target
	buf    []byte
	at     int64        // of buf in the script, -1 if it is in none
	open   *job         // one under way to which more chunks come; nil between two
	object *largeObject // nil if it is a table
}

// room makes sure that there is a buffer.
func (c *chunker) room() (err error) {
	if c.buf == nil {
		c.buf, err = c.f.buffer()
	}
	return err
}

// fill copies a text into the buffer and calls full whenever there is no more
// room in it.
func (c *chunker) fill(p []byte, full func() error) (n int, err error) {
	for n < len(p) {
		if err := c.room(); err != nil {
			return n, err
		}
		m := min(cap(c.buf)-len(c.buf), len(p)-n)
		c.buf = append(c.buf, p[n:n+m]...)
		n += m
		if len(c.buf) == cap(c.buf) {
			if err := full(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// send hands on the first n bytes of the buffer, as the end of a job if it is
// one. What is after them stays.
func (c *chunker) send(n int, isEnd bool) error {
	text, rest := c.buf[:n], c.buf[n:]
	c.buf = nil
	if len(rest) > 0 {
		next, err := c.f.buffer()
		if err != nil {
			return err
		}
		c.buf = append(next, rest...)
	}
	at := c.at
	if at >= 0 {
		c.at += int64(n)
	}
	return c.put(chunk{text: text}, at, isEnd)
}

// put hands on a part of the text, as the end of a job if it is one.
func (c *chunker) put(part chunk, at int64, isEnd bool) error {
	j := c.open
	if j == nil {
		// All that the feeder can hold fits in, so that this never blocks.
		j = &job{target: c.target, offset: at, feeder: c.f, object: c.object, chunks: make(chan chunk, cap(c.f.free)+1)}
	}
	j.chunks <- part
	isNew := c.open == nil
	c.open = j
	if isEnd {
		c.end()
	}
	if !isNew {
		return nil
	}
	return c.f.loader.submit(c.f.ctx, j)
}

// end ends the job under way.
func (c *chunker) end() {
	if c.open != nil {
		close(c.open.chunks)
		c.open = nil
	}
}

// drop gives back a buffer with nothing in it.
func (c *chunker) drop() {
	if c.buf != nil {
		c.f.release(chunk{text: c.buf})
		c.buf = nil
	}
}
