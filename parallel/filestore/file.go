package filestore

import (
	"context"
	"errors"
	"hash"
	"io/fs"
	"path/filepath"

	"odx/dumpfmt"
)

// worker copies files, one after the other.
type worker struct {
	*copier
	buf []byte    // made when it is needed
	sum hash.Hash // of the file being copied; nil if nobody wants it
	why error     // the file being copied was not linked; nil if it was not to be
}

// readError is an error of the source. It ends the copy of that file only.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// batch copies some files of one folder and releases the pair.
func (w *worker) batch(ctx context.Context, b batch) (err error) {
	defer func() { err = errors.Join(err, b.pair.release(err == nil)) }()
	for _, e := range b.entries {
		if err := w.file(ctx, b.pair, e.name); err != nil {
			return err
		}
	}
	return nil
}

// file copies a file. The error is one of writing, or the context's.
func (w *worker) file(ctx context.Context, p *pair, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.why = nil; w.HardLink {
		if linked, err := w.hardLink(p, name); linked || err != nil {
			return err
		}
	}
	in, m, err := p.src.open(name)
	if err != nil {
		w.missed(filepath.Join(p.src.path, name), err)
		return nil
	}
	defer in.close()
	if m.kind != kindFile {
		w.skip(filepath.Join(p.src.path, name), ErrNotFile)
		return nil
	}
	size, err := w.take(ctx, p, name, in, m)
	if missing := (readError{}); errors.As(err, &missing) {
		w.missed(filepath.Join(p.src.path, name), missing.error)
		return nil
	}
	if err == nil && size >= 0 {
		w.counted(size)
	}
	return err
}

// take copies an open file, unless the target has it, and gives its size: -1 if
// it does not count. It is a readError that the file is not there because it
// could not be read.
func (w *worker) take(ctx context.Context, p *pair, name string, in file, m meta) (size int64, err error) {
	out, is, err := w.create(ctx, p, name, in, m)
	switch {
	case err != nil || is == isOther:
		return -1, err
	case is == isPresent && w.Merge: // whoever put it there
		w.same.Add(1)
		return -1, nil
	case is == isPresent:
		w.present.Add(1)
		w.Counters.Bytes.Add(m.size)
		return m.size, nil
	}
	if size, err = w.fill(ctx, p, name, in, out, m); err != nil {
		if errors.As(err, &readError{}) {
			if gone := p.dst.remove(name); gone != nil {
				return -1, gone
			}
		}
		return -1, err
	}
	w.noteNotLinked(p, name)
	return size, nil
}

// counted counts a file of the copy.
func (w *worker) counted(size int64) {
	w.files.Add(1)
	w.bytes.Add(size)
	w.Counters.Files.Add(1)
}

// origin is where a file of the target comes from.
type origin uint8

const (
	isNew     origin = iota // it is to be copied now
	isPresent               // an earlier attempt has copied it
	isOther                 // it was there, and stays; see Options.Merge
)

// create makes the file of the copy, unless an earlier attempt has copied it:
// its time is set last. A file that it had begun is made anew.
func (w *worker) create(ctx context.Context, p *pair, name string, in file, m meta) (out file, is origin, err error) {
	out, err = p.dst.create(name)
	if !errors.Is(err, fs.ErrExist) {
		return out, isNew, err
	}
	have, err := p.dst.stat(name)
	if err != nil {
		return file{}, isNew, err
	}
	if have.kind == kindFile && have.size == m.size && have.mtime.Equal(m.mtime) {
		return file{}, isPresent, nil
	}
	if w.Merge {
		if stays, err := w.stays(ctx, p, name, in, have); stays || err != nil {
			return file{}, isOther, err
		}
	}
	if err := p.dst.remove(name); err != nil {
		return file{}, isNew, err
	}
	out, err = p.dst.create(name)
	return out, isNew, err
}

// fill copies the content into the new file and gives it its owner, mode and
// time. It closes it.
func (w *worker) fill(ctx context.Context, p *pair, name string, in, out file, m meta) (size int64, err error) {
	w.sum = w.Verification.begin(p.join(name))
	size, err = w.content(ctx, in, out, m.size)
	if err == nil && w.Permissions != nil {
		err = out.give(w.Permissions.UID, w.Permissions.GID, w.Permissions.FileMode)
	}
	if closeErr := out.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		w.Counters.Bytes.Add(-size)
		if errors.As(err, &readError{}) || ctx.Err() != nil {
			return size, err
		}
		return size, p.dst.fail("write", name, err)
	}
	if now, err := in.stat(); err != nil || now.size != size || !now.mtime.Equal(m.mtime) {
		w.changed.Add(1)
		if rel := p.join(name); dumpfmt.IsHashPath(rel) {
			w.changing.add(rel)
		}
	}
	w.Verification.end(w.sum, p.join(name))
	return size, p.dst.keepTime(name, m.mtime)
}

// content copies up to size bytes, fewer if the file has shrunk. Errors of the
// source are readErrors.
func (w *worker) content(ctx context.Context, in, out file, size int64) (done int64, err error) {
	for done < size {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		n, err := w.piece(in, out, min(size-done, pieceSize))
		done += n
		w.Counters.Bytes.Add(n)
		if err != nil || n == 0 {
			return done, err
		}
	}
	return done, nil
}

// piece copies up to n bytes; 0 means the end of the file. If the kernel does
// not copy the piece by itself it passes through the worker's buffer, which
// also tells errors of reading from errors of writing, and which takes the digest.
func (w *worker) piece(in, out file, n int64) (int64, error) {
	if w.sum == nil && !w.plain.Load() {
		done, lasting, err := out.copyRange(in, n)
		if err == nil && done > 0 {
			return done, nil
		}
		if lasting {
			w.plain.Store(true)
		}
	}
	if w.buf == nil {
		w.buf = make([]byte, bufSize)
	}
	var done int64
	for done < n {
		got, err := in.read(w.buf[:min(n-done, bufSize)])
		if err != nil {
			return done, readError{err}
		}
		if got == 0 {
			break
		}
		if err := out.write(w.buf[:got]); err != nil {
			return done, err
		}
		if w.sum != nil {
			w.sum.Write(w.buf[:got])
		}
		done += int64(got)
	}
	return done, nil
}
