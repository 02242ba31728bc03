package filestore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"odx/dumpfmt"
)

// stays decides, when merging, about a name that source and target both have:
// whether the target's file is kept. Otherwise the source's is to be copied from
// its start. Both are read to their ends; there are few of them.
func (w *worker) stays(ctx context.Context, p *pair, name string, in file, have meta) (bool, error) {
	if have.kind != kindFile {
		w.differs(p.join(name))
		return true, nil
	}
	there, _, err := p.dst.open(name)
	if err != nil {
		return false, err
	}
	defer there.close()
	ours, err := w.digest(ctx, there)
	if err != nil {
		return false, p.dst.fail("read", name, err)
	}
	theirs, err := w.digest(ctx, in)
	switch {
	case err != nil && ctx.Err() == nil:
		return false, readError{err}
	case err != nil:
		return false, err
	case ours == theirs:
		w.same.Add(1)
		return true, nil
	}
	rel := p.join(name)
	w.differs(rel)
	if !dumpfmt.IsHashPath(rel) || !strings.HasSuffix(rel, theirs) {
		return true, nil
	}
	if err := in.rewind(); err != nil {
		return false, readError{err}
	}
	return false, nil
}

// differs notes that the target has something else at a path in the tree.
func (c *copier) differs(rel string) {
	c.differ.Add(1)
	c.differing.add(rel)
}

// digest reads a file to its end and gives its SHA-1 in hexadecimal digits.
func (w *worker) digest(ctx context.Context, f file) (string, error) {
	if w.buf == nil {
		w.buf = make([]byte, bufSize)
	}
	sum := sha1.New()
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.read(w.buf)
		if err != nil {
			return "", err
		}
		if n == 0 {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		sum.Write(w.buf[:n])
	}
}

// hardLink gives a file a second name in the target, if it may have one. Where it
// does not, the file is to be copied, or is there.
func (w *worker) hardLink(p *pair, name string) (linked bool, err error) {
	m, err := p.src.stat(name)
	if err != nil || m.kind != kindFile {
		return false, nil // whoever copies it says why not
	}
	if !w.Permissions.suit(m) {
		w.why = fmt.Errorf("it has owner %d:%d and mode %04o, and is to have %s", m.uid, m.gid, m.mode, w.Permissions)
		return false, nil
	}
	if w.cannotLink.Load() {
		w.why = syscall.EXDEV
		return false, nil
	}
	err = p.dst.link(p.src, name)
	switch {
	case err == nil:
		w.hardLinked.Add(1)
		w.Counters.Bytes.Add(m.size)
		w.counted(m.size)
		return true, nil
	case errors.Is(err, syscall.EXDEV):
		w.cannotLink.Store(true)
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission),
		errors.Is(err, syscall.EMLINK), errors.Is(err, errors.ErrUnsupported):
	default:
		return false, err
	}
	w.why = errors.Unwrap(err)
	return false, nil
}

// noteNotLinked counts a file that was to be linked, and was copied.
func (w *worker) noteNotLinked(p *pair, name string) {
	if w.why != nil {
		w.notLinked.Add(1)
		w.unlinked.add(Problem{Path: filepath.Join(p.src.path, name), Err: w.why})
	}
}
