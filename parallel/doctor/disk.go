package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"odx/dumpfmt"
	"odx/parallel/server"
)

// Need is room that is needed on one disk.
type Need struct {
	What   string // for people
	Dir    string // need not exist: the nearest folder above it that does counts
	Least  int64  // bytes; with less it cannot succeed
	Likely int64  // bytes
	Files  int64  // to be made there
}

// Disk compares what is needed with what is free. Several needs on one disk are
// compared one by one.
func Disk(needs ...Need) (list []Finding, err error) {
	for _, n := range needs {
		dir, err := existing(n.Dir)
		if err != nil {
			return list, err
		}
		room, err := dumpfmt.FreeRoom(dir)
		if errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		if err != nil {
			return list, &fs.PathError{Op: "statfs", Path: dir, Err: err}
		}
		list = append(list, n.judge(dir, room)...)
	}
	return list, nil
}

func (n Need) judge(dir string, room dumpfmt.Room) (list []Finding) {
	const where = "make room there, or choose a folder on another disk"
	text := fmt.Sprintf("%d MB are free in %s; %s may need %d MB", room.Bytes>>20, dir, n.What, max(n.Likely, n.Least)>>20)
	switch {
	case room.Bytes < n.Least:
		list = append(list, Finding{Check: "disk", Severity: Blocking, Text: text, Do: where})
	case room.Bytes < n.Likely:
		list = append(list, Finding{Check: "disk", Severity: Warning, Text: "the disk may become full: " + text, Do: where})
	}
	if room.Files >= 0 && room.Files < n.Files {
		list = append(list, Finding{Check: "inodes", Severity: Blocking,
			Text: fmt.Sprintf("%d files can still be made in %s, and %s has %d", room.Files, dir, n.What, n.Files),
			Do:   "choose a file system with more free inodes (df -i shows them)"})
	}
	return list
}

// existing gives the nearest folder that exists.
func existing(dir string) (string, error) {
	for {
		_, err := os.Stat(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return dir, err
		}
		dir = filepath.Dir(dir)
	}
}

// ServerNeeds says what a restore needs on the server's disk: nothing where that
// is another machine's, or the role may not know it. The source had that size on
// its server, and its archive has the other, in bytes; 0 if unknown.
func ServerNeeds(ctx context.Context, s *server.Session, isLocal bool, size, archive int64) ([]Need, error) {
	var dir *string
	err := s.Scan(ctx, "SELECT current_setting('data_directory', true)", &dir)
	switch {
	case server.SQLState(err) == "42501":
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the server's folder: %w", err)
	case !isLocal || dir == nil || *dir == "":
		return nil, nil
	}
	wal, isApart, err := walNeed(ctx, s, *dir, size)
	if err != nil {
		return nil, err
	}
	// The source may have had bloat, or tables whose rows were not dumped; and text
	// can be longer than what the server makes of it.
	data := Need{What: "the new database", Dir: *dir, Least: min(size, archive) / 4, Likely: size + size/10}
	if isApart {
		return []Need{data, wal}, nil
	}
	data.What += " with the write-ahead log of its restore"
	data.Likely += wal.Likely
	return []Need{data}, nil
}
