package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
)

// CompareOptions say what to compare.
type CompareOptions struct {
	A, B  string // paths of two dumps
	Jobs  int    // cores that are used, 0 for all
	Meter Meter  // counts bytes of both; may be nil
}

// Comparison says where two dumps differ.
type Comparison struct {
	A       string `json:"a"`
	B       string `json:"b"`
	LayoutA string `json:"layout_a"`
	LayoutB string `json:"layout_b"`
	Same    bool   `json:"same"`

	Count       int64        `json:"count"`       // of differences
	Differences []Difference `json:"differences"` // the first of them, at most maxDifferences

	Entries int64   `json:"entries"` // definitions in both
	Tables  int64   `json:"tables"`  // and large objects, whose data are the same in both
	Files   int64   `json:"files"`   // of filestores, the same in both
	Seconds float64 `json:"seconds"`
}

// Difference is an item in which two dumps differ.
type Difference struct {
	Item string `json:"item"` // data, definition, manifest, file or member
	Name string `json:"name"`
	What string `json:"what"`
}

// maxDifferences is how many differences are named.
const maxDifferences = 200

// What a difference is.
const (
	onlyInA = "only in the first"
	onlyInB = "only in the second"
	inBoth  = "differs"
)

// Compare reads two dumps, of the same layout or not, and compares them by item:
// the data of each table and large object by the SHA-256 of their text, the
// definitions of everything else, the manifest, the files of the filestore byte
// for byte, and other members. Owners are compared where both are archives that
// have some. Dump IDs, OIDs, dependencies, the order of items,
// times and the way of compression are not compared; the order of rows is.
//
// An error says that one of them could not be read; a damaged dump gives a
// *dumpfmt.FormatError. Memory is that of the definitions, and of a zip's
// members.
func Compare(ctx context.Context, o CompareOptions) (*Comparison, error) {
	started := time.Now()
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	if o.Jobs < 1 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	c := &comparer{CompareOptions: o, report: Comparison{A: o.A, B: o.B, Differences: []Difference{}}}
	err := c.run(ctx)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	c.report.Same = c.report.Count == 0
	c.report.Seconds = time.Since(started).Seconds()
	return &c.report, nil
}

// comparer compares two dumps.
type comparer struct {
	CompareOptions
	mu     sync.Mutex
	report Comparison
}

func (c *comparer) run(ctx context.Context) (err error) {
	a, err := openSide(c.A, c.Meter)
	if err != nil {
		return err
	}
	defer a.close()
	b, err := openSide(c.B, c.Meter)
	if err != nil {
		return err
	}
	defer b.close()
	c.report.LayoutA, c.report.LayoutB = a.layout.String(), b.layout.String()
	noOwner := !a.hasOwners() || !b.hasOwners()
	g, gctx := errgroup.WithContext(ctx)
	for _, s := range []*side{a, b} {
		g.Go(func() error { return s.readText(gctx, noOwner) })
		g.Go(func() error { return s.readSmall(gctx) })
	}
	g.Go(func() error { return c.files(gctx, a, b) })
	if err := g.Wait(); err != nil {
		return err
	}
	c.report.Entries = c.items("definition", a.definitions, b.definitions)
	c.report.Tables = c.items("data", a.data, b.data)
	c.items("member", a.extra, b.extra)
	c.manifests(a.manifest, b.manifest)
	return nil
}

// add notes a difference.
func (c *comparer) add(item, name, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report.Count++; len(c.report.Differences) < maxDifferences {
		c.report.Differences = append(c.report.Differences, Difference{item, name, what})
	}
}

// items compares digests by name, and gives how many are the same.
func (c *comparer) items(item string, a, b map[string]digested) (same int64) {
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		x, inA := a[name]
		y, inB := b[name]
		switch {
		case !inA:
			c.add(item, name, onlyInB)
		case !inB:
			c.add(item, name, onlyInA)
		case x.bytes != y.bytes:
			c.add(item, name, fmt.Sprintf("%s: %d and %d bytes", inBoth, x.bytes, y.bytes))
		case x != y:
			c.add(item, name, fmt.Sprintf("%s: %d bytes in both", inBoth, x.bytes))
		default:
			same++
		}
	}
	return same
}

func (c *comparer) manifests(a, b []byte) {
	switch {
	case a == nil && b != nil:
		c.add("manifest", dumpfmt.ManifestFile, onlyInB)
	case a != nil && b == nil:
		c.add("manifest", dumpfmt.ManifestFile, onlyInA)
	case !bytes.Equal(a, b):
		c.add("manifest", dumpfmt.ManifestFile, inBoth)
	}
}

// files compares two filestores, both in the order of their paths.
func (c *comparer) files(ctx context.Context, a, b *side) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.Jobs)
	err := join(a.files(gctx), b.files(gctx), func(x, y *storeEntry) error {
		switch {
		case gctx.Err() != nil:
			return gctx.Err()
		case x == nil:
			c.add("file", y.rel, onlyInB)
		case y == nil:
			c.add("file", x.rel, onlyInA)
		case x.size != y.size:
			c.add("file", x.rel, fmt.Sprintf("%s: %d and %d bytes", inBoth, x.size, y.size))
		default:
			g.Go(func() error { return c.file(gctx, *x, *y) })
		}
		return nil
	})
	return cmpErrors(err, g.Wait())
}

// cmpErrors prefers what went wrong first to being told to end.
func cmpErrors(a, b error) error {
	if a == nil || b != nil && errors.Is(a, context.Canceled) {
		return b
	}
	return a
}

// file compares the content of two files of the same size.
func (c *comparer) file(ctx context.Context, x, y storeEntry) error {
	r, err := x.open()
	if err != nil {
		return err
	}
	defer r.Close()
	s, err := y.open()
	if err != nil {
		return err
	}
	defer s.Close()
	same, err := sameContent(&source{ctx: ctx, r: r, meter: c.Meter}, &source{ctx: ctx, r: s, meter: c.Meter})
	if err != nil {
		return err
	}
	if !same {
		c.add("file", x.rel, fmt.Sprintf("%s: %d bytes in both", inBoth, x.size))
		return nil
	}
	c.mu.Lock()
	c.report.Files++
	c.mu.Unlock()
	return nil
}

// sameContent reads both to their end, so that damage in either shows.
func sameContent(r, s io.Reader) (bool, error) {
	const size = 128 << 10
	x, y := make([]byte, size), make([]byte, size)
	same := true
	for {
		n, err := fill(r, x)
		m, err2 := fill(s, y)
		if err := errors.Join(err, err2); err != nil {
			return false, err
		}
		same = same && bytes.Equal(x[:n], y[:m])
		if n < size && m < size {
			return same, nil
		}
	}
}

// fill reads until p is full or r ends.
func fill(r io.Reader, p []byte) (int, error) {
	n, err := io.ReadFull(r, p)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		// A FormatError that matches it comes as it is.
		err = nil
	}
	return n, err
}

// isOurs tells whether a folder's entry is one that has an item of its own.
func isOurs(name string) bool {
	return slices.Contains([]string{dumpfmt.ArchiveDir, dumpfmt.FilestoreDir, dumpfmt.ManifestFile, dumpfmt.RecordFile,
		dumpfmt.KeptDir, dumpfmt.ClickOdooDump}, name)
}

// folderExtra gives the files of a folder that are neither dump nor filestore,
// by the name that they have in a zip.
func folderExtra(ctx context.Context, dir string) (map[string]digested, error) {
	names := map[string]string{}
	if isFile(filepath.Join(dir, dumpfmt.KeptDir, dumpfmt.KeptMembers)) {
		for k, err := range keptMembers(dir) {
			if err != nil {
				return nil, err
			}
			names[k.file] = k.name
		}
	}
	found := map[string]digested{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case isOurs(rel) && d.IsDir():
			return filepath.SkipDir
		case isOurs(rel) || !d.Type().IsRegular():
			return nil
		}
		sum, err := dumpfmt.DigestFile(ctx, path)
		name, ok := names[rel]
		if !ok {
			name = strings.TrimPrefix(rel, dumpfmt.ExtraDir+"/")
		}
		found[name] = digested{sum.Bytes, sum.SHA256}
		return err
	})
	return found, err
}
