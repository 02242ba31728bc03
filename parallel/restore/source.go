package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// source is a backup that has been looked at. Its database is an archive or a
// script. Who opened it closes it.
type source struct {
	path      string
	layout    dumpfmt.Layout
	toc       *pgarchive.TOC     // of a script at first only what stands before the data
	archive   *pgarchive.Archive // nil if it is a script
	dump      string             // what pg_restore is given: the archive's folder or file
	script    *script            // nil if it is an archive
	record    *dumpfmt.Record    // nil where there is no odx.json
	filestore string             // folder; "" where the backup has none
	store     dumpfmt.Store      // what the backup's own folder has of it
	older     string             // folder of Options.FilestoreFrom's files; "" for none

	uses []*dumpfmt.InUse // keep backups from being removed
}

// openSource finds out what lies at the source's path and, unless the files are
// left out, at that of the older files. On an error too, the caller closes it.
func openSource(o *Options) (s *source, err error) {
	s = &source{path: o.Source, dump: o.Source}
	if s.layout, err = dumpfmt.Detect(s.path); err != nil {
		return s, err
	}
	if err := s.use(s.path); err != nil {
		return s, err
	}
	files := o.Filestore != ""
	if err := s.open(files); err != nil {
		return s, err
	}
	if files && o.FilestoreFrom != "" {
		return s, s.findOlder(o.FilestoreFrom)
	}
	return s, nil
}

// open opens what has been detected.
func (s *source) open(files bool) (err error) {
	switch s.layout {
	case dumpfmt.LayoutFast:
		s.dump = filepath.Join(s.path, dumpfmt.ArchiveDir)
	case dumpfmt.LayoutClickOdoo:
		s.dump = filepath.Join(s.path, dumpfmt.ClickOdooDump)
	case dumpfmt.LayoutArchive, dumpfmt.LayoutCustom:
	case dumpfmt.LayoutZip, dumpfmt.LayoutScript, dumpfmt.LayoutPackedScript:
		return s.openScript()
	default:
		return fmt.Errorf("%s: restoring a %s is %w", s.path, s.layout, dumpfmt.ErrUnsupported)
	}
	if s.layout == dumpfmt.LayoutFast || s.layout == dumpfmt.LayoutClickOdoo {
		if err := s.readBeside(); err != nil {
			return err
		}
		if files {
			if err := s.findFilestore(); err != nil {
				return err
			}
		}
	}
	if s.archive, err = pgarchive.Open(s.dump); err != nil {
		return err
	}
	s.toc = s.archive.TOC
	return nil
}

// use keeps a backup from being removed while it is read.
func (s *source) use(path string) error {
	u, err := dumpfmt.UseSource(path)
	if err == nil {
		s.uses = append(s.uses, u)
	}
	return err
}

// close closes what is open.
func (s *source) close() {
	if s.script != nil {
		s.script.close()
	}
	for _, u := range s.uses {
		u.Close()
	}
}

// needsMajor gives the oldest major release whose pg_restore can do it.
func (s *source) needsMajor() int {
	if s.archive == nil {
		return 0 // the table of contents is written for the one that there is
	}
	return s.archive.NeedsMajor()
}

// hasFilestore tells whether the backup has files of a filestore.
func (s *source) hasFilestore() bool {
	return s.filestore != "" || s.older != "" || s.script != nil && s.script.hasFilestore()
}

// readBeside reads what lies beside the archive.
func (s *source) readBeside() error {
	var err error
	if s.record, err = dumpfmt.FindRecord(s.path); err != nil {
		return err
	}
	data, err := dumpfmt.ReadBeside(s.path, dumpfmt.ManifestFile, dumpfmt.MaxManifest)
	switch {
	case err == nil:
		if _, err := dumpfmt.ParseManifest(data); err != nil { // only held: all that it says, the database says
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

func (s *source) findFilestore() error {
	store, err := dumpfmt.FindStore(s.path)
	if err != nil {
		return err
	}
	s.store, s.filestore = store, store.Path
	if s.record != nil && s.record.Filestore != nil && s.record.Filestore.Files > 0 && s.filestore == "" {
		return &dumpfmt.FormatError{Path: s.path, Offset: -1,
			Err: fmt.Errorf("filestore/ is missing, and odx.json says that it held %d files", s.record.Filestore.Files)}
	}
	return nil
}

// check makes sure that the archive is whole before the server is touched:
// pg_restore itself lets truncated files pass. With odx.json the digests are
// compared, without it every data file is read to its end.
func (s *source) check(ctx context.Context, jobs int, done *atomic.Int64) error {
	if s.record != nil && s.layout == dumpfmt.LayoutFast {
		return s.checkDigests(ctx, jobs, done)
	}
	_, err := s.archive.Check(ctx, pgarchive.CheckOptions{Jobs: jobs})
	return err
}

func (s *source) checkDigests(ctx context.Context, jobs int, done *atomic.Int64) error {
	if err := s.checkRecorded(); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for _, want := range s.record.Archive.DataFiles {
		g.Go(func() error {
			if !filepath.IsLocal(want.Name) {
				return &dumpfmt.FormatError{Path: dumpfmt.RecordFile, Offset: -1, Field: "files",
					Err: fmt.Errorf("%q is no name of a data file", want.Name)}
			}
			path := filepath.Join(s.dump, want.Name)
			got, err := dumpfmt.DigestFile(gctx, path)
			done.Add(got.Bytes)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return &dumpfmt.FormatError{Path: path, Offset: -1, Err: errors.New("missing, and odx.json names it")}
			case err != nil:
				return err
			case got.Bytes != want.Bytes:
				return &dumpfmt.FormatError{Path: path, Offset: -1,
					Err: fmt.Errorf("%d bytes, and odx.json says %d", got.Bytes, want.Bytes)}
			case got.SHA256 != want.SHA256:
				return &dumpfmt.FormatError{Path: path, Offset: -1, Err: dumpfmt.ErrDigest}
			}
			return nil
		})
	}
	return g.Wait()
}

// checkRecorded makes sure that odx.json has a digest of every file that the
// archive needs.
func (s *source) checkRecorded() error {
	recorded := map[string]bool{}
	for _, f := range s.record.Archive.DataFiles {
		recorded[f.Name] = true
	}
	files, err := s.archive.Files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if !recorded[f.Name] {
			return &dumpfmt.FormatError{Path: filepath.Join(s.dump, f.Name), Offset: -1, Err: errors.New("odx.json has no digest of this file")}
		}
	}
	return nil
}
