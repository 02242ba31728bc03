package convert

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// zip verifies a standard zip.
func (v *verifier) zip(ctx context.Context) error {
	z, dump, f, err := openZip(v.Source)
	if err != nil {
		if !isDamage(err) {
			return err
		}
		v.found.add(badStructure, filepath.Base(v.Source), offsetOf(err), reason(err))
		return nil
	}
	defer f.Close()
	if err := v.startZip(f, z); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	lookups := v.lookUp(gctx, g, indexOf(z))
	g.Go(func() error {
		defer close(lookups.work)
		return v.zipScript(gctx, z, dump, lookups)
	})
	g.Go(func() error { return v.members(gctx, z, dump) })
	g.Go(func() error { return v.places(gctx, z, dump) })
	if err := g.Wait(); err != nil {
		return err
	}
	lookups.end()
	return nil
}

// indexOf is the filestore of a zip. Without one it was left out, if odx's own
// record says so.
func indexOf(z *odoozip.Reader) storeIndex {
	if hasStore(z) {
		return zipIndex{z}
	}
	if r, err := z.FindRecord(); err == nil && r != nil && r.Filestore == nil { // an error is found with the other members
		return noIndex{leftOut}
	}
	return noIndex{missingFile}
}

// startZip reads what is small.
func (v *verifier) startZip(f *os.File, z *odoozip.Reader) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	v.Meter.Start(info.Size())
	if m := z.Find(odoozip.ManifestName); m != nil {
		data, err := z.ReadMember(m, dumpfmt.MaxManifest)
		if err == nil { // else it is found with the other members
			v.modules.readManifest(v, data)
		}
	}
	return nil
}

// zipScript verifies dump.sql.
func (v *verifier) zipScript(ctx context.Context, z *odoozip.Reader, dump *odoozip.Member, lookups *lookups) error {
	r, err := z.Open(dump)
	if err != nil {
		v.wrongMember(dump, err)
		return nil
	}
	text := &source{ctx: ctx, r: r, meter: &scaled{v.Meter, dump.Size, max(dump.Length, 1)}}
	return errors.Join(v.script(ctx, text, dump.Name(), badMember, lookups), r.Close())
}

func (v *verifier) wrongMember(m *odoozip.Member, err error) {
	kind := unreadable
	if errors.Is(err, dumpfmt.ErrFormat) {
		kind = badMember
	}
	v.found.add(kind, m.Name(), offsetOf(err), reason(err))
}

// members reads all members but dump.sql, on several cores.
func (v *verifier) members(ctx context.Context, z *odoozip.Reader, dump *odoozip.Member) error {
	var next atomic.Int64
	var counts storeCounts
	g, gctx := errgroup.WithContext(ctx)
	for range v.Jobs {
		g.Go(func() error {
			h := &hasher{sha1: sha1.New(), buf: make([]byte, hashBuffer)}
			for gctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(z.Members) {
					return nil
				}
				if m := &z.Members[i]; m != dump {
					if err := v.member(gctx, z, m, h, &counts); err != nil {
						return err
					}
				}
			}
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	v.report.Members = int64(len(z.Members))
	if counts.files > 0 {
		v.report.Filestore, v.report.Hashed = &FilestoreInfo{counts.files, counts.bytes}, counts.hashed
	}
	return nil
}

// member reads one member, of the filestore for what is in it.
func (v *verifier) member(ctx context.Context, z *odoozip.Reader, m *odoozip.Member, h *hasher, counts *storeCounts) error {
	r, err := z.Open(m)
	if err == nil {
		err = errors.Join(h.read(ctx, r, noMeter{}), r.Close())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.Meter.Add(m.Size)
	if err != nil {
		v.wrongMember(m, err)
		return nil
	}
	if isStored(m) {
		counts.add(h.size, v.holdName(m.Name(), strings.TrimPrefix(m.Rel(), odoozip.FilestoreDir), h))
	}
	return nil
}

// places gets every data file back from where odx's own members say that it is,
// and holds it against its digest.
func (v *verifier) places(ctx context.Context, z *odoozip.Reader, dump *odoozip.Member) error {
	places, note, err := z.FindPlaces(dump)
	switch {
	case err != nil:
		v.found.add(oddZip, odoozip.PlacesName, place{}, reason(err))
		return nil
	case note != "":
		v.found.add(oddZip, odoozip.PlacesName, place{}, note)
	}
	if places == nil {
		return nil
	}
	raw, err := z.Raw(dump)
	if err != nil {
		return nil // dump.sql itself is found damaged
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(v.Jobs)
	c := &cutter{ctx: gctx, zip: z, script: dump, dump: raw}
	for i := range places.Files {
		if file := &places.Files[i]; file.SHA256 != "" {
			g.Go(func() error { return v.place(gctx, c, file) })
		}
	}
	return g.Wait()
}

// place gets one data file back.
func (v *verifier) place(ctx context.Context, c *cutter, file *odoozip.FilePlace) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	sum := sha256.New()
	err := c.write(sum, file)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != file.SHA256 {
		err = fmt.Errorf("content differs from the SHA-256 in %s", odoozip.PlacesName)
	}
	if err != nil {
		v.found.add(badDigest, odoozip.DumpName, place{}, "data of "+file.Name+": "+reason(err))
		return nil
	}
	v.tables.digests.Add(1)
	return nil
}
