package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/rebuild"
	"odx/dumpfmt/render"
)

// side is one of two dumps that are compared.
type side struct {
	path   string
	layout dumpfmt.Layout
	meter  Meter

	zip     *odoozip.Reader // nil if it is none
	dump    *odoozip.Member
	file    *os.File // of a zip or script
	use     *dumpfmt.InUse
	archive *pgarchive.Archive

	definitions, data, extra map[string]digested
	manifest                 []byte
}

func openSide(path string, meter Meter) (*side, error) {
	s := &side{path: path, meter: meter, definitions: map[string]digested{}, data: map[string]digested{}}
	var err error
	if s.layout, err = dumpfmt.Detect(path); err != nil {
		return nil, err
	}
	if s.use, err = dumpfmt.UseSource(path); err != nil {
		return nil, err
	}
	switch s.layout {
	case dumpfmt.LayoutZip:
		s.zip, s.dump, s.file, err = openZip(path)
	case dumpfmt.LayoutScript, dumpfmt.LayoutPackedScript:
		s.file, err = os.Open(path)
	default:
		s.archive, err = openArchive(path, s.layout)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *side) close() {
	s.use.Close()
	if s.file != nil {
		_ = s.file.Close() // only read
	}
}

// hasOwners tells whether there are owners to be compared: scripts mostly have
// none, nor have archives that were made of such.
func (s *side) hasOwners() bool {
	return s.archive != nil && slices.ContainsFunc(s.archive.TOC.Entries, func(e pgarchive.Entry) bool { return e.Owner.String != "" })
}

// readText reads all definitions and data, of an archive those that its script
// would have.
func (s *side) readText(ctx context.Context, noOwner bool) error {
	text, stop, err := s.text(ctx, noOwner)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	ahead := readAhead(&source{ctx: ctx, r: text, meter: s.meter}, &blockList{})
	result, err := rebuild.Read(ahead, sideSink{s}, rebuild.Options{Name: odoozip.DumpName})
	ahead.stop()
	stop()
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	for i := range result.TOC.Entries {
		s.define(&result.TOC.Entries[i], noOwner)
	}
	return nil
}

// text opens the script. Stop ends it.
func (s *side) text(ctx context.Context, noOwner bool) (_ io.Reader, stop func(), err error) {
	switch {
	case s.zip != nil:
		r, err := s.zip.Open(s.dump)
		if err != nil {
			return nil, nil, err
		}
		return r, func() { _ = r.Close() }, nil
	case s.file != nil:
		r, err := plainText(s.layout, s.file)
		return r, func() {}, err
	}
	printed, err := render.New(s.archive, render.Options{NoOwner: noOwner, RestrictKey: "odx"})
	if err != nil {
		return nil, nil, err
	}
	r, w := io.Pipe()
	var printing sync.WaitGroup
	printing.Go(func() { w.CloseWithError(printTo(ctx, w, printed)) })
	return r, func() { r.CloseWithError(errStopped); printing.Wait() }, nil
}

// printTo writes a script.
func printTo(ctx context.Context, w io.Writer, s scriptText) error {
	for piece, err := range s.Pieces() {
		if err == nil && piece.Data == nil {
			_, err = w.Write(piece.SQL)
		} else if err == nil {
			_, err = s.PrintData(ctx, w, piece.Data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// define digests the definition of an entry. Several of one name, such as
// comments, make one.
func (s *side) define(e *pgarchive.Entry, noOwner bool) {
	if e.HadDumper {
		return
	}
	owner := e.Owner.String
	if noOwner {
		owner = "" // a script may have it all the same
	}
	name := strings.TrimSpace(e.Desc + " " + strings.TrimPrefix(e.Namespace.String+"."+e.Tag, "."))
	h := newDigest()
	before := s.definitions[name]
	fmt.Fprintf(h, "%s%q%q%q%q", before.sum, e.Defn.String, owner, e.Tablespace.String, e.TableAM.String)
	sum := h.end()
	s.definitions[name] = digested{before.bytes + int64(len(e.Defn.String)), sum.sum}
}

// sideSink digests the data of a script.
type sideSink struct{ s *side }

func (k sideSink) Table(e *pgarchive.Entry, _ int64) (io.WriteCloser, error) {
	name := tableName(e)
	if strings.Count(name, ".") > 1 { // a."b.c" is not "a.b".c
		name = fmt.Sprintf("%q.%q", e.Namespace.String, e.Tag)
	}
	d := newDigest()
	_, _ = io.WriteString(d, e.CopyStmt.String) // its columns belong to the data
	d.bytes = 0
	return dataDigest{d, k.s.data, name}, nil
}

func (k sideSink) LargeObject(_ pgarchive.DumpID, oid uint32, _ int64) (io.WriteCloser, error) {
	return dataDigest{newDigest(), k.s.data, fmt.Sprintf("large object %d", oid)}, nil
}

// dataDigest keeps the digest of some data when they end.
type dataDigest struct {
	*digest
	to   map[string]digested
	name string
}

// Close adds to the digest of earlier data of the same table, if there are any.
func (d dataDigest) Close() error {
	before := d.to[d.name]
	_, _ = io.WriteString(d.Hash, before.sum)
	sum := d.end()
	sum.bytes += before.bytes
	d.to[d.name] = sum
	return nil
}

// readSmall reads the manifest and what is neither dump nor filestore.
func (s *side) readSmall(ctx context.Context) (err error) {
	switch {
	case s.zip != nil:
		if m := s.zip.Find(odoozip.ManifestName); m != nil {
			if s.manifest, err = s.zip.ReadMember(m, dumpfmt.MaxManifest); err != nil {
				return err
			}
		}
		s.extra, err = zipExtra(ctx, s.zip)
	case isBackup(s.layout):
		if s.manifest, err = readOptional(s.path, dumpfmt.ManifestFile, dumpfmt.MaxManifest); err != nil {
			return err
		}
		s.extra, err = folderExtra(ctx, s.path)
	}
	return err
}

// zipExtra digests the members that are neither dump nor filestore nor odx's
// own.
func zipExtra(ctx context.Context, z *odoozip.Reader) (map[string]digested, error) {
	found := map[string]digested{}
	for i := range z.Members {
		m := &z.Members[i]
		if m.Kind != odoozip.KindOther || m.Hidden {
			continue
		}
		sum, err := digestMember(ctx, z, m)
		if err != nil {
			return nil, err
		}
		found[m.Name()] = sum
	}
	return found, nil
}

// storeEntry is a file of a filestore.
type storeEntry struct {
	rel  string
	size int64
	open func() (io.ReadCloser, error)
}

// files gives the files of the filestore in the order of their paths, folder by
// folder.
func (s *side) files(ctx context.Context) iter.Seq2[*storeEntry, error] {
	if s.zip != nil {
		return s.zipFiles
	}
	if !isBackup(s.layout) {
		return func(func(*storeEntry, error) bool) {}
	}
	return func(yield func(*storeEntry, error) bool) {
		store, err := dumpfmt.FindStore(s.path)
		if err == nil && store.Path != "" {
			err = walkStore(ctx, store.Path, yield)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// walkStore gives the files below a folder. The error is errStopped if no more
// are wanted.
func walkStore(ctx context.Context, dir string, yield func(*storeEntry, error) bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err = cmp.Or(err, ctx.Err()); err != nil || !d.Type().IsRegular() && !isFileWithin(root, rel) {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		open := func() (io.ReadCloser, error) { return os.Open(path) }
		if !yield(&storeEntry{filepath.ToSlash(rel), info.Size(), open}, nil) {
			return errStopped
		}
		return nil
	})
}

func (s *side) zipFiles(yield func(*storeEntry, error) bool) {
	for m := range s.zip.ByPath() {
		if !isStored(m) {
			continue
		}
		open := func() (io.ReadCloser, error) { return s.zip.Open(m) }
		if !yield(&storeEntry{strings.TrimPrefix(m.Rel(), odoozip.FilestoreDir), m.Length, open}, nil) {
			return
		}
	}
}

// byFolder orders paths as a walk through folders does: part by part.
func byFolder(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	switch {
	case n == len(a) || n == len(b):
		return cmp.Compare(len(a), len(b))
	case a[n] == '/':
		return -1
	case b[n] == '/':
		return 1
	}
	return cmp.Compare(a[n], b[n])
}

// join calls f with the entries of two lists that are in order: those of one
// path together, others with nil.
func join(a, b iter.Seq2[*storeEntry, error], f func(x, y *storeEntry) error) error {
	nextA, stopA := iter.Pull2(a)
	defer stopA()
	nextB, stopB := iter.Pull2(b)
	defer stopB()
	x, errA, okA := nextA()
	y, errB, okB := nextB()
	for okA || okB {
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		order := 0
		switch {
		case !okA:
			order = 1
		case !okB:
			order = -1
		default:
			order = byFolder(x.rel, y.rel)
		}
		left, right := x, y
		if order > 0 {
			left = nil
		}
		if order < 0 {
			right = nil
		}
		if err := f(left, right); err != nil {
			return err
		}
		if left != nil {
			x, errA, okA = nextA()
		}
		if right != nil {
			y, errB, okB = nextB()
		}
	}
	return nil
}
