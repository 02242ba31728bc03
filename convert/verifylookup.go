package convert

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// storeIndex tells the sizes of the files in a filestore. Its methods may be
// called from several goroutines.
type storeIndex interface {
	// size gives -1 where there is no such file.
	size(rel string) (int64, error)
	close()
}

// noIndex is that of a dump that has no filestore: nothing is looked up, and if
// attachments have files there, that is a finding of the kind in note, if any.
type noIndex struct{ note finding }

func (noIndex) size(string) (int64, error) { return -1, nil }
func (noIndex) close()                     {}

// folderIndex is a filestore in a folder. Links in it are followed as far as
// they stay inside.
type folderIndex struct{ root *os.Root }

func (f folderIndex) size(rel string) (int64, error) {
	info, err := f.root.Stat(filepath.FromSlash(rel))
	if err == nil && info.Mode().IsRegular() {
		return info.Size(), nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return -1, err
	}
	return -1, nil
}

func (f folderIndex) close() { _ = f.root.Close() } // open for reading

// folderIndex opens the filestore of a folder, "" if it has none.
func (v *verifier) folderIndex(store string, beside bool, record *dumpfmt.Record) (storeIndex, error) {
	var had *dumpfmt.FilestoreRecord
	if record != nil {
		had = record.Filestore
	}
	switch {
	case store != "":
		root, err := os.OpenRoot(store)
		return folderIndex{root}, err
	case had != nil && had.Files > 0:
		v.found.add(noStore, dumpfmt.FilestoreDir, place{}, "the folder is missing")
		return noIndex{}, nil
	case beside && (record == nil || had != nil): // an empty folder gets lost on the way
		return noIndex{missingFile}, nil
	case beside:
		return noIndex{leftOut}, nil
	}
	return noIndex{}, nil
}

// zipIndex is a filestore in a zip.
type zipIndex struct{ z *odoozip.Reader }

func (x zipIndex) size(rel string) (int64, error) {
	m := x.z.Find(odoozip.FilestoreDir + rel)
	if m == nil || !isStored(m) {
		return -1, nil
	}
	return m.Length, nil
}

func (zipIndex) close() {}

// isStored tells whether a member is a file of the filestore.
func isStored(m *odoozip.Member) bool { return m.Kind == odoozip.KindFilestore && !m.Hidden }

// hasStore tells whether there is a filestore in the zip.
func hasStore(z *odoozip.Reader) bool {
	for i := range z.Members {
		if isStored(&z.Members[i]) {
			return true
		}
	}
	return false
}

// lookups holds the attachments of the dump against the filestore, on Jobs
// workers. Who feeds work closes it.
type lookups struct {
	v     *verifier
	index storeIndex
	work  chan []attachment

	rows, named atomic.Int64
}

func (v *verifier) lookUp(ctx context.Context, g *errgroup.Group, index storeIndex) *lookups {
	l := &lookups{v: v, index: index, work: make(chan []attachment, v.Jobs)}
	for range v.Jobs {
		g.Go(func() error {
			for batch := range l.work {
				for i := range batch {
					if err := ctx.Err(); err != nil {
						return err
					}
					l.check(&batch[i])
				}
			}
			return nil
		})
	}
	return l
}

// check looks up one attachment.
func (l *lookups) check(a *attachment) {
	l.rows.Add(1)
	paths := dumpfmt.StorePaths(a.fname)
	if paths == nil {
		return
	}
	l.named.Add(1)
	if _, none := l.index.(noIndex); none {
		return
	}
	rel, got, err := l.find(paths)
	where := dumpfmt.FilestoreDir + "/" + rel
	at := place{row: a.row}
	found := &l.v.found
	switch {
	case err != nil:
		found.add(unreadable, where, at, err.Error())
	case got < 0:
		found.addLazy(missingFile, where, at, func() string { return "missing, and a row of ir_attachment names it" })
	case a.size >= 0 && a.size != got && dumpfmt.IsHashPath(rel): // if it is not what the name says, that is found by itself
		found.addLazy(oddSize, where, at, func() string { return sizes(got, a.size) + " by the row of ir_attachment" })
	case a.size >= 0 && a.size != got:
		found.addLazy(badSize, where, at, func() string { return sizes(got, a.size) + " by the row of ir_attachment" })
	case a.checksum != "" && dumpfmt.IsSHA1Name(base(rel)) && a.checksum != base(rel):
		found.addLazy(oddChecksum, where, at, func() string { return "checksum " + a.checksum })
	}
}

// find gives the size of the first of the paths that is a file, -1 if none is.
func (l *lookups) find(paths []string) (rel string, size int64, err error) {
	for _, rel := range paths {
		if size, err = l.index.size(rel); size >= 0 || err != nil {
			return rel, size, err
		}
	}
	return paths[0], -1, nil
}

func base(rel string) string { return rel[strings.LastIndexByte(rel, '/')+1:] }

// end says what was looked up, when all workers have ended.
func (l *lookups) end() {
	l.v.report.Attachments, l.v.report.Named = l.rows.Load(), l.named.Load()
	t := &l.v.tables
	l.v.report.Tables, l.v.report.Rows, l.v.report.TextBytes = t.tables.Load(), t.rows.Load(), t.bytes.Load()
	l.v.report.Digests = t.digests.Load()
	none, ok := l.index.(noIndex)
	if !ok || none.note.kind == "" || l.named.Load() == 0 {
		return
	}
	l.v.found.add(none.note, "", place{}, formatCount(l.named.Load())+" attachments have their file in a filestore, and there is none in this dump")
}
