package doctor

import (
	"os"
	"path/filepath"
)

// The folders of a filestore that are looked at, and the most files of each whose
// size is. Files are named by their SHA-1, so all 256 folders hold about the same.
var sampled = []string{"00", "55", "aa", "ff"}

const (
	folders      = 256
	sampledFiles = 500
)

// EstimateFilestore tells about how many files and bytes a filestore has, without
// walking all of it.
func EstimateFilestore(dir string) (files, bytes int64) {
	for _, name := range sampled {
		entries, err := os.ReadDir(filepath.Join(dir, name))
		if err != nil {
			continue // not there, or not ours to read: the copy will say so
		}
		var seen, size int64
		for _, e := range entries[:min(len(entries), sampledFiles)] {
			if info, err := e.Info(); err == nil {
				seen, size = seen+1, size+info.Size()
			}
		}
		if seen > 0 {
			files += int64(len(entries))
			bytes += size / seen * int64(len(entries))
		}
	}
	scale := int64(folders / len(sampled))
	return files * scale, bytes * scale
}
