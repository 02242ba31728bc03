package pgcopy

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"odx/dumpfmt/fuzzing"
)

// FuzzMessages: whatever a server sends, its rows go past pgx as pgx would have
// read them, and pgx reads all else the same.
func FuzzMessages(f *testing.F) {
	for _, lengths := range [][]int{{3, 0, 600, 20}, {0, 1, 2, 506, 507, 508, 70}} {
		wire, _ := said(f, lengths)
		f.Add(wire, 512, 3)
	}
	f.Add([]byte("d\x00\x00\x00\x03text"), 5, 1)
	f.Add([]byte("d\x80\x00\x00\x00C\x00\x00\x00\x04"), 8192, 2)
	f.Fuzz(func(t *testing.T, wire []byte, size, cut int) {
		defer fuzzing.Bounded(t, len(wire))()
		if size < 1 || cut < 1 || declares(wire) > maxDeclared {
			return
		}
		text, others, err := heard(bytes.NewReader(wire), &strings.Builder{})
		got, gotOthers, gotErr := diverted(pulled{iotest.DataErrReader(bytes.NewReader(wire)), cut}, size)
		if gotOthers != others || !bytes.HasPrefix([]byte(got), []byte(text)) {
			t.Fatalf("read in %d: %q and %q, without it %q and %q", size, got, gotOthers, text, others)
		}
		if (gotErr == io.ErrUnexpectedEOF) != (err == io.ErrUnexpectedEOF) {
			t.Fatalf("read in %d: %v, without it %v", size, gotErr, err)
		}
	})
}

// maxDeclared is the longest message that is tried, in bytes: pgx takes memory
// for what a server says.
const maxDeclared = 1 << 20

// declares gives the largest length that a message of the stream could have.
func declares(wire []byte) (longest uint32) {
	for len(wire) >= messageHead {
		n := uint32(wire[1])<<24 | uint32(wire[2])<<16 | uint32(wire[3])<<8 | uint32(wire[4])
		longest = max(longest, n)
		if n < messageHead-1 || int(n)+1 > len(wire) {
			return longest
		}
		wire = wire[n+1:]
	}
	return longest
}
