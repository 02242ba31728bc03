// Package deflate writes, measures and joins gzip data without recompressing
// it. Data files of an archive and the dump.sql of an Odoo zip hold the same
// kind of stream (RFC 1951), so one can be made of the other by copying.
//
//   - Writer writes gzip files in pieces that are compressed independently, on
//     several cores, and that can be joined without looking inside.
//   - Walker finds the ends of any gzip member by following its Huffman codes,
//     without producing the text.
//   - Joiner makes one deflate stream out of text, pieces and foreign members.
//   - Cut takes a joined member out again, bit for bit.
//   - Inflater reads the text of a deflate stream and says where its blocks are.
//
// # Files written by Writer
//
// All numbers are little endian. The header never varies, so that a file can
// be rebuilt from its body, its CRC-32 and its length.
//
//	offset  bytes                     what
//	0       1f 8b 08 04               gzip magic, deflate, FEXTRA
//	4       00 00 00 00 00 ff         no time, no hint, unknown system
//	10      05 00                     XLEN
//	12      4f 58 01 00 01            subfield "OX", one byte: version 1
//	17      body                      pieces, each ended by a sync flush:
//	                                  ... 00 00 ff ff (nothing for no text)
//	-10     03 00                     one final empty block, fixed codes
//	-8      CRC-32 of the text
//	-4      length of the text, modulo 2^32
//
// A text of 4 GiB or more has its length in a second, empty member, which
// other programs read as nothing:
//
//	offset  bytes                     what
//	0       1f 8b 08 04 00 00 00 00 00 ff
//	10      0c 00                     XLEN
//	12      4f 4c 08 00               subfield "OL", eight bytes
//	16      length of the text, 64 bits
//	24      03 00                     one final empty block
//	26      00 00 00 00 00 00 00 00   CRC-32 and length of nothing
//
// No piece refers to text before its own start, no block but the last is
// marked as final, and every piece ends on a byte boundary: the body may stand
// anywhere in another stream.
//
// # Blocks of other streams
//
// Instead of a piece the body may have blocks of another stream as they are,
// one after the other, if a window of 32 KiB of the same text is before them
// in the file: they refer to that at most (Writer.Reuse). Empty blocks before
// them lead to the place in a byte at which the first one starts in its own
// stream, because the padding of a stored block depends on it: of fixed codes,
// 10 bits each, and for odd places one of dynamic codes, 95 bits. An empty
// stored block behind them leads to a byte boundary and ends as a sync flush.
//
// # Foreign members
//
// The last block of a deflate stream has its first bit set and may end at any
// bit of a byte. Joining clears the bit; where the end is inside a byte, an
// empty stored block (three zero bits, zero bits up to the byte boundary, then
// 00 00 ff ff) leads to the next boundary. A stream that ends on a boundary
// needs nothing.
//
// # What is accepted
//
// Walker accepts the streams that zlib's inflate accepts with a window of
// 32 KiB (inftrees.c, inflate.c of zlib 1.3), and Go's compress/flate: a code
// must be complete, but for a single distance or literal code of one bit;
// distance codes may be missing altogether while none is used. A gzip header
// may have extra fields, a name, a comment and a CRC-16, which is checked;
// reserved flags are refused. The CRC-32 of the text is reported, not checked:
// there is no text to check it against. Preset dictionaries and deflate64 are
// not part of gzip and are not supported.
package deflate
