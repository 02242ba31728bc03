package odoozip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// Errors of Writer.
var (
	// ErrSkip is what the open function of Writer.Add returns to leave the
	// member out.
	ErrSkip = errors.New("member left out")
	// ErrClosed is returned when a Writer is used after Close or Abort.
	ErrClosed = errors.New("zip writer is closed")
	// ErrChanged is returned for a member that is not as long as was said.
	ErrChanged = errors.New("changed while it was read")
)

// DefaultPieceSize is the text in a piece if Options do not say otherwise.
const DefaultPieceSize = 1 << 20

// maxPieceSize keeps the memory of a piece within reason, and the sizes of a
// member of one piece within 32 bits.
const maxPieceSize = 256 << 20

// Options say how a zip is written. The zero value is good.
type Options struct {
	// Level is the compression level, 1 (fast, the default) to 9 (small).
	Level int
	// Jobs is how many cores compress, 1 if not set. The bytes written are the
	// same for any number.
	Jobs int
	// PieceSize is the text that is compressed at a time in bytes,
	// DefaultPieceSize if not set, 256 MiB at most. Larger members are made of
	// several pieces, which are compressed at once and grow a little.
	PieceSize int
	// Comment is that of the whole archive, at most 65535 bytes.
	Comment string
}

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
	switch {
	case o.Level < 1 || o.Level > 9:
		return o, fmt.Errorf("compression level %d is not in 1 to 9", o.Level)
	case o.Jobs < 1:
		return o, fmt.Errorf("%d jobs cannot compress", o.Jobs)
	case o.PieceSize < 1 || o.PieceSize > maxPieceSize:
		return o, fmt.Errorf("piece size %d is not in 1 to %d", o.PieceSize, maxPieceSize)
	case len(o.Comment) > none16:
		return o, fmt.Errorf("comment of %d bytes", len(o.Comment))
	}
	return o, nil
}

// A Header says what a member is.
type Header struct {
	// Name must pass CheckMember. A directory's ends with a slash.
	Name string
	// Modified is written as its wall clock says, in steps of two seconds.
	Modified time.Time
	// Mode has the permissions; 0 stands for 0600, or 0700 for a directory.
	Mode fs.FileMode
	// Length is that of the text in bytes, -1 if it is not known. Text of
	// another length is an error.
	Length int64
}

// A Writer writes a zip from the beginning to the end. Members lie in it in the
// order of the calls, whichever is ready first.
//
// Its memory is some eight pieces for each job and six more, the tables of the
// encoders (about 1 MiB a job), and the directory: some 100 bytes a member.
//
// Methods may be called from one goroutine at a time, those of a RawMember from
// another one. After an error of the file or of a member every method returns
// that error.
type Writer struct {
	opts   Options
	ctx    context.Context // ends with the first error
	cancel context.CancelCauseFunc
	out    *output // emit's

	budget  *budget
	work    chan *job
	order   chan *job
	pieces  sync.Pool // of *piece
	workers sync.WaitGroup
	emitter sync.WaitGroup
	closed  bool
	end     error // what Close returns once closed
}

// NewWriter returns a Writer that writes to w, which need not seek. It has
// goroutines until Close or Abort. When ctx ends, calls end with its cause;
// reads and writes that are under way are waited for. The caller closes w.
func NewWriter(ctx context.Context, w io.Writer, opts Options) (*Writer, error) {
	opts, err := opts.filled()
	if err != nil {
		return nil, err
	}
	window := (2*opts.Jobs + 2) * (opts.PieceSize + jobCharge)
	z := &Writer{
		opts: opts, out: newOutput(w), budget: newBudget(window),
		work: make(chan *job, window/jobCharge), order: make(chan *job, window/jobCharge),
	}
	z.pieces.New = func() any { return &piece{text: make([]byte, 0, opts.PieceSize+1)} }
	z.ctx, z.cancel = context.WithCancelCause(ctx)
	for range opts.Jobs {
		z.workers.Go(z.compress)
	}
	z.emitter.Go(z.emit)
	return z, nil
}

// fail makes err the Writer's error unless it has one. It returns that.
func (z *Writer) fail(err error) error {
	z.cancel(err)
	return z.failed()
}

func (z *Writer) failed() error { return context.Cause(z.ctx) }

// usable returns why the Writer cannot be used any more.
func (z *Writer) usable() error {
	if err := z.failed(); err != nil {
		return err
	}
	if z.closed {
		return ErrClosed
	}
	return nil
}

// entry makes the entry of a member of unknown size.
func (h *Header) entry() (*entry, error) {
	if err := CheckMember(h.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", memberField(h.Name), err)
	}
	e := &entry{name: h.Name, dos: toDOS(h.Modified), wide: h.Length < 0 || h.Length >= wideFrom}
	perm := uint32(h.Mode.Perm())
	if strings.HasSuffix(h.Name, "/") {
		if perm == 0 {
			perm = 0o700
		}
		const dosDirectory = 0x10
		e.mode = (unixDir|perm)<<16 | dosDirectory
		return e, nil
	}
	if perm == 0 {
		perm = 0o600
	}
	e.mode = (unixRegular | perm) << 16
	return e, nil
}

// Add adds a member with the text that open gives, which is closed at its end.
// For a directory open is nil. A text that is known to fit into one piece is
// read by one of the goroutines, after Add has returned and perhaps together
// with others; any other is read before Add returns. Where the file is the
// bottleneck, Add waits. If open returns ErrSkip there will be no such member.
func (z *Writer) Add(h Header, open func() (io.ReadCloser, error)) error {
	if err := z.usable(); err != nil {
		return err
	}
	e, err := h.entry()
	if err != nil {
		return err
	}
	isDir := strings.HasSuffix(h.Name, "/")
	if isDir != (open == nil) || isDir && h.Length != 0 {
		return fmt.Errorf("%s: a directory has no content, and a file has", memberField(h.Name))
	}
	if isDir || h.Length >= 0 && h.Length <= int64(z.opts.PieceSize) {
		return z.submit(&job{kind: wholeJob, entry: e, open: open, length: h.Length, charge: int(h.Length) + jobCharge})
	}
	if err := z.addLarge(e, h.Length, open); err != nil {
		return z.fail(fmt.Errorf("%s: %w", memberField(h.Name), err))
	}
	return nil
}

// Close waits for all members, writes the directory and gives all that is
// buffered to the file, which it does not close. Closing again returns the
// same error. A RawMember that has not been closed makes it wait.
func (z *Writer) Close() error {
	if z.closed {
		return z.end
	}
	z.stop()
	z.end = z.failed()
	if z.end == nil {
		z.end = z.out.finish(z.opts.Comment)
	}
	z.cancel(ErrClosed) // stays whatever failed before
	return z.end
}

// Abort gives up the file: it waits for the goroutines, and with them for reads
// and writes that are under way, and writes nothing more. It does nothing after
// Close, so it can be deferred.
func (z *Writer) Abort() {
	if z.closed {
		return
	}
	z.end = z.fail(ErrClosed) // stays whatever failed before
	z.stop()
}

// stop ends the goroutines and waits for them.
func (z *Writer) stop() {
	z.closed = true
	close(z.work)
	close(z.order)
	z.workers.Wait()
	z.emitter.Wait()
}

// Written is how many bytes of the file have been written so far. It may be
// called at any time.
func (z *Writer) Written() int64 { return z.out.written.Load() }
