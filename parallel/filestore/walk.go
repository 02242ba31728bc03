package filestore

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// walk lists a folder, makes the folders in it and walks them, and hands its
// files to the workers. It releases the pair.
func (c *copier) walk(ctx context.Context, p *pair, depth int) (err error) {
	defer func() { err = errors.Join(err, p.release(err == nil)) }()
	for {
		entries, readErr := p.src.list()
		files := entries[:0]
		for _, e := range entries {
			if e.kind == kindFile {
				files = append(files, e)
			} else if err := c.other(ctx, p, e, depth); err != nil {
				return err
			}
		}
		for some := range slices.Chunk(files, batchSize) {
			if err := c.send(ctx, batch{p, some}); err != nil {
				return err
			}
		}
		if readErr != nil {
			c.missed(p.src.path, readErr)
		}
		if readErr != nil || len(entries) == 0 {
			return nil
		}
	}
}

func (c *copier) send(ctx context.Context, b batch) error {
	b.pair.hold()
	select {
	case c.work <- b:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), b.pair.release(false))
	}
}

// other deals with what is not a file.
func (c *copier) other(ctx context.Context, p *pair, e entry, depth int) error {
	where := filepath.Join(p.src.path, e.name)
	switch {
	case e.kind == kindLink:
		return c.link(p, e.name)
	case e.kind != kindFolder:
		c.skip(where, ErrNotFile)
		return nil
	case depth == maxDepth:
		c.missed(where, ErrDepth)
		return nil
	}
	sub, err := c.enter(p, e.name)
	if err != nil || sub == nil {
		return err
	}
	c.folders.Add(1)
	return c.walk(ctx, sub, depth+1)
}

// enter opens a folder in the pair and its copy, which it makes. If the source
// has none that could be opened there is no pair, and that is noted.
func (c *copier) enter(p *pair, name string) (*pair, error) {
	src, err := p.src.folder(name)
	if err != nil {
		c.missed(filepath.Join(p.src.path, name), err)
		return nil, nil
	}
	dst, err := p.makeFolder(name)
	if err != nil {
		src.close()
		return nil, err
	}
	return newPair(src, dst, p.join(name), c.Permissions), nil
}

func (p *pair) makeFolder(name string) (*folder, error) {
	if err := p.dst.mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return p.dst.folder(name)
}

// link copies a symbolic link that stays inside the tree.
func (c *copier) link(p *pair, name string) error {
	where := filepath.Join(p.src.path, name)
	target, err := p.src.readlink(name)
	if err != nil {
		c.missed(where, err)
		return nil
	}
	if !c.staysInside(p.join(name), target) {
		c.skip(where, ErrLeadsOut)
		return nil
	}
	m, err := p.src.stat(name)
	if err != nil {
		c.missed(where, err)
		return nil
	}
	err = p.dst.symlink(target, name)
	if errors.Is(err, fs.ErrExist) && c.Merge {
		c.differs(p.join(name))
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		if err = p.dst.remove(name); err == nil {
			err = p.dst.symlink(target, name)
		}
	}
	if err != nil {
		return err
	}
	if o := c.Permissions; o.UID >= 0 || o.GID >= 0 {
		if err := p.dst.chown(name, o.UID, o.GID); err != nil {
			return err
		}
	}
	c.linked.Add(1)
	return p.dst.keepTime(name, m.mtime)
}

// staysInside tells whether a link leads to something in the tree, or to
// nothing. Taking the path by its words is not enough, as there may be links in
// it; nor is following it, as something may come to be where now is nothing.
func (c *copier) staysInside(rel, target string) bool {
	if filepath.IsAbs(target) || strings.HasPrefix(target, "/") ||
		!filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(rel), filepath.ToSlash(target)))) {
		return false
	}
	_, err := c.links.Stat(filepath.FromSlash(rel))
	return err == nil || errors.Is(err, fs.ErrNotExist)
}
