package dumpfmt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrDigest says that a file is not the one that was dumped.
var ErrDigest = errors.New("content differs from the SHA-256 in odx.json: the file is damaged, or was changed; " +
	"without odx.json it is taken as it is")

// DigestFile reads a file and gives its size and SHA-256. The context is
// looked at between blocks.
func DigestFile(ctx context.Context, path string) (FileDigest, error) {
	f, err := os.Open(path)
	if err != nil {
		return FileDigest{}, err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, 256<<10)
	var size int64
	for {
		if err := ctx.Err(); err != nil {
			return FileDigest{}, err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return FileDigest{}, fmt.Errorf("digest: %w", err)
		}
	}
	return FileDigest{Name: filepath.Base(path), Bytes: size, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}
