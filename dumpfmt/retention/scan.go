package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"odx/dumpfmt"
)

// Backup is a complete backup, or what becomes of it.
type Backup struct {
	Path     string    `json:"path"` // absolute
	Layout   string    `json:"layout"`
	Database string    `json:"database"`
	UUID     string    `json:"database_uuid,omitempty"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	// Bytes are those of the archive and the filestore, or of the zip. What is
	// hard-linked elsewhere is not freed by removing it.
	Bytes  int64 `json:"bytes"`
	Losses int64 `json:"losses"` // files that were missing, damaged or unreadable
	// What was left out on purpose: the filestore, and the rows of tables that match
	// patterns of pg_dump.
	NoFilestore bool     `json:"no_filestore,omitempty"`
	Excluded    []string `json:"excluded,omitempty"`

	Keep    []string `json:"keep"` // the reasons; empty if it is not kept
	Removed bool     `json:"removed"`

	info  fs.FileInfo // what was judged
	files int64       // of the filestore, in a folder of their own
}

// Left is something that looks like a backup and is left alone.
type Left struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// maxAhead is how far in the future a backup may lie: clocks differ.
const maxAhead = 24 * time.Hour

// Scan lists the complete backups in a folder, in no order that matters, and
// what is left alone. Now is the time that no backup may be after. The error is
// one of the folder itself, or the context's.
func Scan(ctx context.Context, folder string, now time.Time) (backups []Backup, left []Left, err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, nil, err
	}
	if _, err := os.Lstat(filepath.Join(folder, dumpfmt.RecordFile)); err == nil {
		return nil, nil, fmt.Errorf("%s is a backup itself: name the folder that it is in", folder)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, nil, err
	}
	backups, left = []Backup{}, []Left{}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if strings.HasPrefix(e.Name(), dumpfmt.TempPrefix) {
			continue
		}
		path := filepath.Join(folder, e.Name())
		b, err := examine(path, now)
		switch {
		case errors.Is(err, errNoBackup), errors.Is(err, fs.ErrNotExist):
		case err != nil:
			left = append(left, Left{Path: path, Reason: err.Error()})
		default:
			backups = append(backups, *b)
		}
	}
	return backups, left, nil
}

// errNoBackup is about what does not even look like a backup.
var errNoBackup = errors.New("no backup")

// examine looks at what lies at a path. Errors say why it is no complete backup.
func examine(path string, now time.Time) (*Backup, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	var r *dumpfmt.Record
	b := &Backup{Path: path, Keep: []string{}, info: info}
	switch {
	case info.IsDir():
		b.Layout = dumpfmt.LayoutFast.String()
		r, err = examineFolder(path)
	case info.Mode().IsRegular():
		b.Layout, b.Bytes = dumpfmt.LayoutZip.String(), info.Size()
		r, err = examineZip(path)
	case info.Mode()&fs.ModeSymlink != 0:
		err = examineLink(path)
	default:
		err = errNoBackup
	}
	if err != nil {
		return nil, err
	}
	return b, b.take(r, now)
}

// examineLink tells a link to a backup from another.
func examineLink(path string) error {
	if _, err := dumpfmt.Detect(path); err != nil {
		return errNoBackup
	}
	return errors.New("a link to a backup: links are not followed")
}

// take fills in what the record says, unless that cannot be.
func (b *Backup) take(r *dumpfmt.Record, now time.Time) error {
	b.Database, b.Started, b.Finished = r.Database.Name, r.Started, r.Finished
	if r.Odoo != nil {
		b.UUID = r.Odoo.UUID
	}
	if b.Bytes == 0 {
		b.Bytes = r.Archive.Bytes
	}
	b.Excluded = slices.Sorted(slices.Values(r.Archive.Excluded))
	f := r.Filestore
	if b.NoFilestore = f == nil; f != nil {
		b.Losses = f.Missing + f.Damaged + f.Unread
		if b.Layout == dumpfmt.LayoutFast.String() {
			b.files = f.Files
			b.Bytes += f.Bytes
		}
	}
	switch {
	case r.Database.Name == "":
		return errors.New("odx.json names no database: made of a zip of another program")
	case r.Started.IsZero() || r.Finished.IsZero() || r.Finished.Before(r.Started):
		return errors.New("odx.json has no time of beginning and end that can be")
	case r.Started.After(now.Add(maxAhead)):
		return fmt.Errorf("odx.json says %s, which is in the future: was the clock wrong?", r.Started.Format(time.DateTime))
	}
	return nil
}

// kind is what is judged apart: a database, and what was left out of it.
func (b *Backup) kind() []string {
	return append([]string{b.Database, b.UUID, fmt.Sprint(b.NoFilestore)}, b.Excluded...)
}

// newestFirst orders backups.
func newestFirst(a, b *Backup) int {
	return cmp.Or(b.Started.Compare(a.Started), b.Finished.Compare(a.Finished), cmp.Compare(a.Path, b.Path))
}

// sortBackups orders them by kind, the newest first.
func sortBackups(backups []Backup) {
	slices.SortFunc(backups, func(a, b Backup) int { return cmp.Or(slices.Compare(a.kind(), b.kind()), newestFirst(&a, &b)) })
}
