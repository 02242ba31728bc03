package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// Proof says what was compared after a conversion from or to a zip: each
// member's content with that of the backup's files, by SHA-256.
type Proof struct {
	Script    string `json:"dump_sql_sha256"` // of both
	Members   int64  `json:"members"`         // besides dump.sql
	DataFiles int64  `json:"data_files"`      // got back from dump.sql's places and compared
	Bytes     int64  `json:"bytes"`           // of all of them
}

// ErrNotSame is matched by the error of a conversion whose result is not the
// same as its source.
var ErrNotSame = errors.New("the result differs from the source")

// prover compares a zip with the backup that it was made of, or that was made
// of it.
type prover struct {
	ctx context.Context
	c   *conversion
	z   *odoozip.Reader
	src *zipSource
	// renamed has the files of members whose file has another name, in their order.
	renamed map[string][]string

	mu    sync.Mutex
	proof Proof
}

// prove compares all there is, on several cores.
func (c *conversion) prove(ctx context.Context, z *odoozip.Reader, src *zipSource) error {
	g, gctx := errgroup.WithContext(ctx)
	p := &prover{ctx: gctx, c: c, z: z, src: src, renamed: map[string][]string{}}
	if err := p.readNames(); err != nil {
		return err
	}
	g.Go(p.script)
	g.Go(p.members)
	g.Go(p.places)
	if err := g.Wait(); err != nil {
		return err
	}
	c.report.Proof = &p.proof
	return nil
}

func (p *prover) readNames() error {
	if p.src.zip == nil || !isFile(filepath.Join(p.src.backup, dumpfmt.KeptDir, dumpfmt.KeptMembers)) {
		return nil
	}
	for k, err := range keptMembers(p.src.backup) {
		if err != nil {
			return err
		}
		if k.file != k.name && !strings.HasPrefix(k.file, odoozip.FilestoreDir) && k.file != dumpfmt.ManifestFile {
			p.renamed[k.name] = append(p.renamed[k.name], k.file)
		}
	}
	return nil
}

// script compares dump.sql with the text that the archive gives.
func (p *prover) script() error {
	var texts [2]digested
	g, ctx := errgroup.WithContext(p.ctx)
	g.Go(func() (err error) {
		m := p.z.Find(odoozip.DumpName)
		if m == nil {
			return fmt.Errorf("%w: the zip has no %s", ErrNotSame, odoozip.DumpName)
		}
		texts[0], err = p.member(ctx, m)
		return err
	})
	g.Go(func() error {
		h := newDigest()
		if err := printTo(ctx, h, p.src.script); err != nil {
			return err
		}
		texts[1] = h.end()
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	p.proof.Script = texts[0].sum
	return p.same(odoozip.DumpName, texts[0], texts[1])
}

// members compares all other members with the files of the backup.
func (p *prover) members() error {
	g, ctx := errgroup.WithContext(p.ctx)
	g.SetLimit(p.c.Jobs)
	for i := range p.z.Members {
		m := &p.z.Members[i]
		if m.Kind == odoozip.KindOdx || m.Kind == odoozip.KindDump && !m.Hidden || m.Kind == odoozip.KindDirectory {
			continue
		}
		path, err := p.path(m)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			want, err := p.file(path)
			if err != nil {
				return err
			}
			got, err := p.member(ctx, m)
			if err != nil {
				return err
			}
			p.mu.Lock()
			p.proof.Members++
			p.mu.Unlock()
			return p.same(m.Name(), got, want)
		})
	}
	return g.Wait()
}

// path gives the backup's file for a member, "" for the manifest. Of members with
// the same name each has a file of its own, in their order.
func (p *prover) path(m *odoozip.Member) (string, error) {
	switch files := p.renamed[m.Name()]; {
	case m.Kind == odoozip.KindManifest && !m.Hidden:
		return "", nil
	case m.Kind == odoozip.KindFilestore && !m.Hidden:
		return filepath.Join(p.src.filestore, filepath.FromSlash(strings.TrimPrefix(m.Rel(), odoozip.FilestoreDir))), nil
	case len(files) > 0:
		p.renamed[m.Name()] = files[1:]
		return filepath.Join(p.src.backup, filepath.FromSlash(files[0])), nil
	}
	return "", fmt.Errorf("%w: nothing in the backup is the member %s", ErrNotSame, m.Name())
}

// file digests a file of the backup, or the manifest.
func (p *prover) file(path string) (digested, error) {
	if path == "" {
		h := newDigest()
		_, _ = h.Write(p.src.manifest)
		return h.end(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return digested{}, err
	}
	defer f.Close()
	h := newDigest()
	_, err = io.Copy(h, f)
	return h.end(), err
}

func (p *prover) member(ctx context.Context, m *odoozip.Member) (digested, error) {
	return digestMember(ctx, p.z, m)
}

// digestMember digests the text of a member.
func digestMember(ctx context.Context, z *odoozip.Reader, m *odoozip.Member) (digested, error) {
	r, err := z.Open(m)
	if err != nil {
		return digested{}, err
	}
	h := newDigest()
	_, err = io.Copy(h, &source{ctx: ctx, r: r, meter: noMeter{}})
	return h.end(), errors.Join(err, r.Close())
}

// places gets every data file back from dump.sql's data where odx's own members
// say how, and compares it with the archive's.
func (p *prover) places() error {
	dump, err := p.z.Dump()
	if err != nil {
		return err
	}
	places, _, err := p.z.FindPlaces(dump)
	if err != nil || places == nil {
		return err
	}
	raw, err := p.z.Raw(dump)
	if err != nil {
		return err
	}
	c := &cutter{ctx: p.ctx, zip: p.z, dump: raw}
	g, ctx := errgroup.WithContext(p.ctx)
	g.SetLimit(p.c.Jobs)
	for i := range places.Files {
		place := &places.Files[i]
		if place.Text != nil { // compressed anew, and in dump.sql, which is compared
			continue
		}
		g.Go(func() error {
			h := newDigest()
			if err := c.write(h, place); err != nil {
				return fmt.Errorf("%s: %w", place.Name, err)
			}
			want, err := dumpfmt.DigestFile(ctx, filepath.Join(p.src.archive.Path(), place.Name))
			if err != nil {
				return err
			}
			p.mu.Lock()
			p.proof.DataFiles++
			p.mu.Unlock()
			return p.same(place.Name, h.end(), digested{want.Bytes, want.SHA256})
		})
	}
	return g.Wait()
}

// same counts what is the same.
func (p *prover) same(name string, got, want digested) error {
	if got != want {
		return fmt.Errorf("%w: %s has %d bytes with SHA-256 %s, and %d with %s in the backup", ErrNotSame, name, got.bytes, got.sum, want.bytes, want.sum)
	}
	p.mu.Lock()
	p.proof.Bytes += got.bytes
	p.mu.Unlock()
	return nil
}

// digested is the length and the SHA-256 of something.
type digested struct {
	bytes int64
	sum   string
}

// digest takes both of what is written to it.
type digest struct {
	hash.Hash
	bytes int64
}

func newDigest() *digest { return &digest{Hash: sha256.New()} }

func (d *digest) Write(p []byte) (int, error) {
	d.bytes += int64(len(p))
	return d.Hash.Write(p)
}

func (d *digest) end() digested { return digested{d.bytes, hex.EncodeToString(d.Sum(nil))} }

// proveZip compares the zip that was written with its source.
func (c *conversion) proveZip(ctx context.Context, path string, src *zipSource) error {
	z, _, f, err := openZip(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.prove(ctx, z, src)
}

// proveFolder compares the folder that was made of a zip with it: the folder
// has to give the zip's members.
func (c *conversion) proveFolder(ctx context.Context, dir string, z *odoozip.Reader) error {
	back := &conversion{Options: Options{Source: dir, Jobs: c.Jobs, Meter: noMeter{}}, plan: Plan{Source: dumpfmt.LayoutFast}}
	a, err := back.open(ctx)
	if err != nil {
		return err
	}
	src, err := back.openZipSource(a)
	if err != nil {
		return err
	}
	if p, ok := src.script.(interface{ RestrictKey() string }); ok && p.RestrictKey() != "" {
		if err := back.takeKey(z, src); err != nil {
			return err
		}
	}
	err = back.prove(ctx, z, src)
	c.report.Proof = back.report.Proof
	return err
}

// takeKey has the script printed with the key that the zip's dump.sql has: one
// that odx made of an archive has a random one.
func (c *conversion) takeKey(z *odoozip.Reader, src *zipSource) error {
	r, err := z.Open(z.Find(odoozip.DumpName))
	if err != nil {
		return err
	}
	defer r.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return err
	}
	_, rest, ok := bytes.Cut(head[:n], []byte("\n\\restrict "))
	if !ok {
		return nil
	}
	key, _, _ := bytes.Cut(rest, []byte("\n"))
	c.RestrictKey = string(key)
	printed, err := c.printer(src.archive)
	src.script = printed
	return err
}
