package dump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"odx/dumpfmt"
	"odx/parallel/filestore"
)

// Packing is a backup that is to become something else, such as a zip.
type Packing struct {
	// Dir is the folder with dump/, manifest.json and, unless Rows is set,
	// odx.json. Nobody else needs it: what is done with may be removed.
	Dir string
	// Filestore is the database's own folder, whose files are to be packed; ""
	// if there are none. They are not deleted meanwhile, as far as Odoo's garbage
	// collection can be kept away.
	Filestore string
	// Rows, if not nil, gives the rows of the tables, of which dump/ then has no
	// data files. It is called once at most.
	Rows func(context.Context, RowSink) error
	// Record gives odx.json when the packing is done. In strict mode it is an error
	// if files are missing.
	Record func(Packed) ([]byte, error)
}

// Packed is what was packed.
type Packed struct {
	Files, Bytes int64                // of the filestore
	Rows         []dumpfmt.FileDigest // data files that the rows would be
	// Absent are files of the filestore, and folders with all below them, that were
	// not packed though they may be there again.
	Absent []string
	Notes  []string // what is to be known of it
}

// checkLive checks the snapshot's list against the database's own filestore.
func (r *run) checkLive(ctx context.Context, g *guard, absent []string) error {
	list, err := os.Open(r.spoolFile())
	if err != nil {
		return err
	}
	defer list.Close()
	check, err := filestore.Check(ctx, list, filestore.CheckOptions{Dir: r.Filestore, Absent: absent, Jobs: r.Jobs})
	if err != nil {
		return fmt.Errorf("check the filestore: %w", err)
	}
	g.confirm(ctx, r.warn)
	r.elsewhere = check.Elsewhere
	r.record.Filestore = filestoreRecord(filestore.Result{}, check, g.State())
	r.noteFiles(check)
	return nil
}

// noteFiles says once what is odd about the files; those of a zip are looked up twice.
func (r *run) noteFiles(check filestore.CheckResult) {
	r.mu.Lock()
	said := slices.Contains(r.report.Warnings, check.Note())
	r.mu.Unlock()
	if note := check.Note(); note != "" && !said {
		r.warn("%s", note)
	}
}

// pack has the backup packed.
func (r *run) pack(ctx context.Context, g *guard) error {
	if err := r.checkLosses(); err != nil {
		return err
	}
	if err := r.writeRecord(); err != nil {
		return err
	}
	r.Progress.SetPhase("writing the zip")
	began := time.Now()
	defer func() { r.report.Seconds.Pack = time.Since(began).Seconds() }()
	return r.Pack(ctx, Packing{Dir: r.dir.Path(), Filestore: r.Filestore, Record: func(p Packed) ([]byte, error) {
		return r.packedRecord(ctx, g, p)
	}})
}

// packedRecord completes the record. The files are looked for after they were
// packed: what is still there was there, unchanged, when it was read, unless the
// packing says that it was not. One that was deleted after that, because the guard
// was lost, counts as missing although the backup has it.
func (r *run) packedRecord(ctx context.Context, g *guard, p Packed) ([]byte, error) {
	for _, note := range p.Notes {
		r.warn("%s", note)
	}
	if r.Filestore != "" {
		if err := r.checkLive(ctx, g, p.Absent); err != nil {
			return nil, err
		}
		r.record.Filestore.Files, r.record.Filestore.Bytes = p.Files, p.Bytes
		if err := r.checkLosses(); err != nil {
			return nil, err
		}
	}
	return r.encodeRecord()
}

// ErrNoRoom is returned before any work when the disk surely has no room for the
// database in a zip, or for the archive that the zip is made of.
var ErrNoRoom = errors.New("too little room on the disk")

// A compressed archive has seldom less than a thirtieth of the size that the
// database has on the server, and seldom more than a quarter.
const (
	leastShare  = 30
	commonShare = 4
)

// checkRoom compares the room beside the target with what the rows may need.
func (r *run) checkRoom() error {
	dir := filepath.Dir(r.Target)
	free, err := dumpfmt.FreeSpace(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	size := r.record.Database.Bytes
	what := "the rows of the database are"
	if !r.streams() {
		what = "the archive that the zip is made of is"
	}
	text := fmt.Sprintf("%d MB are free in %s, where %s written, and the database has %d MB on the server", free>>20, dir, what, size>>20)
	if excluded := len(r.ExcludeTableData) > 0; free < size/leastShare && !excluded { // nobody knows how much is left out
		return fmt.Errorf("%w: %s", ErrNoRoom, text)
	}
	if free < size/commonShare {
		r.warn("the disk may become full: %s", text)
	}
	return nil
}
