package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/gzip"

	"odx/dumpfmt"
)

// digests holds the files of an archive against odx.json while they are read.
type digests struct {
	v    *verifier
	want map[string]dumpfmt.FileDigest // nil without a record

	mu   sync.Mutex
	seen map[string]bool
}

func (v *verifier) newDigests(record *dumpfmt.Record) *digests {
	d := &digests{v: v, seen: map[string]bool{}}
	if record == nil {
		return d
	}
	d.want = map[string]dumpfmt.FileDigest{}
	for _, f := range record.Archive.DataFiles {
		d.want[f.Name] = f
	}
	return d
}

// file gives what the bytes of a file are written to.
func (d *digests) file(name string) io.WriteCloser {
	f := &digestedFile{digests: d, name: name}
	if d.want != nil {
		f.sum = sha256.New()
	}
	return f
}

// digestedFile is one file that is read.
type digestedFile struct {
	*digests
	name  string
	sum   hash.Hash // nil without a record
	bytes int64
}

func (f *digestedFile) Write(p []byte) (int, error) {
	f.bytes += int64(len(p))
	f.v.Meter.Add(int64(len(p)))
	if f.sum != nil {
		f.sum.Write(p)
	}
	return len(p), nil
}

// Close compares.
func (f *digestedFile) Close() error {
	if f.sum == nil {
		return nil
	}
	f.mu.Lock()
	f.seen[f.name] = true
	f.v.tables.digests.Add(1)
	f.mu.Unlock()
	where := dumpfmt.ArchiveDir + "/" + f.name
	switch want, ok := f.want[f.name]; {
	case !ok:
		f.v.found.add(badDigest, where, place{}, "odx.json has no digest of this file")
	case f.bytes != want.Bytes:
		f.v.found.add(badDigest, where, place{}, sizes(f.bytes, want.Bytes)+" by odx.json")
	case hex.EncodeToString(f.sum.Sum(nil)) != want.SHA256:
		f.v.found.add(badDigest, where, place{}, "content differs from the SHA-256 in odx.json")
	}
	return nil
}

// end reads the table of contents, and finds what is only in the record.
func (d *digests) end(toc string) error {
	if d.want == nil {
		return nil
	}
	f, err := os.Open(toc)
	if err != nil {
		d.v.found.add(unreadable, toc, place{}, err.Error())
		return nil
	}
	defer f.Close()
	w := d.file(tocFile)
	if _, err := io.Copy(w, f); err != nil {
		d.v.found.add(unreadable, toc, place{}, err.Error())
		return nil
	}
	for name := range d.want {
		if !d.seen[name] && name != tocFile && isMissing(filepath.Join(filepath.Dir(toc), filepath.Base(name))) {
			d.v.found.add(badDigest, dumpfmt.ArchiveDir+"/"+name, place{}, "missing, and odx.json names it")
		}
	}
	return w.Close()
}

// keptText reads the SQL that was kept of the zip that a backup was made of.
func (v *verifier) keptText(ctx context.Context, want *dumpfmt.ScriptRecord) error {
	name := dumpfmt.KeptDir + "/" + dumpfmt.KeptScript
	err := v.readKept(ctx, want.SQL)
	if err != nil && ctx.Err() == nil {
		v.found.add(oddKept, name, place{}, err.Error())
	}
	return ctx.Err()
}

func (v *verifier) readKept(ctx context.Context, want int64) error {
	f, err := dumpfmt.OpenBeside(v.Source, keptPath(dumpfmt.KeptScript))
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, &source{ctx: ctx, r: z, meter: noMeter{}})
	if err == nil && n != want {
		err = errors.New(sizes(n, want) + " by odx.json")
	}
	if err != nil {
		return fmt.Errorf("kept SQL: %w", err)
	}
	return nil
}
