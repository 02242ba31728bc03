package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/parallel/filestore"
	"odx/parallel/odoo"
)

// clearArchive removes a failed attempt's archive; copied files stay.
func (r *run) clearArchive() error {
	return os.RemoveAll(r.archiveDir())
}

func (r *run) writeManifest(info odoo.Info, version int) error {
	if r.ForUpgrade {
		return nil
	}
	m := odoo.Manifest(info, r.record.Database.Name, version)
	return writeFile(filepath.Join(r.dir.Path(), dumpfmt.ManifestFile), m.Encode())
}

func (r *run) writeRecord() error {
	data, err := r.encodeRecord()
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(r.dir.Path(), dumpfmt.RecordFile), data)
}

// encodeRecord completes the record and gives the bytes of odx.json.
func (r *run) encodeRecord() ([]byte, error) {
	r.record.Format = dumpfmt.RecordFormat
	r.record.OdxVersion = r.OdxVersion
	r.record.Finished = time.Now().UTC()
	return r.record.Encode()
}

func writeFile(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(data)
	return err
}

// describeArchive digests what is left to digest of dump/, and fills in the
// record's part about it.
func (r *run) describeArchive(ctx context.Context, dg *digester) error {
	files, err := dg.finish(ctx, r.Jobs)
	if err != nil {
		return fmt.Errorf("digest the archive: %w", err)
	}
	a, err := pgarchive.Open(r.archiveDir())
	if err != nil {
		return fmt.Errorf("read back the archive: %w", err)
	}
	rec := dumpfmt.ArchiveRecord{
		Version: a.TOC.Header.Version.String(), Compress: r.Compress, Entries: len(a.TOC.Entries), DataFiles: files,
		Excluded: r.ExcludeTableData,
	}
	for _, f := range files {
		rec.Bytes += f.Bytes
	}
	r.record.Archive = rec
	return nil
}

// maxLost bounds the names in the record; the counts are exact.
const maxLost = filestore.DefaultMaxNames

// warnAbsent tells what no backup from this server and filestore can have.
func (r *run) warnAbsent() {
	if r.elsewhere > 0 {
		r.warn("%d attachments name no file of the filestore (they are in another storage, such as s3://): what they name is not in this backup", r.elsewhere)
	}
	if len(r.unlogged) > 0 {
		r.warn("the server is a standby, which has no rows of unlogged tables: the backup has none of %s", strings.Join(r.unlogged, ", "))
	}
}

// filestoreRecord puts together what the copy and the check against the
// snapshot's list found.
func filestoreRecord(copied filestore.Result, check filestore.CheckResult, guard string) *dumpfmt.FilestoreRecord {
	rec := &dumpfmt.FilestoreRecord{
		Files: copied.Files + check.Recovered, Bytes: copied.Bytes,
		Named: check.Named, Missing: check.Missing, Damaged: check.Damaged, Unread: copied.Unread, GCGuard: guard,
	}
	rec.Lost = check.Names()
	for _, p := range copied.Problems {
		if errors.Is(p.Err, filestore.ErrLeadsOut) || errors.Is(p.Err, filestore.ErrNotFile) || errors.Is(p.Err, filestore.ErrDepth) {
			rec.Skipped = append(rec.Skipped, p.Path+": "+p.Err.Error())
		} else if len(rec.Lost) < maxLost {
			rec.Lost = append(rec.Lost, p.Path+": "+p.Err.Error())
		}
	}
	return rec
}
