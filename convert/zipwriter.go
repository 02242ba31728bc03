package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/deflate"
	"odx/dumpfmt/odoozip"
	"odx/dumpfmt/pgarchive"
)

// zipWriter writes one zip.
type zipWriter struct {
	src   *zipSource
	c     *conversion
	sizes map[pgarchive.DumpID]int64
	files []pgarchive.File // of the archive

	mu       sync.Mutex
	vanished []goneFile // in the order in which workers met them
	ctx      context.Context
	cancel   context.CancelCauseFunc
	z        *odoozip.Writer
	sides    errgroup.Group // joins dump.sql while other members are added
	places   *odoozip.Places
	store    *os.Root // the filestore; nil for none
	backup   *os.Root // with what was kept of a zip; nil for none
	count    int64    // members below filestore/

	extra map[string]bool // files that became members again, of those that belong to neither dump nor filestore

	dumpAdded, manifestAdded bool // in the order of the members that were kept
}

// write writes dump.sql, manifest.json, the filestore and odx's own members, or
// what a zip had that the backup was made of, in its order. The files are
// deflated ahead while dump.sql is being joined.
func (w *zipWriter) write(ctx context.Context, out io.Writer) (err error) {
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	if err := w.openFolders(); err != nil {
		return err
	}
	defer w.closeFolders()
	if w.z, err = odoozip.NewWriter(w.ctx, out, odoozip.Options{Jobs: w.c.Jobs}); err != nil {
		return err
	}
	defer w.z.Abort()
	if err := errors.Join(w.members(), w.nameUnlisted()); err != nil {
		w.cancel(err)
		if side := w.sides.Wait(); !errors.Is(side, err) {
			err = errors.Join(err, side)
		}
		return err
	}
	if err := w.sides.Wait(); err != nil {
		return err
	}
	if w.c.Sidecar && w.src.archive.TOC.Header.Format != pgarchive.FormatCustom {
		if err := w.writeSidecar(w.places); err != nil {
			return err
		}
	}
	if err := w.z.Close(); err != nil {
		return err
	}
	w.c.report.TargetBytes, w.c.report.ScriptBytes = w.z.Written(), w.places.Length
	return nil
}

// members adds all members but odx's own.
func (w *zipWriter) members() error {
	if w.src.zip != nil && isFile(filepath.Join(w.src.backup, dumpfmt.KeptDir, dumpfmt.KeptMembers)) {
		return w.keptMembers()
	}
	if err := w.addDump(odoozip.DumpName); err != nil {
		return err
	}
	if w.src.manifest != nil {
		if err := w.addBytes(odoozip.ManifestName, w.src.manifest); err != nil {
			return err
		}
	}
	if w.store != nil {
		if err := w.addTree(w.store, ".", odoozip.FilestoreDir, nil); err != nil {
			return err
		}
	}
	w.countMissing()
	return nil
}

// countMissing finds that the backup has lost files since it was made.
func (w *zipWriter) countMissing() {
	lost := w.src.files - w.c.report.Files
	if lost <= 0 {
		return
	}
	w.c.report.FilesMissing += lost
	w.c.note("the filestore has %d files, and odx.json says that it had %d when the backup was made: odx verify %s names those that are missed",
		w.c.report.Files, w.src.files, w.c.Source)
}

// openFolders opens the folders that files come from, so that no link in them
// leads out.
func (w *zipWriter) openFolders() (err error) {
	if w.src.filestore != "" {
		if w.store, err = os.OpenRoot(w.src.filestore); err != nil {
			return err
		}
	}
	if w.src.backup != "" {
		w.backup, err = os.OpenRoot(w.src.backup)
	}
	return err
}

func (w *zipWriter) closeFolders() {
	for _, root := range []*os.Root{w.store, w.backup} {
		if root != nil {
			_ = root.Close() // open for reading
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// addDump starts to join dump.sql. Other members can be added meanwhile.
func (w *zipWriter) addDump(name string) error {
	dump, err := w.z.CreateRaw(odoozip.Header{Name: name, Modified: w.src.modified, Length: -1}, odoozip.Deflate)
	if err != nil {
		return err
	}
	w.sides.Go(func() error {
		err := w.joinDump(dump)
		if err != nil {
			w.cancel(err) // so that who adds members does not wait for this one
		}
		return err
	})
	return nil
}

func (w *zipWriter) joinDump(dump *odoozip.RawMember) error {
	j, err := deflate.NewJoiner(dump, deflate.Options{Jobs: w.c.Jobs})
	if err != nil {
		return err
	}
	defer j.Abort()
	joiner := &scriptJoiner{ctx: w.ctx, joiner: j, archive: w.src.archive, script: w.src.script, digests: w.src.digests,
		places:  &odoozip.Places{Format: odoozip.PlacesFormat},
		consume: w.c.Consume,
		done:    func(e *pgarchive.Entry) { w.c.Meter.Add(w.sizes[e.ID]); w.c.Meter.Item() }}
	if w.c.Rows != nil {
		err = joiner.joinLive(func(s *LiveScript) error { return w.c.Rows(w.ctx, s) })
	} else {
		err = joiner.join(w.c.Jobs)
	}
	if err != nil {
		return err
	}
	w.places = joiner.places
	if k, ok := w.src.script.(*keptScript); ok && !k.gave(w.places.CRC, w.places.Length) {
		return k.damaged(errors.New("with it dump.sql is not the one that was kept: damaged, or changed"))
	}
	w.c.report.Tables, w.c.report.DataBytes = joiner.tables, joiner.text
	return dump.Close(w.places.CRC, w.places.Length)
}

func (w *zipWriter) addBytes(name string, data []byte) error {
	return w.z.Add(odoozip.Header{Name: name, Modified: w.src.modified, Length: int64(len(data))},
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
}

// addTree adds all files below a folder, by name. A folder that is empty is
// added itself. Links are followed within the filestore only.
func (w *zipWriter) addTree(root *os.Root, dir, prefix string, there *nameSet) error {
	entries, err := fs.ReadDir(root.FS(), filepath.ToSlash(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path, name := filepath.Join(dir, e.Name()), prefix+e.Name()
		info, err := root.Stat(path)
		switch {
		case e.Type()&fs.ModeSymlink != 0 && (err != nil || !info.Mode().IsRegular()):
			w.c.note("%s is a link that leads to no file of the filestore, and was left out", name)
			w.c.report.NotPacked = append(w.c.report.NotPacked, path)
			err = nil
		case errors.Is(err, fs.ErrNotExist): // it went meanwhile
			w.c.report.NotPacked = append(w.c.report.NotPacked, path)
			continue
		case err != nil:
			return err
		case info.IsDir():
			err = w.addFolder(root, path, name+"/", info, there)
		case info.Mode().IsRegular() && there.has(name):
			w.count++
		case info.Mode().IsRegular():
			err = w.addFile(root, path, name, info)
		default:
			w.c.note("%s is no file and was left out", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *zipWriter) addFolder(root *os.Root, path, name string, info fs.FileInfo, there *nameSet) error {
	before := w.count
	if err := w.addTree(root, path, name, there); err != nil {
		return err
	}
	if w.count > before || there.has(name) {
		return nil
	}
	w.count++
	return w.z.Add(odoozip.Header{Name: name, Modified: info.ModTime().UTC()}, nil)
}

func (w *zipWriter) addFile(root *os.Root, path, name string, info fs.FileInfo) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	if err := odoozip.CheckMember(name); err != nil {
		return &dumpfmt.FormatError{Path: path, Offset: -1, Err: fmt.Errorf("cannot be a member of a zip: %w", err)}
	}
	w.count++
	w.c.report.Files++
	w.c.report.FileBytes += info.Size()
	return w.z.Add(odoozip.Header{Name: name, Modified: info.ModTime().UTC(), Length: info.Size()},
		func() (io.ReadCloser, error) { return w.open(root, path, name, info.Size()) })
}

// writeSidecar writes odx's own members: what gives the backup back byte for
// byte, and is not in the others. A custom-format archive has none: no folder
// was there that could come back.
func (w *zipWriter) writeSidecar(places *odoozip.Places) error {
	joined := map[string]bool{}
	for _, f := range places.Files {
		joined[f.Name] = true
	}
	if err := w.addRecord(); err != nil {
		return err
	}
	if err := w.addArchiveFiles(joined, places); err != nil {
		return err
	}
	if err := w.addKept(); err != nil {
		return err
	}
	data, err := places.Encode()
	if err != nil {
		return err
	}
	return w.addBytes(w.top()+odoozip.PlacesName, data)
}

// addArchiveFiles adds the files of the archive whose content dump.sql does not
// have in a form that gives them back: the table of contents, and large objects
// with their lists.
func (w *zipWriter) addArchiveFiles(joined map[string]bool, places *odoozip.Places) error {
	for _, f := range w.files {
		if joined[f.Name] {
			continue
		}
		path := filepath.Join(w.src.archive.Path(), f.Name)
		h := odoozip.Header{Name: w.top() + odoozip.ArchiveDir + f.Name, Modified: w.src.modified, Length: f.Size}
		if err := w.z.Add(h, func() (io.ReadCloser, error) { return os.Open(path) }); err != nil {
			return err
		}
		digest, err := dumpfmt.DigestFile(w.ctx, path)
		if err != nil {
			return err
		}
		if err := checkDigest(w.src.digests, f.Name, digest.SHA256); err != nil {
			return err
		}
		places.Files = append(places.Files, odoozip.FilePlace{Name: f.Name, Bytes: digest.Bytes, SHA256: digest.SHA256})
	}
	return nil
}
