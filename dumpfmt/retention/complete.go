package retention

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// examineFolder reads the record of a backup in the fast layout and looks
// whether all is there that it names.
func examineFolder(dir string) (*dumpfmt.Record, error) {
	r, err := folderRecord(dir)
	if err != nil {
		return nil, err
	}
	if len(r.Archive.DataFiles) == 0 {
		return nil, errors.New("odx.json names no file of dump/")
	}
	archive := filepath.Join(dir, dumpfmt.ArchiveDir)
	if err := wantFolder(archive); err != nil {
		return nil, err
	}
	for _, f := range r.Archive.DataFiles {
		if !filepath.IsLocal(f.Name) || filepath.Base(f.Name) != f.Name {
			return nil, fmt.Errorf("odx.json: %q is no name of a data file", f.Name)
		}
		info, err := os.Lstat(filepath.Join(archive, f.Name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("not complete: dump/%s is missing", f.Name)
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("dump/%s is no file", f.Name)
		case info.Size() != f.Bytes:
			return nil, fmt.Errorf("not complete: dump/%s has %d bytes instead of %d", f.Name, info.Size(), f.Bytes)
		}
	}
	if f := r.Filestore; f != nil && f.Files > 0 {
		return r, wantFolder(filepath.Join(dir, dumpfmt.FilestoreDir))
	}
	return r, nil
}

// folderRecord reads the odx.json of a folder.
func folderRecord(dir string) (*dumpfmt.Record, error) {
	path := filepath.Join(dir, dumpfmt.RecordFile)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := dumpfmt.Detect(dir); err != nil {
			return nil, errNoBackup
		}
		return nil, errors.New("no odx.json: it is not known when it was made")
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("odx.json is no file")
	}
	return dumpfmt.ReadRecord(path)
}

// wantFiles makes sure that a folder has as many files of the filestore as were
// dumped.
func (b *Backup) wantFiles(ctx context.Context) error {
	var n int64
	err := filepath.WalkDir(filepath.Join(b.Path, dumpfmt.FilestoreDir), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return cmp.Or(err, ctx.Err())
	})
	if err == nil && n < b.files {
		err = fmt.Errorf("not complete: %d files are in filestore/, and odx.json counts %d", n, b.files)
	}
	return err
}

// wantFolder makes sure that a part of a backup is a folder of its own.
func wantFolder(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("not complete: %s/ is missing", filepath.Base(path))
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", filepath.Base(path))
	}
	return nil
}

// examineZip reads the record in a zip that odx made.
func examineZip(path string) (r *dumpfmt.Record, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if n, err := f.ReadAt(magic, 0); n < len(magic) || !bytes.Equal(magic, []byte("PK\x03\x04")) {
		if errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		return nil, errNoBackup
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	z, err := odoozip.NewReader(f, info.Size(), filepath.Base(path))
	if err != nil {
		return nil, err
	}
	if _, err := z.Dump(); err != nil {
		return nil, errNoBackup
	}
	m := z.Find(odoozip.RecordName)
	if m == nil {
		return nil, errors.New("no odx.json in it: it is not known when it was made")
	}
	data, err := z.ReadMember(m, dumpfmt.MaxRecord)
	if err != nil {
		return nil, err
	}
	if r, err = dumpfmt.ParseRecord(data, dumpfmt.RecordFile); err != nil {
		return nil, err
	}
	if f := r.Filestore; f != nil && f.Files > 0 && !hasFiles(z) {
		return nil, errors.New("not complete: odx.json counts files of the filestore, and there are none")
	}
	return r, nil
}

func hasFiles(z *odoozip.Reader) bool {
	for i := range z.Members {
		if z.Members[i].Kind == odoozip.KindFilestore {
			return true
		}
	}
	return false
}
