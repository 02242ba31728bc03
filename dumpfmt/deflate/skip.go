package deflate

// skipBits is the width of the tables of a skipTable. With 11 both halves stay
// in the first-level cache and cost about a tenth of a block to make; 10 finds
// fewer symbols at once, 12 costs twice as much to make for little.
const skipBits = 11

// A skip entry says what the next bits of a block stand for: as many literals
// as fit into skipBits, then a match if it fits too, all in one step.
//
//	bits  0–5   how many bits to skip, those of the distance included
//	bits  6–14  how many bytes of text that makes
//	bits 16–19  how many of the bits are known from the index; the others
//	            are what follows a distance code
//	bit  30     the match's distance is to be looked up separately
//	bit  31     nothing is known here: go on one symbol at a time
const (
	skipTotal    = 63
	skipOutShift = 6
	skipOutMask  = 511
	skipUsedAt   = 16
	skipUsedMask = 15
	skipDistance = 1 << 30
	skipUnknown  = 1<<31 | skipUsedMask<<skipUsedAt // never fits behind another
)

const (
	skipSize = 1 << skipBits
	skipLow  = skipSize - 1
)

// A skipTable has the entries of a block's literal/length codes in its first
// half and those of its distance codes, without text, in the second.
type skipTable [2 * skipSize]uint32

// build makes the table of a block with the given codes.
func (t *skipTable) build(lit, dist *huffman) {
	t.addDistances(dist)
	t.addSymbols(lit)
	t.combine()
}

// addDistances fills the second half, by doubling as in huffman.makeShort.
func (t *skipTable) addDistances(dist *huffman) {
	d := t[skipSize:]
	d[0] = skipUnknown
	rest := dist.sorted[:dist.used]
	for n := 1; n <= skipBits; n++ {
		half := 1 << (n - 1)
		copy(d[half:2*half], d[:half])
		for len(rest) > 0 && int(dist.lens[rest[0]]) == n {
			if sym := rest[0]; sym < maxDistCodes {
				d[dist.codes[sym]] = uint32(n)<<skipUsedAt | uint32(n) + uint32(distExtra(uint(sym)))
			}
			rest = rest[1:]
		}
	}
}

// addSymbols fills the first half with single symbols. A length code and the
// extra bits after it make one symbol for each value of those bits.
func (t *skipTable) addSymbols(lit *huffman) {
	t[0] = skipUnknown
	rest := lit.sorted[:lit.used]
	for n := 1; n <= skipBits; n++ {
		half := 1 << (n - 1)
		copy(t[half:2*half], t[:half])
		known := uint32(n)<<skipUsedAt | uint32(n)
		for len(rest) > 0 && int(lit.lens[rest[0]]) == n {
			if sym := rest[0]; sym < endOfBlock {
				t[lit.codes[sym]] = known | 1<<skipOutShift
			}
			rest = rest[1:]
		}
		for i, extra := range lenExtra {
			sym := i + endOfBlock + 1
			if code := int(lit.lens[sym]); code > 0 && code+int(extra) == n {
				at, e := lit.codes[sym], known+uint32(lenBase[i])<<skipOutShift
				for range 1 << extra {
					t[at] = e
					at += 1 << code
					e += 1 << skipOutShift
				}
			}
		}
	}
}

// combine puts behind each literal what follows it and behind each length its
// distance, where their bits are all in the index. What follows is at a lower
// index, already combined itself. There are no branches in it because none
// could be predicted.
func (t *skipTable) combine() {
	var single [skipSize]uint32
	copy(single[:], t[:])
	for i := range uint32(skipSize) {
		e := single[i]
		n := e & skipTotal
		known := ^uint32(int32(e) >> 31)
		// A literal makes one byte of text, a match three or more.
		match := uint32(int32(2<<skipOutShift-e&(skipOutMask<<skipOutShift)) >> 31)
		next := t[(i>>n&skipLow|match&skipSize)&(2*skipSize-1)]
		fits := uint32(int32(next>>skipUsedAt&skipUsedMask+n-skipBits-1) >> 31)
		t[i] = e + known&(next&fits|skipDistance&match&^fits)
	}
}
