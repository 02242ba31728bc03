package convert

import (
	"context"
	"errors"
	"path/filepath"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// isBackup tells whether a source is a folder in which an archive lies beside
// other things.
func isBackup(l dumpfmt.Layout) bool {
	return l == dumpfmt.LayoutFast || l == dumpfmt.LayoutClickOdoo
}

// besideArchive is the odx.json of a backup; nothing is set if there is none.
type besideArchive struct {
	text    []byte
	record  *dumpfmt.Record
	digests map[string]string // SHA-256 of the archive's files by name
}

// holdAgainstRecord reads the odx.json of a backup and has the backup's archive
// fail where its files are not those that were dumped: what comes out of a
// conversion has digests and checksums of its own, by which nobody could tell any
// more. The table of contents is compared at once, data when they are read.
func holdAgainstRecord(ctx context.Context, a *pgarchive.Archive, backup string) (b besideArchive, err error) {
	if b.text, err = readOptional(backup, dumpfmt.RecordFile, dumpfmt.MaxRecord); err != nil || b.text == nil {
		return b, err
	}
	b.record, err = dumpfmt.ParseRecord(b.text, filepath.Join(backup, dumpfmt.RecordFile))
	if errors.Is(err, dumpfmt.ErrUnsupported) { // of a newer odx: as if it were not there
		return besideArchive{}, nil
	}
	if err != nil {
		return b, err
	}
	b.digests = make(map[string]string, len(b.record.Archive.DataFiles))
	for _, f := range b.record.Archive.DataFiles {
		b.digests[f.Name] = f.SHA256
	}
	a.HoldAgainst(b.digests)
	if b.digests[tocFile] == "" {
		return b, nil
	}
	toc, err := dumpfmt.DigestFile(ctx, filepath.Join(a.Path(), tocFile))
	if err != nil {
		return b, err
	}
	return b, checkDigest(b.digests, tocFile, toc.SHA256)
}

// checkDigest holds the SHA-256 of a file against the record's, if that has one.
func checkDigest(digests map[string]string, name, sum string) error {
	if want := digests[name]; want != "" && want != sum {
		return &dumpfmt.FormatError{Path: name, Offset: -1, Err: dumpfmt.ErrDigest}
	}
	return nil
}
