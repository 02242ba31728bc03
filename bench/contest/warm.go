package contest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// warm has what steps read in the page cache, or as much as there is room for:
// the runs between may have pushed it out, and some machines give memory back
// that was not used for minutes.
func (s *Stage) warm(ctx context.Context, steps []Step) error {
	places := map[string]string{"{db}": filepath.Join(s.cluster.DataDir(), "base"), "{filestore}": s.filestore()}
	for _, in := range inputs() {
		places["{in:"+in.name+"}"] = s.input(in.name)
	}
	for placeholder, path := range places {
		if !names(steps, placeholder) {
			continue
		}
		if err := readAll(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads all files below a path. The server may remove some meanwhile.
func readAll(ctx context.Context, path string) error {
	buf := make([]byte, 1<<20)
	return filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err == nil && d.Type().IsRegular() {
			err = readFile(path, buf)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

func readFile(path string, buf []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buf)
	return err
}
