package convert

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// keptMembers adds the members that a zip had, in its order, and then files of
// the filestore that are new since.
func (w *zipWriter) keptMembers() error {
	there := &nameSet{seed: maphash.MakeSeed()}
	w.extra = map[string]bool{}
	for k, err := range keptMembers(w.src.backup) {
		if err != nil {
			return err
		}
		if err := w.keptMember(k, there); err != nil {
			return err
		}
	}
	if !w.dumpAdded {
		return &dumpfmt.FormatError{Path: dumpfmt.KeptMembers, Offset: -1, Err: errors.New("no dump.sql among the members")}
	}
	if w.c.Manifest != "" && !w.manifestAdded { // the zip had none
		if err := w.addBytes(w.top()+odoozip.ManifestName, w.src.manifest); err != nil {
			return err
		}
	}
	if w.store == nil {
		return nil
	}
	there.sort()
	return w.addTree(w.store, ".", w.top()+odoozip.FilestoreDir, there)
}

// top is the folder that the zip had everything in, "" for none.
func (w *zipWriter) top() string {
	if w.src.zip == nil {
		return ""
	}
	return strings.TrimSuffix(w.src.zip.Dump, odoozip.DumpName)
}

func (w *zipWriter) keptMember(k keptMember, there *nameSet) error {
	there.add(k.name)
	switch {
	case string([]rune(k.name)) == w.src.zip.Dump && k.file == k.name && !w.dumpAdded: // JSON has U+FFFD for what is not UTF-8
		w.dumpAdded = true
		w.src.zip.Dump = k.name
		return w.addDump(k.name)
	case strings.HasSuffix(k.name, "/"):
		return w.z.Add(odoozip.Header{Name: k.name, Modified: w.src.modified}, nil)
	case k.file == dumpfmt.ManifestFile:
		if w.src.manifest == nil {
			return nil
		}
		w.manifestAdded = true
		return w.addBytes(k.name, w.src.manifest)
	}
	root, path := w.backup, filepath.FromSlash(k.file)
	if rel, ok := strings.CutPrefix(k.file, odoozip.FilestoreDir); ok {
		root, path = w.store, filepath.FromSlash(rel)
	}
	switch isStored := strings.HasPrefix(k.file, odoozip.FilestoreDir); {
	case root == nil && isStored:
		if w.c.report.FilesMissing++; w.c.report.FilesMissing == 1 {
			w.c.note("filestore/ is gone since the backup was made of %s", w.src.zip.Name)
		}
		return nil
	case root == nil:
		return nil
	}
	info, err := root.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		w.c.note("%s is gone since the backup was made of %s", k.file, w.src.zip.Name)
		if root == w.store {
			w.c.report.FilesMissing++
		}
		return nil
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(k.file, dumpfmt.ExtraDir+"/") {
		w.extra[k.file] = true
	}
	return w.addFile(root, path, k.name, info)
}

// nameUnlisted names files of the backup that no list of members has: they lie
// where those of a zip do, and are none.
func (w *zipWriter) nameUnlisted() error {
	if w.c.Rows != nil {
		return nil
	}
	return filepath.WalkDir(filepath.Join(w.c.Source, dumpfmt.ExtraDir), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		path, err = filepath.Rel(w.c.Source, path)
		if path = filepath.ToSlash(path); err == nil && !w.extra[path] {
			w.c.report.LeftOut = append(w.c.report.LeftOut, path)
		}
		return err
	})
}

// addKept adds what was kept of a zip to odx's own members, so that the backup
// comes back as it is.
func (w *zipWriter) addKept() error {
	if w.src.zip == nil || w.src.record == nil {
		return nil
	}
	for _, name := range []string{dumpfmt.KeptScript, dumpfmt.KeptMembers} {
		f, err := dumpfmt.OpenBeside(w.src.backup, keptPath(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		h := odoozip.Header{Name: w.top() + odoozip.OdxDir + dumpfmt.KeptDir + "/" + name, Modified: info.ModTime(), Length: info.Size()}
		if err := w.z.Add(h, func() (io.ReadCloser, error) { return dumpfmt.OpenBeside(w.src.backup, keptPath(name)) }); err != nil {
			return err
		}
	}
	return nil
}

// nameSet remembers names by 8 bytes each, without a "./" before them: of
// millions of names two are the same with a probability of about 1 in 10^6 times
// 10^6.
type nameSet struct {
	seed   maphash.Seed
	hashes []uint64
}

func (s *nameSet) add(name string) { s.hashes = append(s.hashes, s.hash(name)) }
func (s *nameSet) sort()           { slices.Sort(s.hashes) }
func (s *nameSet) hash(name string) uint64 {
	return maphash.String(s.seed, strings.TrimPrefix(name, "./"))
}

// has tells whether the name was added, after sort. A nil set has none.
func (s *nameSet) has(name string) bool {
	if s == nil {
		return false
	}
	_, ok := slices.BinarySearch(s.hashes, s.hash(name))
	return ok
}

// keepZip keeps of a zip what the backup's other files do not say.
func (c *conversion) keepZip(ctx context.Context, dir string, dump *odoozip.Member, p *placing) (*dumpfmt.ZipRecord, error) {
	record := &dumpfmt.ZipRecord{Name: filepath.Base(c.Source), Members: p.members, Dump: dump.Name()}
	if p.regular {
		return record, nil
	}
	path := filepath.Join(dir, dumpfmt.KeptDir, dumpfmt.KeptMembers)
	if err := errors.Join(ctx.Err(), os.MkdirAll(filepath.Dir(path), 0o700)); err != nil {
		return nil, err
	}
	if err := writeMembers(path, p.list()); err != nil {
		return nil, fmt.Errorf("keep the list of members: %w", err)
	}
	return record, nil
}
