package deflate

import "io"

// A Writer writes a gzip file in pieces that can be joined without decoding;
// the package comment has its bytes. Its memory is some two pieces and the
// tables of an encoder (about 1 MiB) for each job, and a piece more; less for
// short texts.
//
// After an error of the file every method returns that error. A Writer may not
// be used from several goroutines at once.
type Writer struct {
	pack   packer
	begun  bool // the header is written
	closed bool
	layout Layout
}

var (
	_ io.WriteCloser = (*Writer)(nil)
	_ io.ReaderFrom  = (*Writer)(nil)
)

// NewWriter returns a Writer that writes to w. Nothing is written before the
// first text. The caller closes w after Close.
func NewWriter(w io.Writer, opts Options) (*Writer, error) {
	opts, err := opts.filled()
	if err != nil {
		return nil, err
	}
	return &Writer{pack: packer{dst: w, opts: opts}}, nil
}

// Reset makes a Writer that is closed or aborted start another file, with the
// same options. It saves making buffers and encoders for each of many files.
// A Writer in use is aborted first.
func (w *Writer) Reset(dst io.Writer) {
	w.Abort()
	w.pack.reset(dst)
	w.begun, w.closed, w.layout = false, false, Layout{}
}

// begin writes the header.
func (w *Writer) begin() error {
	if w.closed {
		return w.closedError()
	}
	if w.begun {
		return nil
	}
	w.begun = true
	if err := w.pack.raw([]byte(piecesHeader)); err != nil {
		return err
	}
	w.pack.size = 0
	return nil
}

// Write adds text. With several jobs, an error may be that of earlier text.
func (w *Writer) Write(text []byte) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.pack.Write(text)
}

// ReadFrom adds the text of src up to its end. After an error of src, more can
// be written.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.pack.ReadFrom(src)
}

// Close writes the rest of the file and waits for the goroutines. It does not
// close the file. Closing again returns the same error.
func (w *Writer) Close() error {
	if w.closed {
		return w.pack.failed()
	}
	err := w.begin()
	if err == nil {
		err = w.pack.flush()
	}
	w.pack.stop()
	w.closed = true
	if err != nil {
		return err
	}
	w.layout = NewLayout(w.pack.size, w.pack.crc, w.pack.length)
	return w.pack.raw(w.layout.Tail())
}

// Abort gives up a file that cannot be finished: it waits for the goroutines,
// and with them for a write that is under way, and writes nothing more. It
// does nothing after Close, so it can be deferred.
func (w *Writer) Abort() {
	if w.closed {
		return
	}
	_ = w.pack.fail(ErrClosed) // stays whatever failed before
	w.pack.stop()
	w.closed = true
}

// closedError is what a closed Writer returns: why it failed, or ErrClosed.
func (w *Writer) closedError() error {
	if err := w.pack.failed(); err != nil {
		return err
	}
	return ErrClosed
}

// Layout returns the parts of the file, after Close without an error.
func (w *Writer) Layout() Layout { return w.layout }
