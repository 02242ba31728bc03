package filestore

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"hash"
	"strings"
	"sync/atomic"

	"odx/dumpfmt"
)

// Verification takes the SHA-1 of files while they are copied and compares it
// with their names. Only files with names of that kind
// (dumpfmt.IsHashPath) are looked at. It may be used for one copy after the other,
// and by several goroutines.
type Verification struct {
	right atomic.Int64
	wrong firsts[string]
	count atomic.Int64 // of wrong
}

// NewVerification makes a Verification that keeps up to maxNames names of files
// that are wrong; 0: DefaultMaxNames.
func NewVerification(maxNames int) *Verification {
	if maxNames == 0 {
		maxNames = DefaultMaxNames
	}
	v := &Verification{}
	v.wrong.n, v.wrong.compare = maxNames, cmp.Compare[string]
	return v
}

// Right is the number of files that had the SHA-1 in their names.
func (v *Verification) Right() int64 { return v.right.Load() }

// Wrong gives the number of files that had another, and the first of them by
// their paths in the filestore, with slashes.
func (v *Verification) Wrong() (n int64, paths []string) { return v.count.Load(), v.wrong.list() }

// begin gives what takes the digest of a file; nil if there is nothing to
// compare it with.
func (v *Verification) begin(path string) hash.Hash {
	if v == nil || !dumpfmt.IsHashPath(path) {
		return nil
	}
	return sha1.New()
}

// end compares the digest.
func (v *Verification) end(sum hash.Hash, path string) {
	switch {
	case sum == nil:
	case strings.HasSuffix(path, "/"+hex.EncodeToString(sum.Sum(nil))):
		v.right.Add(1)
	default:
		v.count.Add(1)
		v.wrong.add(path)
	}
}
