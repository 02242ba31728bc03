package deflate

// crcPoly is the polynomial of gzip and zip, bits reversed as in hash/crc32.
const crcPoly = 0xedb88320

// crcOne is the polynomial 1 in that representation.
const crcOne = 1 << 31

// crcPowers holds x^(2^k) modulo the polynomial. The exponents repeat after 32
// because x^(2^32) is x.
var crcPowers = makeCRCPowers()

func makeCRCPowers() (t [32]uint32) {
	t[0] = crcOne >> 1
	for k := 1; k < len(t); k++ {
		t[k] = crcMultiply(t[k-1], t[k-1])
	}
	return t
}

// crcMultiply returns a times b modulo the polynomial.
func crcMultiply(a, b uint32) uint32 {
	var p uint32
	for ; a != 0; a <<= 1 {
		if a&crcOne != 0 {
			p ^= b
		}
		b = b>>1 ^ crcPoly&-(b&1)
	}
	return p
}

// CombineCRC32 returns the CRC-32 (IEEE) of a text and the text after it, from
// the CRC-32 a of the first, b of the second and the second's length in bytes,
// which must not be negative. It takes a microsecond or two at any length.
func CombineCRC32(a, b uint32, lenB int64) uint32 {
	shift := uint32(crcOne)
	for k := 3; lenB > 0; k++ { // x^8 is x^(2^3): a byte of text
		if lenB&1 != 0 {
			shift = crcMultiply(crcPowers[k&31], shift)
		}
		lenB >>= 1
	}
	return crcMultiply(shift, a) ^ b
}
