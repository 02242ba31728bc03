package convert

import (
	"io"
	"sync"

	"odx/dumpfmt/deflate"
)

// blockList has the blocks of a stream that is read, in order, as far as they
// can be reused: there are few of them for the text that they have.
type blockList struct{ list []deflate.Block }

func (l *blockList) add(b deflate.Block) {
	if b.Reusable() {
		l.list = append(l.list, b)
	}
}

// ahead reads a stream from a goroutine of its own, so that inflating it and
// what is done with the text go on at the same time. Its methods are for one
// goroutine.
type ahead struct {
	filled, empty chan *aheadChunk
	quit          chan struct{}
	worker        sync.WaitGroup

	cur    *aheadChunk
	text   []byte          // of cur, not read yet
	taken  int64           // bytes of all chunks up to cur
	blocks []deflate.Block // that end in what was read of the stream lately, not given yet
	err    error
}

// aheadChunk is text that is handed over at once. Chunks are full but for the
// last, so that which blocks come with which text is the same in each run.
type aheadChunk struct {
	buf    []byte
	text   []byte // of buf
	blocks []deflate.Block
	err    error // after the text
}

// There are so many chunks of so many bytes: one is read, the others are filled
// meanwhile.
const (
	aheadChunks = 4
	aheadSize   = 256 << 10
)

// readAhead starts to read r, which adds to blocks.
func readAhead(r io.Reader, blocks *blockList) *ahead {
	a := &ahead{filled: make(chan *aheadChunk, aheadChunks), empty: make(chan *aheadChunk, aheadChunks), quit: make(chan struct{})}
	for range aheadChunks {
		a.empty <- &aheadChunk{buf: make([]byte, aheadSize)}
	}
	a.worker.Go(func() {
		defer close(a.filled)
		for {
			select {
			case c := <-a.empty:
				c.fill(r, blocks)
				a.filled <- c // there is room for all chunks
				if c.err != nil {
					return
				}
			case <-a.quit:
				return
			}
		}
	})
	return a
}

// fill reads a chunk.
func (c *aheadChunk) fill(r io.Reader, blocks *blockList) {
	blocks.list = c.blocks[:0]
	n := 0
	for n < len(c.buf) && c.err == nil {
		var m int
		m, c.err = r.Read(c.buf[n:])
		n += m
	}
	c.text, c.blocks = c.buf[:n], blocks.list
}

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.text) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.cur != nil {
			a.empty <- a.cur // there is room for all chunks
		}
		a.cur = <-a.filled
		a.text, a.err = a.cur.text, a.cur.err
		a.taken += int64(len(a.text))
		a.forget(a.taken - aheadKept)
		a.blocks = append(a.blocks, a.cur.blocks...)
	}
	n := copy(p, a.text)
	a.text = a.text[n:]
	return n, nil
}

// aheadKept is how much text a block may end before what was read last, in
// bytes, to be of use still: more than a scanner holds of rows. So there are
// few of them whatever the script is.
const aheadKept = 4 << 20

// forget drops the blocks that end before an offset of the text.
func (a *ahead) forget(offset int64) {
	for len(a.blocks) > 0 && a.blocks[0].Text+a.blocks[0].Length < offset {
		a.blocks = a.blocks[1:]
	}
}

// stop ends reading and waits for the goroutine.
func (a *ahead) stop() {
	close(a.quit)
	a.worker.Wait()
}

// deflated is a script that is a deflate stream, and the blocks of that.
type deflated struct {
	raw  *io.SectionReader // the stream
	text *ahead
}

// next gives the next block that ends in the script's text from one offset to
// another, both included, and forgets those that end before.
func (d *deflated) next(from, to int64) (deflate.Block, bool) {
	d.text.forget(from)
	list := d.text.blocks
	if len(list) == 0 || list[0].Text+list[0].Length > to {
		return deflate.Block{}, false
	}
	d.text.blocks = list[1:]
	return list[0], true
}
