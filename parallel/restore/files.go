package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"odx/dumpfmt/odoozip"
	"odx/parallel"
	"odx/parallel/filestore"
)

// MergedReport says what became of the older files of Options.FilestoreFrom.
type MergedReport struct {
	From      string   `json:"from"`                // their folder
	Backup    int64    `json:"backup"`              // files that came with the backup
	Older     int64    `json:"older"`               // files that only the older filestore had
	Same      int64    `json:"same"`                // files that both had, of the same content
	Differ    int64    `json:"differ"`              // files that both had, of other content
	Differing []string `json:"differing,omitempty"` // of Differ: their paths in the filestore, capped
}

// copyFilestore puts the files beside their final place: those of the backup,
// then the older ones that it has not.
func (r *run) copyFilestore(ctx context.Context) error {
	counters := &filestore.Counters{}
	show := func() { r.Progress.Files.Set(counters.Bytes.Load(), counters.Files.Load()) }
	stop := parallel.Every(ctx, time.Second/4, show)
	defer func() { stop(); show() }()
	r.report.Filestore, r.report.Files = r.Filestore, &FilesReport{}
	switch {
	case r.source.filestore != "":
		if r.source.older == "" && r.source.record != nil && r.source.record.Filestore != nil {
			r.Progress.Files.SetTotal(r.source.record.Filestore.Bytes)
		}
		if _, err := r.copyFiles(ctx, r.source.filestore, false, counters); err != nil {
			return fmt.Errorf("copy the filestore: %w", err)
		}
	case r.source.script != nil && r.source.script.hasFilestore():
		if err := r.extractFilestore(ctx, counters); err != nil {
			return err
		}
	}
	if r.source.older == "" {
		return nil
	}
	result, err := r.copyFiles(ctx, r.source.older, true, counters)
	if err != nil {
		return fmt.Errorf("merge the older filestore: %w", err)
	}
	r.report.Files.Merged = &MergedReport{
		From: r.source.older, Backup: r.report.Files.Files - result.Files, Older: result.Files,
		Same: result.Same, Differ: result.Differ, Differing: result.Differing,
	}
	if result.Differ > 0 {
		r.warn("%d files of %s have names of files in the backup, and other content (such as %s): the backup's were taken, but of those named by a SHA-1 the one that has it",
			result.Differ, r.source.older, result.Differing[0])
	}
	return nil
}

// copyFiles copies or links the files of a folder.
func (r *run) copyFiles(ctx context.Context, from string, merge bool, counters *filestore.Counters) (filestore.Result, error) {
	result, err := filestore.Copy(ctx, filestore.Options{
		Source: from, Target: r.files.Path(), Jobs: r.Jobs, Counters: counters, Permissions: &r.give,
		HardLink: r.HardLink, Merge: merge,
	})
	if err != nil {
		return result, err
	}
	r.changing = append(r.changing, result.Changing...)
	f := r.report.Files
	f.Files, f.Bytes, f.Linked = f.Files+result.Files, f.Bytes+result.Bytes, f.Linked+result.HardLinked
	if result.NotLinked > 0 {
		r.warn("%d files of %s were copied, not linked (%s)", result.NotLinked, from, result.WhyNotLinked[0])
	}
	f.Unread += result.Unread
	for _, p := range result.Problems {
		if p.Skipped() {
			r.warn("left out of the filestore: %s", p)
		} else {
			f.Lost = append(f.Lost, p.String())
		}
	}
	return result, nil
}

// extractFilestore writes the filestore of a zip beside its final place.
func (r *run) extractFilestore(ctx context.Context, counters *filestore.Counters) error {
	if r.source.older == "" {
		_, total := r.source.script.filestoreSize()
		r.Progress.Files.SetTotal(total)
	}
	if r.HardLink {
		r.warn("the files of a zip cannot be linked: they are extracted")
	}
	dir, err := os.Open(r.files.Path())
	if err != nil {
		return err
	}
	if err := errors.Join(r.give.Give(dir, true), dir.Close()); err != nil {
		return fmt.Errorf("give the filestore to its owner: %w", err)
	}
	err = odoozip.Extract(ctx, r.source.script.zip, r.files.Path(), odoozip.ExtractOptions{
		Jobs: r.Jobs, Path: inFilestore, Give: r.give.Give,
		Done: func(m *odoozip.Member) { counters.Files.Add(1); counters.Bytes.Add(m.Length) },
	})
	if err != nil {
		return err
	}
	r.report.Files.Files, r.report.Files.Bytes = counters.Files.Load(), counters.Bytes.Load()
	return nil
}
