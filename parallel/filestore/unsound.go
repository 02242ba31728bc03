package filestore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt"
)

// RemoveUnsound removes from the copy that a killed run has left what Copy must
// not take as copied: files whose content has not the SHA-1 in their names, and
// all whose names do not tell it. Size and time alone would not show what a
// crash of the machine did not let come to the disk. It reads every file, jobs at
// once, in memory that does not grow with them.
func RemoveUnsound(ctx context.Context, dir string, jobs int) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	paths := make(chan string)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(paths)
		return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
			switch {
			case err != nil || e.IsDir():
				return err
			case !e.Type().IsRegular() || !dumpfmt.IsHashPath(name):
				return root.Remove(name)
			}
			select {
			case paths <- name:
				return nil
			case <-gctx.Done():
				return context.Cause(gctx)
			}
		})
	})
	for range max(jobs, 1) {
		g.Go(func() error {
			buf := make([]byte, bufSize)
			for name := range paths {
				if err := removeUnsound(gctx, root, name, buf); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func removeUnsound(ctx context.Context, root *os.Root, name string, buf []byte) error {
	sound, err := isSound(ctx, root, name, buf)
	if err != nil || sound {
		return err
	}
	return root.Remove(name)
}

// isSound tells whether a file has the content that its name is the SHA-1 of.
func isSound(ctx context.Context, root *os.Root, name string, buf []byte) (bool, error) {
	f, err := root.Open(name)
	if err != nil {
		return false, err
	}
	sum := sha1.New()
	for err == nil {
		var n int
		if n, err = f.Read(buf); n > 0 {
			sum.Write(buf[:n])
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	_ = f.Close() // only read
	if !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)) == path.Base(name), nil
}
