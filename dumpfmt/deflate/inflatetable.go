package deflate

import "math/bits"

// litBits and farBits are the widths of the tables of an inflateTable: most
// codes of a text are not longer.
const (
	litBits = 11
	farBits = 10
)

// An entry of an inflateTable says what the next bits of a block stand for.
//
//	bits 0–4    how many bits to skip, what follows a code included
//	bits 5–6    literals: how many, one or two
//	bits 8–23   literals: the first, then the second
//	bit  7      this is a length or a distance
//	bits 8–11   length, distance: how many of the bits are the code
//	bits 16–31  length, distance: the least that the code stands for
//
// 0 is for all else: a longer code, the end of the block, bits that are no code.
const (
	entryTotal     = 31
	entryLiterals  = 3 << entryCountShift
	entryMatch     = 1 << 7
	entryBaseShift = 16

	entryCountShift = 5
	entryTextShift  = 8
	entryCodeShift  = 8
	entryCodeMask   = 15
)

// An inflateTable decodes the codes of a block several at once.
type inflateTable struct {
	lit  [1 << litBits]uint32
	dist [1 << farBits]uint32
}

// build makes the table of a block with the given codes.
func (t *inflateTable) build(lit, dist *huffman) {
	fillTable(t.lit[:], lit, litEntry)
	fillTable(t.dist[:], dist, distEntry)
	t.pair()
}

// fillTable fills a table by doubling, as in huffman.makeShort.
func fillTable(t []uint32, h *huffman, entry func(sym, code uint) uint32) {
	t[0] = 0
	rest := h.sorted[:h.used]
	for code := 1; code <= bits.Len(uint(len(t)-1)); code++ {
		half := 1 << (code - 1)
		copy(t[half:2*half], t[:half])
		for len(rest) > 0 && int(h.lens[rest[0]]) == code {
			t[h.codes[rest[0]]] = entry(uint(rest[0]), uint(code))
			rest = rest[1:]
		}
	}
}

func litEntry(sym, code uint) uint32 {
	switch {
	case sym < endOfBlock:
		return uint32(sym<<entryTextShift | 1<<entryCountShift | code)
	case sym == endOfBlock || sym >= maxLitCodes:
		return 0
	}
	i := sym - endOfBlock - 1
	return matchEntry(uint(lenBase[i]), code, uint(lenExtra[i]))
}

func distEntry(sym, code uint) uint32 {
	if sym >= maxDistCodes {
		return 0
	}
	return matchEntry(distBase(sym), code, distExtra(sym))
}

func matchEntry(base, code, extra uint) uint32 {
	return uint32(base<<entryBaseShift | code<<entryCodeShift | entryMatch | (code + extra))
}

// value is the length or distance of an entry, with the bits of the stream that
// the entry was found by.
func value(entry uint32, b uint64) int {
	extra := b & (1<<(entry&entryTotal) - 1) >> (entry >> entryCodeShift & entryCodeMask)
	return int(entry>>entryBaseShift) + int(extra)
}

// pair puts a literal behind another where the index has the bits of both. What
// follows is at a lower index, where there is no pair yet.
func (t *inflateTable) pair() {

	for i := len(t.lit) - 1; i >= 0; i-- {
		e := t.lit[i]
		n := e & entryTotal
		if e&entryLiterals == 0 {
			continue
		}
		next := t.lit[i>>n]
		if m := next & entryTotal; next&entryLiterals != 0 && n+m <= litBits {
			t.lit[i] = e&(0xff<<entryTextShift) | next>>entryTextShift&0xff<<(entryTextShift+8) | 2<<entryCountShift | (n + m)
		}
	}
}
