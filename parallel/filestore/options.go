package filestore

import (
	"errors"
	"fmt"
	"sync/atomic"

	"odx/dumpfmt"
)

// DefaultMaxNames is how many names lists in results hold, unless told
// otherwise.
const DefaultMaxNames = 1000

// Options say what to copy, and how.
type Options struct {
	Source string // the filestore of one database; links to it are followed
	Target string // made if missing; what an earlier attempt left in it is kept

	// Jobs is the number of files copied at once, at least 1. Where files have
	// to be read from a disk and not from memory, more than the number of
	// processors pay.
	Jobs int

	// Permissions are given to every file and folder. Without, files have mode
	// 0600 and folders 0700, and belong to this process's user.
	Permissions *Permissions

	// Verification, if not nil, compares what is copied with the files' names.
	// The content then passes through this process, instead of being shared or
	// copied by the system.
	Verification *Verification

	// HardLink gives files a second name in the target instead of copying them,
	// where that is the same file system and they have the owner and mode in
	// Permissions already: all names of a file share those.
	HardLink bool

	// Merge says that the target holds files of something else, which stay where
	// the source has others at their paths. Only of two that both bear a SHA-1 as
	// name it is the one that has that SHA-1.
	Merge bool

	Counters *Counters // may be nil
	MaxNames int       // length of Result.Problems and of Differing; 0: DefaultMaxNames
}

// Counters grow while Copy works; any goroutine may read them.
type Counters struct {
	Files atomic.Int64 // in the copy by now
	Bytes atomic.Int64 // written by now, of unfinished files too
}

// Result is what became of a tree.
type Result struct {
	Files   int64 // files in the copy, those in Present too
	Bytes   int64 // their size
	Folders int64 // without the uppermost
	Links   int64 // symbolic links, copied as such

	Present  int64    // files that an earlier attempt had copied
	Vanished int64    // were listed, and gone when their turn came
	Changed  int64    // grew, shrank or were written while they were read
	Changing []string // of Changed: those named by a SHA-1, their paths in the tree with slashes, the first, at most MaxNames

	Unread  int64 // files and folders that could not be read, and are not in the copy
	Skipped int64 // links that lead out of the tree, sockets, FIFOs and devices

	HardLinked   int64     // of Files: second names, see Options.HardLink
	NotLinked    int64     // of Files: copied, though they were to be linked
	WhyNotLinked []Problem // of NotLinked: the first by path

	Same      int64    // when merging: the target had the file, of the same content; not in Files
	Differ    int64    // when merging: the target had a file of other content
	Differing []string // of Differ: their paths in the tree, the first, at most MaxNames

	Problems []Problem // Unread and Skipped: the first by path, at most MaxNames
}

// Problem is something in the source that is not in the copy.
type Problem struct {
	Path string // in the source
	Err  error  // matches ErrLeadsOut, ErrNotFile, ErrDepth or the system's error
}

// Returned in Problem.Err.
var (
	// ErrLeadsOut is about a symbolic link to something outside of the tree,
	// or that names something in it by its absolute path.
	ErrLeadsOut = errors.New("link leads out of the filestore")
	// ErrNotFile is about sockets, FIFOs and devices.
	ErrNotFile = errors.New("neither file nor folder")
	// ErrDepth is about folders nested too deep.
	ErrDepth = fmt.Errorf("more than %d folders deep", maxDepth)
)

// Skipped tells whether it was left out on purpose, rather than unreadable.
func (p Problem) Skipped() bool {
	return errors.Is(p.Err, ErrLeadsOut) || errors.Is(p.Err, ErrNotFile)
}

func (p Problem) String() string { return p.Path + ": " + p.Err.Error() }

// Err joins what could not be read into one error, which spells out the first
// few and counts the rest; nil if all was read. What is in Skipped is no error.
func (r Result) Err() error {
	var errs []error
	for _, p := range r.Problems {
		if !p.Skipped() && len(errs) < dumpfmt.MaxJoined {
			errs = append(errs, fmt.Errorf("%s: %w", p.Path, p.Err))
		}
	}
	if more := r.Unread - int64(len(errs)); more > 0 {
		errs = append(errs, fmt.Errorf("%d more could not be read", more))
	}
	return errors.Join(errs...)
}
