package deflate

import (
	"errors"
	"math/bits"
)

// Limits of RFC 1951: code lengths and the symbols that may be used. Two more
// literal/length codes and two more distance codes take part in the fixed
// codes but never occur in data.
const (
	maxCodeLen   = 15
	maxLitCodes  = 286
	maxDistCodes = 30
	numLitFixed  = 288
	numDistFixed = 32
	endOfBlock   = 256
)

// shortBits is the width of the table that decodes short codes at once.
const shortBits = 9

var (
	errOversubscribed = errors.New("over-subscribed code lengths")
	errIncomplete     = errors.New("incomplete code lengths")
)

// A huffman is one canonical code. The zero value has no codes.
type huffman struct {
	lens   [numLitFixed]uint8  // code length of each symbol, 0 for none
	codes  [numLitFixed]uint16 // code of each symbol, first bit lowest
	sorted [numLitFixed]uint16 // symbols by code length, then by value
	used   int                 // how many of sorted have a code

	// A code of length n, first bit highest and moved up to maxCodeLen bits,
	// is below limit[n]. Its symbol is sorted[code + offset[n]].
	limit  [maxCodeLen + 1]uint32
	offset [maxCodeLen + 1]int32

	// short has symbol<<4 | length for every code of up to shortBits bits, by
	// the next bits of the stream; 0 for others.
	short [1 << shortBits]uint16
}

// build makes the code from the lengths of its symbols. As in zlib, lone is
// whether a single code of one bit may stand alone.
func (h *huffman) build(lens []uint8, lone bool) error {
	var count [maxCodeLen + 1]int
	for _, n := range lens {
		count[n]++
	}
	h.used = len(lens) - count[0]
	count[0] = 0
	left, longest := 1, 0 // left: codes of this length not taken yet
	for n := 1; n <= maxCodeLen; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			return errOversubscribed
		}
		if count[n] > 0 {
			longest = n
		}
	}
	if left > 0 && longest > 0 && !(lone && longest == 1) {
		return errIncomplete
	}
	clear(h.lens[copy(h.lens[:], lens):])
	h.assign(&count)
	h.makeShort()
	return nil
}

// assign gives each symbol its code, from the number of codes of each length.
func (h *huffman) assign(count *[maxCodeLen + 1]int) {
	var next [maxCodeLen + 1]uint32 // code
	var at [maxCodeLen + 1]int      // place in sorted
	code, place := uint32(0), 0
	for n := 1; n <= maxCodeLen; n++ {
		code <<= 1
		next[n], at[n] = code, place
		h.offset[n] = int32(place) - int32(code)
		code += uint32(count[n])
		place += count[n]
		h.limit[n] = code << (maxCodeLen - n)
	}
	for sym, n := range h.lens {
		if n == 0 {
			continue
		}
		h.codes[sym] = bits.Reverse16(uint16(next[n])) >> (16 - n)
		next[n]++
		h.sorted[at[n]] = uint16(sym)
		at[n]++
	}
}

// makeShort fills short by doubling: once the codes of up to n bits stand in
// the first 2^n places, every longer index repeats them.
func (h *huffman) makeShort() {
	t := &h.short
	t[0] = 0
	rest := h.sorted[:h.used]
	for n := 1; n <= shortBits; n++ {
		half := 1 << (n - 1)
		copy(t[half:2*half], t[:half])
		for len(rest) > 0 && int(h.lens[rest[0]]) == n {
			t[h.codes[rest[0]]] = rest[0]<<4 | uint16(n)
			rest = rest[1:]
		}
	}
}

// decode returns the symbol whose code the stream goes on with and the code's
// length. The length is 0 for bits that are no code, and may be more than the
// bits that are left, which the caller has to check.
func (h *huffman) decode(b uint64) (sym, n uint) {
	if e := uint(h.short[b&(1<<shortBits-1)]); e != 0 {
		return e >> 4, e & 15
	}
	return h.decodeLong(b)
}

func (h *huffman) decodeLong(b uint64) (sym, n uint) {
	code := uint32(bits.Reverse16(uint16(b))) >> (16 - maxCodeLen)
	for n := uint(shortBits + 1); n <= maxCodeLen; n++ {
		if code < h.limit[n] {
			at := int32(code>>(maxCodeLen-n)) + h.offset[n]
			return uint(h.sorted[at]), n
		}
	}
	return 0, 0
}

// lenBase and lenExtra are the match lengths of the codes from 257 on: the
// least length, and how many bits after the code are added to it.
var (
	lenBase = [maxLitCodes - 257]uint16{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31,
		35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
	}
	lenExtra = [maxLitCodes - 257]uint8{
		0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2,
		3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
	}
)

// distExtra returns how many bits follow a distance code.
func distExtra(sym uint) uint {
	if sym < 4 {
		return 0
	}
	return sym/2 - 1
}

// distBase returns the least distance of a distance code.
func distBase(sym uint) uint {
	if sym < 4 {
		return sym + 1
	}
	return 1 + (2+sym&1)<<(sym/2-1)
}

// fixedLens returns the code lengths of blocks with fixed codes.
func fixedLens() (lit [numLitFixed]uint8, dist [numDistFixed]uint8) {
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	for i := range dist {
		dist[i] = 5
	}
	return lit, dist
}
