package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"odx/dumpfmt"
	"odx/parallel/filestore"
)

// ErrLinkDest is returned, before the database is read, when files cannot be
// hard-linked from the earlier backup that was named.
var ErrLinkDest = errors.New("files cannot be linked from the earlier backup")

// previous is the earlier backup that files are linked from.
type previous struct {
	dir    string // without links on the way
	use    *dumpfmt.InUse
	wrong  map[string]bool // files that are not to be linked
	linked int64
}

func (p *previous) close() {
	if p != nil {
		p.use.Close()
	}
}

// openPrevious makes sure that files can be linked from the earlier backup, and
// keeps it from being removed. Where it does not say which files are whole, that
// is a warning: the backup is then made as without.
func (r *run) openPrevious() error {
	dir, err := filepath.EvalSymlinks(r.LinkDest)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLinkDest, err)
	}
	layout, err := dumpfmt.Detect(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLinkDest, err)
	}
	if layout != dumpfmt.LayoutFast {
		return fmt.Errorf("%w: %s is a %s, not a folder that odx dump made", ErrLinkDest, dir, layout)
	}
	record, err := dumpfmt.ReadRecord(filepath.Join(dir, dumpfmt.RecordFile))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLinkDest, err)
	}
	if why := unproven(record); why != "" {
		r.warn("no files are linked from %s, all are copied: %s", dir, why)
		return nil
	}
	use, err := dumpfmt.Use(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLinkDest, err)
	}
	p := &previous{dir: dir, use: use, wrong: map[string]bool{}}
	if err := r.tryLink(dir); err != nil {
		p.close()
		return err
	}
	for _, name := range record.Filestore.SHA1.Files {
		p.wrong[name] = true
	}
	r.previous = p
	return nil
}

// unproven says why a record does not prove which files are whole; "" if it
// does.
func unproven(record *dumpfmt.Record) string {
	switch f := record.Filestore; {
	case f == nil:
		return "it has no filestore"
	case f.SHA1 == nil:
		return "their SHA-1 was not verified when that backup was made (--verify-filestore); it is now"
	case f.SHA1.Wrong != int64(len(f.SHA1.Files)):
		return fmt.Sprintf("%d of them had a wrong SHA-1, more than odx.json names", f.SHA1.Wrong)
	}
	return ""
}

// tryLink finds out whether files of the earlier backup can have a second name
// in the new one.
func (r *run) tryLink(dir string) error {
	probe := filepath.Join(r.dir.Path(), "link.tmp")
	if err := os.Link(filepath.Join(dir, dumpfmt.RecordFile), probe); err != nil {
		return fmt.Errorf("%w: both have to be on one file system that has hard links, and belong to one user: %w", ErrLinkDest, err)
	}
	return os.Remove(probe)
}

// linkPrevious links what has not changed since the earlier backup.
func (r *run) linkPrevious(ctx context.Context) error {
	if r.previous == nil {
		return nil
	}
	list, err := os.Open(r.spoolFile())
	if err != nil {
		return err
	}
	defer list.Close()
	result, err := filestore.Link(ctx, list, filestore.LinkOptions{
		Source: r.Filestore, From: filepath.Join(r.previous.dir, dumpfmt.FilestoreDir), Target: r.storeDir(),
		Except: r.previous.wrong, Jobs: r.Jobs,
	})
	if err != nil {
		return fmt.Errorf("link files of %s: %w", r.previous.dir, err)
	}
	if result.NotLinked > 0 {
		r.warn("%d files of %s were copied, not linked (%s)", result.NotLinked, r.previous.dir, result.Why)
	}
	r.previous.linked += result.Links // a second attempt links only what is new
	r.step("filestore linked")
	return nil
}

// sha1Record says what is known of the files' SHA-1; nil if they were not
// looked at.
func (r *run) sha1Record() *dumpfmt.SHA1Record {
	if r.verification == nil {
		return nil
	}
	rec := &dumpfmt.SHA1Record{Copied: r.verification.Right()}
	rec.Wrong, rec.Files = r.verification.Wrong()
	if p := r.previous; p != nil {
		rec.Linked, rec.From = p.linked, p.dir
	}
	if rec.Wrong > 0 {
		r.warn("%d files of the filestore do not have the SHA-1 that is their name (such as %s): damaged, or still being written", rec.Wrong, first(rec.Files))
	}
	return rec
}
