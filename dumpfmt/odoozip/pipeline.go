package odoozip

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"

	"odx/dumpfmt/deflate"
)

// finalBlock ends a deflate stream after pieces that end with a sync flush: an
// empty block, the last.
const finalBlock = "\x03\x00"

// jobCharge is what a job counts for in the budget beside its text, in bytes.
// It also bounds how many there are.
const jobCharge = 4 << 10

// maxEmptyReads is how many times in a row a reader may give nothing.
const maxEmptyReads = 100

// jobKind says what a job writes.
type jobKind uint8

const (
	wholeJob jobKind = iota // a member of one piece
	firstJob                // the first piece of a larger one
	nextJob                 // another one
	rawJob                  // a member that the caller writes
)

// A job is one thing to be written, after those before it. The goroutines
// compress are through with it when done has something.
type job struct {
	kind   jobKind
	entry  *entry
	charge int

	open   func() (io.ReadCloser, error) // gives the text; nil if it is in piece
	length int64                         // that open must give
	piece  *piece                        // nil if open gives the text
	last   bool                          // of the pieces of a member

	large *large
	raw   *RawMember

	data []byte // what is to be written
	crc  uint32 // of the text
	text int    // length of the text
	skip bool
	done chan struct{}
}

// A piece is memory for one piece of a member.
type piece struct {
	text []byte
	data bytes.Buffer
}

// A large says how the pieces of a member are to be written, which the first
// one decides.
type large struct {
	decided chan struct{} // closed when method is set
	method  uint16
}

// submit gives a job to the goroutines.
func (z *Writer) submit(j *job) error {
	j.done = make(chan struct{}, 1)
	if err := z.budget.take(z.ctx, j.charge); err != nil {
		return err
	}
	z.order <- j // neither blocks: the budget is for as many as they hold
	if j.kind != rawJob {
		z.work <- j
	}
	return nil
}

// addLarge reads a member and submits its pieces.
func (z *Writer) addLarge(e *entry, length int64, open func() (io.ReadCloser, error)) (err error) {
	src, err := open()
	if errors.Is(err, ErrSkip) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := src.Close(); err == nil {
			err = closeErr
		}
	}()
	f := &large{decided: make(chan struct{})}
	var done int64
	var ahead []byte // the first byte of the next piece
	for kind := firstJob; ; kind = nextJob {
		p := z.pieces.Get().(*piece)
		p.text, err = fill(src, append(p.text[:0], ahead...))
		if err != nil {
			return err
		}
		// One byte more than a piece says that there is another.
		last := len(p.text) <= z.opts.PieceSize
		if !last {
			ahead = append(ahead[:0], p.text[z.opts.PieceSize])
			p.text = p.text[:z.opts.PieceSize]
		}
		done += int64(len(p.text))
		if length >= 0 && (done > length || last && done < length) {
			return fmt.Errorf("%w: not %d bytes", ErrChanged, length)
		}
		j := &job{kind: kind, entry: e, piece: p, last: last, large: f, charge: z.opts.PieceSize + jobCharge}
		if kind == firstJob && last {
			j.kind = wholeJob
		}
		if err := z.submit(j); err != nil || last {
			return err
		}
	}
}

// fill reads until the text is as long as it has room, or src has ended.
func fill(src io.Reader, text []byte) ([]byte, error) {
	for empty := 0; len(text) < cap(text); {
		n, err := src.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err == io.EOF {
			return text, nil
		}
		if err != nil {
			return text, err
		}
		if empty++; n > 0 {
			empty = 0
		}
		if empty == maxEmptyReads {
			return text, io.ErrNoProgress
		}
	}
	return text, nil
}

// A packer compresses, with memory of its own for members that it reads.
type packer struct {
	z       *Writer
	encoder *flate.Writer
	own     piece
}

// compress works off jobs. After an error it only lets them pass, so that
// nobody waits for ever.
func (z *Writer) compress() {
	p := packer{z: z}
	for j := range z.work {
		if z.failed() == nil {
			if err := p.run(j); err != nil {
				_ = z.fail(fmt.Errorf("%s: %w", memberField(j.entry.name), err)) // found by the next call
			}
		}
		if j.kind == firstJob {
			close(j.large.decided)
		}
		j.done <- struct{}{}
	}
}

// run makes what is to be written for a job.
func (p *packer) run(j *job) error {
	switch {
	case j.kind == wholeJob && j.piece == nil:
		return p.readWhole(j)
	case j.kind == wholeJob:
		data, err := p.whole(j, j.piece)
		j.data = data
		return err
	}
	return p.part(j)
}

// readWhole opens and reads a member, and keeps what is to be written of it in
// as much memory as it takes.
func (p *packer) readWhole(j *job) error {
	if j.open == nil { // a directory
		j.entry.known = true
		return nil
	}
	src, err := j.open()
	if errors.Is(err, ErrSkip) {
		j.skip = true
		return nil
	}
	if err != nil {
		return err
	}
	if need := int(j.length) + 1; cap(p.own.text) < need {
		p.own.text = make([]byte, 0, need)
	}
	p.own.text, err = fill(src, p.own.text[:0:j.length+1])
	if err = errors.Join(err, src.Close()); err != nil {
		return err
	}
	if int64(len(p.own.text)) != j.length {
		return fmt.Errorf("%w: not %d bytes", ErrChanged, j.length)
	}
	data, err := p.whole(j, &p.own)
	j.data = bytes.Clone(data)
	return err
}

// whole makes the data of a member of one piece, and sets what its header says.
func (p *packer) whole(j *job, t *piece) ([]byte, error) {
	e := j.entry
	e.known, e.wide = true, false
	e.crc, e.length = crc32.ChecksumIEEE(t.text), uint64(len(t.text))
	data := t.text
	if !isPacked(t.text) {
		if err := p.deflate(t, (*flate.Writer).Close); err != nil {
			return nil, err
		}
		if pays(t.data.Len(), len(t.text)) {
			e.method = Deflate
			data = t.data.Bytes()
		}
	}
	e.size = uint64(len(data))
	return data, nil
}

// part makes the data of a piece of a member.
func (p *packer) part(j *job) error {
	t := j.piece
	j.crc, j.text = crc32.ChecksumIEEE(t.text), len(t.text)
	if j.kind == nextJob {
		<-j.large.decided // by a job that another goroutine has, or had
	}
	j.data = t.text
	if j.kind == nextJob && j.large.method == Store || j.kind == firstJob && isPacked(t.text) {
		return nil
	}
	if err := p.deflate(t, (*flate.Writer).Flush); err != nil {
		return err
	}
	if j.kind == firstJob {
		if !pays(t.data.Len(), len(t.text)) {
			return nil
		}
		j.large.method, j.entry.method = Deflate, Deflate
	}
	if j.last {
		t.data.WriteString(finalBlock)
	}
	j.data = t.data.Bytes()
	return nil
}

// deflate compresses the text of a piece, independently of any other.
func (p *packer) deflate(t *piece, end func(*flate.Writer) error) error {
	t.data.Reset()
	if p.encoder == nil {
		var err error
		if p.encoder, err = flate.NewWriter(&t.data, p.z.opts.Level); err != nil {
			return err
		}
	}
	p.encoder.Reset(&t.data)
	if _, err := p.encoder.Write(t.text); err != nil {
		return err
	}
	return end(p.encoder)
}

// emit writes what the jobs have made, in order. After an error it only lets
// them pass.
func (z *Writer) emit() {
	for j := range z.order {
		if j.kind == rawJob {
			j.raw.pass()
		} else {
			<-j.done
		}
		if z.failed() == nil {
			if err := z.write(j); err != nil {
				_ = z.fail(err) // found by the next call
			}
		}
		if j.piece != nil {
			z.pieces.Put(j.piece)
		}
		z.budget.give(j.charge)
	}
}

// write writes a job's part of the file.
func (z *Writer) write(j *job) error {
	e := j.entry
	if j.skip {
		return nil
	}
	if j.kind == wholeJob || j.kind == firstJob {
		if err := z.out.begin(e); err != nil {
			return err
		}
	}
	if _, err := z.out.Write(j.data); err != nil {
		return err
	}
	if j.kind == firstJob || j.kind == nextJob {
		e.crc = deflate.CombineCRC32(e.crc, j.crc, int64(j.text))
		e.length += uint64(j.text)
		e.size += uint64(len(j.data))
	}
	if j.kind == wholeJob || j.kind == rawJob || j.last {
		return z.out.end(e)
	}
	return nil
}
