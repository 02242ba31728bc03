package deflate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// ErrClosed is returned when a Writer or a Joiner is used after Close or Abort.
var ErrClosed = errors.New("deflate writer is closed")

// DefaultPieceSize is the text in a piece if Options do not say otherwise.
const DefaultPieceSize = 1 << 20

// maxPieceSize keeps the memory of a piece within reason.
const maxPieceSize = 256 << 20

// Options say how text is compressed. The zero value is good.
type Options struct {
	// Level is the compression level, 1 (fast, the default) to 9 (small).
	Level int
	// Jobs is how many cores compress, 1 if not set. With 1 there are no
	// goroutines. The bytes written are the same for any number.
	Jobs int
	// PieceSize is the text in a piece in bytes, DefaultPieceSize if not set,
	// 256 MiB at most. Below some 100 KiB the result grows.
	PieceSize int
}

// filled returns the options with defaults in place of what is not set.
func (o Options) filled() (Options, error) {
	if o.Level == 0 {
		o.Level = 1
	}
	if o.Jobs == 0 {
		o.Jobs = 1
	}
	if o.PieceSize == 0 {
		o.PieceSize = DefaultPieceSize
	}
	if o.Level < 1 || o.Level > 9 {
		return o, fmt.Errorf("compression level %d is not in 1 to 9", o.Level)
	}
	if o.Jobs < 1 {
		return o, fmt.Errorf("%d jobs cannot compress", o.Jobs)
	}
	if o.PieceSize < 1 || o.PieceSize > maxPieceSize {
		return o, fmt.Errorf("piece size %d is not in 1 to %d", o.PieceSize, maxPieceSize)
	}
	return o, nil
}

// A piece is text on its way through a packer.
type piece struct {
	text []byte
	data bytes.Buffer
	crc  uint32
	err  error
	done chan struct{} // receives once when data is complete
}

// A packer compresses text piece by piece and writes the pieces in order.
// Pieces that have been filled go to the workers through work and to emit
// through order; emit puts them back into free when they are written.
type packer struct {
	dst      io.Writer
	opts     Options
	encoders []*Encoder // one per worker, made when first needed

	added int64    // text so far, in bytes
	run   blockRun // what is copied in place of pieces; none are on their way while it is open
	cur   *piece   // being filled, nil for none
	made  int      // pieces in existence, opts.Jobs+1 at most
	free  chan *piece
	work  chan *piece
	order chan *piece
	wg    sync.WaitGroup // workers and emit; work is nil when there are none

	// What was written. With goroutines these are emit's until drain.
	crc    uint32
	length int64 // of the text
	size   int64 // of the data

	mu  sync.Mutex
	err error
}

// reset makes the packer as new but for the memory it has. There must be no
// goroutines.
func (p *packer) reset(dst io.Writer) {
	p.dst, p.err = dst, nil
	p.crc, p.length, p.size, p.added = 0, 0, 0, 0
	p.run = blockRun{buf: p.run.buf}
	if p.cur != nil {
		p.cur.text = p.cur.text[:0]
	}
}

// fail makes err the packer's error unless it has one. It returns that.
func (p *packer) fail(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	return p.err
}

func (p *packer) failed() error { return p.fail(nil) }

// room returns the free part of the current piece, at least one byte. want is
// how much there is to come, as far as known.
func (p *packer) room(want int) []byte {
	if p.cur == nil {
		p.cur = p.take()
	}
	c := p.cur
	left := p.opts.PieceSize - len(c.text)
	c.text = slices.Grow(c.text, min(want, left))
	return c.text[len(c.text):min(cap(c.text), p.opts.PieceSize)]
}

// take returns an empty piece, waiting for one if all are on their way.
func (p *packer) take() *piece {
	if p.free == nil {
		p.free = make(chan *piece, p.opts.Jobs+1)
	}
	select {
	case c := <-p.free:
		return c
	default:
	}
	if p.made > p.opts.Jobs {
		return <-p.free
	}
	p.made++
	return &piece{done: make(chan struct{}, 1)}
}

// filledBy adds n bytes that were put into room.
func (p *packer) filledBy(n int) error {
	c := p.cur
	c.text = c.text[:len(c.text)+n]
	p.added += int64(n)
	if len(c.text) < p.opts.PieceSize {
		return nil
	}
	if err := p.endRun(); err != nil {
		return err
	}
	if p.opts.Jobs == 1 {
		p.compress(0, c)
		return p.put(c)
	}
	if p.work == nil {
		p.start()
	}
	p.cur = nil
	p.order <- c // neither blocks: there is room for all pieces
	p.work <- c
	return p.failed()
}

// Write adds text.
func (p *packer) Write(text []byte) (int, error) {
	if err := p.failed(); err != nil {
		return 0, err
	}
	all := len(text)
	for len(text) > 0 {
		n := copy(p.room(len(text)), text)
		text = text[n:]
		if err := p.filledBy(n); err != nil {
			return all - len(text), err
		}
	}
	return all, nil
}

// readAhead is how much ReadFrom asks for at first, in bytes.
const readAhead = 64 << 10

// ReadFrom adds the text of src up to its end. An error of src is returned as
// it is and leaves the packer usable.
func (p *packer) ReadFrom(src io.Reader) (int64, error) {
	var all int64
	for empty := 0; ; {
		if err := p.failed(); err != nil {
			return all, err
		}
		want := readAhead
		if p.cur != nil {
			want = max(want, len(p.cur.text))
		}
		n, err := src.Read(p.room(want))
		all += int64(n)
		if err := p.filledBy(n); err != nil {
			return all, err
		}
		if err == io.EOF {
			return all, nil
		}
		if empty++; n > 0 {
			empty = 0
		}
		if err == nil && empty == maxEmptyReads {
			err = io.ErrNoProgress
		}
		if err != nil {
			return all, err
		}
	}
}

// flush waits until all text is written, the last piece as short as it may be.
func (p *packer) flush() error {
	p.drain()
	if err := p.failed(); err != nil {
		return err
	}
	if err := p.endRun(); err != nil {
		return err
	}
	if p.cur == nil || len(p.cur.text) == 0 {
		return nil
	}
	p.compress(0, p.cur)
	return p.put(p.cur)
}

// raw writes data that no packer has to compress. There must be no pieces on
// their way.
func (p *packer) raw(data []byte) error {
	n, err := p.dst.Write(data)
	p.size += int64(n)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// compress makes the data of a piece, with the encoder of a worker.
func (p *packer) compress(worker int, c *piece) {
	for len(p.encoders) <= worker {
		p.encoders = append(p.encoders, nil)
	}
	if p.encoders[worker] == nil {
		p.encoders[worker], c.err = NewEncoder(p.opts.Level)
		if c.err != nil {
			return
		}
	}
	c.crc, c.err = p.encoders[worker].Piece(&c.data, c.text)
}

// put writes a compressed piece and empties it.
func (p *packer) put(c *piece) error {
	err := p.failed()
	if err == nil && c.err != nil {
		err = p.fail(c.err)
	}
	if err == nil {
		err = p.raw(c.data.Bytes())
	}
	p.crc = CombineCRC32(p.crc, c.crc, int64(len(c.text)))
	p.length += int64(len(c.text))
	c.text = c.text[:0]
	return err
}
